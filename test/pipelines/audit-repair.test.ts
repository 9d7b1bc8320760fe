// SPDX-License-Identifier: Apache-2.0

import { correctionsOf, MAX_CORRECTED_CELLS } from "../../domain/rules/corrections";
import { T0 } from "../domain/model";
import { emptiedStores } from "../io/sqlite/emptied-stores";
import { storedCells } from "../system/golden/outcome";
import { event } from "../transforms/elements";
import { AuditHarness } from "./audit-harness";

let harness: AuditHarness;
const shared = emptiedStores();
beforeEach(async () => {
  harness = await AuditHarness.open(await shared());
});
afterEach(() => harness.close());

test("a minute with 65,537 differing cells is repaired to exactly what the archive has", async () => {
  const TYPES = 200;
  const cell = (n: number) => ({ videoId: `v${Math.floor(n / TYPES)}`, eventType: `T${n % TYPES}` });
  await harness.archive(Array.from({ length: 65_537 }, (_, n) => event(`e${n}`, { ...cell(n), value: n })));
  const { outcome } = await harness.audit({ repair: true });
  expect(outcome).toBe("repaired");
  const { minutes } = await storedCells(harness.stores.counters);
  expect(minutes.size).toBe(65_537);
  for (const n of [0, 65_535, 65_536]) {
    const { videoId, eventType } = cell(n);
    expect(minutes.get(`${T0} ${videoId} ${eventType}`)).toMatchObject({ count: 1, sum: BigInt(n) });
  }
  expect(await harness.audit()).toMatchObject({ outcome: "equal", cellsDiffering: 0 });
}, 120_000);

test("corrections are chunks of bounded size, each with the names of its own cells", () => {
  const cells = Array.from({ length: 2 * MAX_CORRECTED_CELLS + 1 }, (_, n) => ({
    videoId: `v${n % 7}`,
    eventType: `T${n}`,
    expectedCount: n,
    expectedSum: -BigInt(n) * 2n ** 40n,
    expectedValued: n,
    lastMsInMinute: n % 60_000,
  }));
  const chunks = [...correctionsOf(9, cells)];
  expect(chunks.map(({ counts }) => counts.length)).toEqual([MAX_CORRECTED_CELLS, MAX_CORRECTED_CELLS, 1]);
  const again = chunks.flatMap((chunk) =>
    Array.from(chunk.counts, (expectedCount, row) => ({
      videoId: chunk.videos[chunk.videoIndex[row]!]!,
      eventType: chunk.types[chunk.typeIndex[row]!]!,
      expectedCount,
      expectedSum: BigInt(chunk.sumHigh[row]!) * 2n ** 32n + BigInt(chunk.sumLow[row]!),
      expectedValued: chunk.valued[row]!,
      lastMsInMinute: chunk.lastMsInMinute[row]!,
    })),
  );
  expect(again).toEqual(cells);
  expect(chunks[0]!.videos).toHaveLength(7);
});
