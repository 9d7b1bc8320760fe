// SPDX-License-Identifier: Apache-2.0
/**
 * A channel is added up from its videos' cells at each reading, so that an audit of the cells is an audit of channels
 * ([0038](../../docs/decisions/0038-channels-at-reading.md)), over each counter store.
 */
import { join } from "node:path";
import { HOUR_MS, MINUTE_MS } from "../../domain/rules/time";
import { CATALOG_FILE, SqliteCatalog } from "../../io/sqlite/catalog";
import { ChannelCounters } from "../../query-api/channel-counters";
import { unknownVideos } from "../../query-api/unknown-videos";
import { asMinuteCounts } from "../io/ports/counter-model";
import { cell } from "../io/ports/counter-store-contract";
import { eventOf, YOUNG } from "./tier-events";
import type { TierHarness } from "./tier-harness";

export function auditChannelsContract(storeName: string, open: () => Promise<TierHarness>): void {
  it(`an audit finds a damaged cell of a channel's video, and repairs the channel with it: ${storeName}`, async () => {
    const harness = await open();
    const catalog = new SqliteCatalog(join(harness.folder, CATALOG_FILE));
    try {
      // Videos a and b/c belong to a channel, the one with the long name to none.
      await catalog.loadVideos(
        ["a", "b/c"].map((videoId) => ({ videoId, channelId: "one" })),
        0,
      );
      const events = [0, 0, 0, 1, 1, 2, 2, 2, 2].map((video, n) => eventOf([2, n % 4, video, 0, 1]));
      await harness.count(events);
      expect((await harness.audit()).outcome).toBe("equal");
      const counts = async () => {
        const { counters } = harness;
        const channels = new ChannelCounters({ counters, catalog, unknown: unknownVideos({ counters, catalog }) });
        const of = async (channel: string) => ({
          total: (await channels.totals(channel)).get("VIEW")?.count,
          hours: (await channels.read(channel, "VIEW", YOUNG, YOUNG + HOUR_MS, "hour")).map(({ count }) => count),
          top: await channels.top(channel, "VIEW", YOUNG, YOUNG + HOUR_MS, 5),
        });
        return { one: await of("one"), unknown: await of("unknown") };
      };
      const right = await counts();
      expect(right).toMatchObject({ one: { total: 5, hours: [5] }, unknown: { total: 4, hours: [4] } });

      // Cells that nobody has counted: one too many, one too few, one that should not be.
      const minute = YOUNG / MINUTE_MS;
      const counted = cell(minute, "a", 40, { sum: 40n });
      await harness.stores.counters.correct(
        asMinuteCounts([counted, cell(minute + 3, "b/c", 0), cell(minute + 9, "video-with-a-long-name", 7)]),
      );
      const wrong = await counts();
      expect(wrong.one.total).not.toBe(right.one.total);
      expect(wrong.unknown.total).toBe(11);
      const audit = async (repair: boolean) => (await harness.audit(repair, YOUNG, YOUNG + HOUR_MS)).outcome;
      expect(await audit(false)).toBe("differences");
      expect(await counts()).toEqual(wrong);
      expect(await audit(true)).toBe("repaired");
      expect(await counts()).toEqual(right);
      expect(await audit(true)).toBe("equal");
    } finally {
      await catalog.close();
      await harness.close();
    }
  });
}
