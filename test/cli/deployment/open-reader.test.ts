// SPDX-License-Identifier: Apache-2.0
import { configSchema } from "../../../cli/config/schema";
import { openCounters, openReader } from "../../../cli/deployment/open-counters";
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
