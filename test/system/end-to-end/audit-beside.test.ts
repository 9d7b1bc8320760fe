// SPDX-License-Identifier: Apache-2.0
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { rewriteCells } from "../../io/ports/rewrite-cells";
import { event, json } from "./events";
import { cleanUp, Service, until, viewmill } from "./service";

afterEach(cleanUp);

/**
 * How much longer a new event may take while an audit runs. Two fast cores need about 1 s; the bound of 4 s allows a
 * machine four times slower.
 */
const COST_MS = 4_000;
const VIDEOS = 4_000;
const JANUARY_MS = Date.UTC(2024, 0, 1);

/** Milliseconds from an event's acceptance until a read shows it. */
async function freshnessMs(service: Service, name: string): Promise<number> {
  await service.deliver(json(event({ videoId: name, eventTime: Date.now() })));
  const began = performance.now();
  await until(`the probe ${name} is seen`, async () => (await service.total(name)) === 1, 120_000);
  return performance.now() - began;
}

it("a backfill and a repairing audit delay a new event by less than 4 s", async () => {
  const service = await Service.start();
  const file = join(service.folder, "old.ndjson");
  const line = (n: number, eventTime: string) =>
    JSON.stringify({ eventId: `old-${n}`, videoId: `v${n % VIDEOS}`, eventType: "VIEW", eventTime, value: n });
  const times = Array.from({ length: 3 * VIDEOS }, (_, n) => `2024-01-01T00:0${Math.floor(n / VIDEOS)}:00Z`);
  const lines = ["1970-01-01T00:05:00Z", ...times].map((time, n) => line(n, time));
  writeFileSync(file, `${lines.join("\n")}\n`);
  let alone = 0;
  for (let n = 0; n < 3; n++) alone = Math.max(alone, await freshnessMs(service, `alone-${n}`));

  /** Returns the longest freshness measured while `work` runs. */
  const beside = async (name: string, work: Promise<unknown>): Promise<number> => {
    let isOver = false;
    const ended = work.finally(() => {
      isOver = true;
    });
    let worst = 0;
    for (let n = 0; !isOver; n++) worst = Math.max(worst, await freshnessMs(service, `${name}-${n}`));
    await ended;
    return worst;
  };
  const backfill = viewmill(["backfill", file, "--data", service.folder, "--json"]);
  expect(await beside("backfill", backfill)).toBeLessThan(alone + COST_MS);
  expect(JSON.parse((await backfill).stdout)).toMatchObject({ accepted: lines.length, audit: "equal" });

  const damaged = rewriteCells(service.folder, "minute", (cell) => {
    if (cell.startMs >= JANUARY_MS && cell.startMs < JANUARY_MS + 3 * 60_000) cell.count++;
    return undefined;
  });
  expect(damaged).toBe(3 * VIDEOS);
  const audit = service.audit("--repair");
  expect(await beside("audit", audit)).toBeLessThan(alone + COST_MS);
  expect((await audit).report).toMatchObject({ outcome: "repaired", cellsDiffering: 3 * VIDEOS });
  const { dependencies } = await service.get<{ dependencies: { name: string; detail: string }[] }>("/readyz");
  expect(dependencies.find(({ name }) => name === "stream")?.detail).toContain("0 restarts");
  const stores = ["log", "counters", "ledger", "archive", "dead letters"];
  expect(dependencies.map(({ name }) => name)).toEqual(expect.arrayContaining([...stores, "stream", "last audit"]));
}, 300_000);
