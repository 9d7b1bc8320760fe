// SPDX-License-Identifier: Apache-2.0
/** counters.sqlite as the code of commit 52a043a wrote it, opened by this code. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { SqliteCounterStore } from "../../../io/sqlite/counter-store";
import { SqliteLedger } from "../../../io/sqlite/ledger";
import { SqliteCounterReader } from "../../../io/sqlite/reader-thread";
import { removeFolders, temporaryFolder } from "../ports/condition";
import { asMinuteCounts, CounterModel, modelLevels, storedLevels } from "../ports/counter-model";
import { cell } from "../ports/counter-store-contract";
import { withCounters } from "../ports/rewrite-cells";

const FIXTURES = join(__dirname, "..", "..", "..", "..", "test", "io", "sqlite", "fixtures");
const minuteOf = (text: string) => Date.parse(text) / 60_000;

afterEach(removeFolders);

function oldFolder(): string {
  const folder = temporaryFolder();
  mkdirSync(folder, { recursive: true });
  const packed = readFileSync(join(FIXTURES, "counters-52a043a.sqlite.gz"));
  writeFileSync(join(folder, "counters.sqlite"), gunzipSync(packed));
  return folder;
}

/** The old file's minutes; where a cell has a sum, all of its events are taken for ones with a value. */
function oldModel(): CounterModel {
  const { minute } = JSON.parse(readFileSync(join(FIXTURES, "counters-52a043a.json"), "utf8")) as { minute: string[] };
  const model = new CounterModel();
  for (const line of minute) {
    const [video, type, startMs, count, sum] = line.split(" ");
    const rest = { type: type!, sum: BigInt(sum!) };
    model.apply([cell(Number(startMs) / 60_000, video!, Number(count), rest)]);
  }
  return model;
}

/** The last event is not among the old file's lines. */
const withoutLast = ({ total, ...levels }: Awaited<ReturnType<typeof storedLevels>>) => ({
  ...levels,
  total: total.map((line) => line.replace(/ [^ ]+$/, "")),
});

it("keeps every cell of every level, and counts on from there", async () => {
  const store = new SqliteCounterStore({ folder: oldFolder() });
  const model = oldModel();
  expect(withoutLast(await storedLevels(store))).toEqual(withoutLast(modelLevels(model)));
  const { total } = JSON.parse(readFileSync(join(FIXTURES, "counters-52a043a.json"), "utf8")) as { total: string[] };
  const lastOf = (lines: string[]) => lines.map((line) => [line.split(" ").slice(0, 2), line.split(" ").at(-1)]);
  expect(lastOf((await storedLevels(store)).total)).toEqual(lastOf(total));

  const more = [cell(minuteOf("2024-01-01T00:11:00Z"), "gone", 2, { sum: -3n, valued: 1 }), cell(5, "new", 1)];
  model.apply(more);
  await store.apply(asMinuteCounts(more));
  expect(withoutLast(await storedLevels(store))).toEqual(withoutLast(modelLevels(model)));
  await store.close();
});

it("keeps corrections and tombstones: a stale write changes nothing", async () => {
  const store = new SqliteCounterStore({ folder: oldFolder() });
  const before = await storedLevels(store);
  await store.apply(
    asMinuteCounts([
      cell(minuteOf("2020-02-29T10:03:00Z"), "leap/day", 500),
      cell(minuteOf("2024-01-01T00:10:00Z"), "gone", 9, { sum: 9n, last: 5 }),
      cell(minuteOf("2024-01-01T00:20:00Z"), "never", 1),
    ]),
  );
  expect(await storedLevels(store)).toEqual(before);
  await store.apply(asMinuteCounts([cell(minuteOf("2020-02-29T10:03:00Z"), "leap/day", 8, { correction: 2 })]));
  expect((await store.totals("leap/day")).get("VIEW")?.count).toBe(8 + 2 + 2 ** 40);
  await store.close();
});

it("is read by a process that only reads, before any writer has opened it", async () => {
  const reader = new SqliteCounterReader({ folder: oldFolder() });
  expect((await reader.totals("leap/day")).get("VIEW")).toEqual({
    count: 7 + 2 + 2 ** 40,
    sum: 2n,
    valued: 9,
    lastEventAtMs: Date.parse("2020-02-29T11:04:00Z"),
  });
  await reader.close();
});

it("keeps the books beside the cells", async () => {
  const ledger = new SqliteLedger({ folder: oldFolder() });
  expect(await ledger.checkpoint()).toBe(7);
  const minute = minuteOf("2024-01-01T00:10:00Z");
  expect(await ledger.archivedObjects(minute, minute + 1)).toMatchObject([{ events: 9 }]);
  await ledger.close();
});

it("is rewritten, so that deleted rows give their pages back to the disk", async () => {
  const folder = oldFolder();
  await new SqliteCounterStore({ folder }).close();
  withCounters(folder, (db) => {
    const pragma = (name: string) => Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0];
    expect([pragma("auto_vacuum"), pragma("freelist_count")]).toEqual([2, 0]);
    const pages = Number(pragma("page_count"));
    db.exec("DELETE FROM minute_blocks; PRAGMA incremental_vacuum");
    expect(pragma("freelist_count")).toBe(0);
    expect(Number(pragma("page_count"))).toBeLessThan(pages);
  });
});
