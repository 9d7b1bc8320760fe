// SPDX-License-Identifier: Apache-2.0
import { configSchema } from "../../../cli/config/schema";
import { openCounters, openReader } from "../../../cli/deployment/open-counters";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../../domain/rules/time";
import { rollUpAll } from "../../../pipelines/tier/roll-up";
import { removeFolders, temporaryFolder } from "../../io/ports/condition";
import { asMinuteCounts } from "../../io/ports/counter-model";
import { cell } from "../../io/ports/counter-store-contract";

afterEach(removeFolders);

it("the reader of a service answers everything that the API asks, the list of counted videos included", async () => {
  const config = configSchema.parse({ data: temporaryFolder() });
  const { counters, ledger } = await openCounters(config, "shared");
  const reader = await openReader(config, counters);
  await counters.apply(asMinuteCounts([cell(61, "a", 3), cell(61, "b", 4)]));
  expect((await reader.totals("a")).get("VIEW")).toMatchObject({ count: 3 });
  expect(await reader.read("a", "VIEW", 0, 86_400_000, "hour")).toMatchObject([{ count: 3 }]);
  expect(await reader.top("VIEW", 0, 86_400_000, 1)).toEqual([{ videoId: "b", count: 4 }]);
  expect(await reader.rising("VIEW", 0, 86_400_000, 1)).toMatchObject([{ videoId: "b", previous: 0 }]);
  expect(await reader.videoIds!("a", "", 10)).toEqual(["a"]);
  expect((await reader.videosSeen!(0, 10)).videoIds).toEqual(["a", "b"]);
  await Promise.all([reader.close(), counters.close(), ledger.close()]);
});

it("cells that a shorter retention has rolled up are read by a service that keeps cells for longer now", async () => {
  const data = temporaryFolder();
  const before = await openCounters(configSchema.parse({ data, retention: { rawDays: 1 } }), "shared");
  const dayMs = Math.floor(Date.now() / DAY_MS) * DAY_MS - 5 * DAY_MS;
  const minute = dayMs / MINUTE_MS;
  await before.counters.apply(asMinuteCounts([cell(minute + 61, "a", 3), cell(minute + 61, "b", 4)]));
  const sequences = await before.ledger.changeSequences(minute, minute + 1440);
  await before.ledger.markAudited({ fromMinute: minute, toMinute: minute + 1440, sequences, except: [] });
  const archive = { list: async () => [], minutes: async () => [], remove: async () => undefined };
  const { store, tiers, folder } = before.tiering;
  const deps = { counters: store, tiers, folder, archive, ledger: before.ledger, clock: Date.now };
  const rolled = await rollUpAll(deps, { minutesMs: 3 * DAY_MS, hoursMs: 100 * DAY_MS });
  expect(rolled).toMatchObject([{ outcome: "rolled-up", cells: 2 }]);
  await Promise.all([before.counters.close(), before.ledger.close()]);

  const config = configSchema.parse({ data, retention: { rawDays: 365 } });
  const { counters, ledger } = await openCounters(config, "shared");
  const reader = await openReader(config, counters);
  const [from, to] = [dayMs + HOUR_MS, dayMs + HOUR_MS + 2 * MINUTE_MS];
  for (const reads of [reader, counters]) {
    expect(await reads.read("a", "VIEW", from, to, "minute")).toMatchObject([{ count: 3, source: "rollup" }]);
    expect(await reads.top("VIEW", from, to, 1)).toEqual([{ videoId: "b", count: 4 }]);
    expect(await reads.rising("VIEW", from, to, 2)).toMatchObject([{ videoId: "b" }, { videoId: "a" }]);
  }
  await Promise.all([reader.close(), counters.close(), ledger.close()]);
});
