// SPDX-License-Identifier: Apache-2.0
/** The channel "unknown" and the history of channels, over each counter store. */
import fc from "fast-check";
import { HOUR, iso, MINUTE, type QueryHarness } from "./query-harness";

/** Twelve hours around a midnight. */
const T = Date.parse("2026-11-20T20:00:00Z");
const MINUTES = 12 * 60;

interface ChannelsUnderTest {
  /** Starts the API over an empty store. */
  start(): Promise<QueryHarness>;
  numRuns: number;
}

export function channelsContract(storeName: string, { start, numRuns }: ChannelsUnderTest): void {
  describe(`channels over ${storeName}`, () => {
    let harness: QueryHarness;
    beforeEach(async () => {
      harness = await start();
    });
    afterEach(() => harness.stop());

    const counts = async (channel: string, from: number, to: number, granularity: string) => {
      const range = `start=${iso(T + from * MINUTE)}&end=${iso(T + to * MINUTE)}&granularity=${granularity}`;
      return (await harness.get(`/v1/channels/${channel}/counts?${range}`).expect(200)).body;
    };

    it("events of videos that nobody knows count under unknown, until the catalog knows their channel", async () => {
      const total = async (channel: string) =>
        (await harness.get(`/v1/channels/${channel}`).expect(200)).body.totals.VIEW?.count ?? 0;
      const range = `start=${iso(T)}&end=${iso(T + 2 * HOUR)}`;
      await harness.count("a", T, 3);
      await harness.count("b", T + HOUR, 4);
      await harness.count("viewmill.canary:1", T, 50);
      await harness.put("/v1/catalog/videos", [{ videoId: "b", title: "B" }]);
      expect(await total("unknown")).toBe(7);
      const top = (await harness.get(`/v1/channels/unknown/top?${range}`).expect(200)).body;
      expect(top.videos).toEqual([
        { videoId: "b", title: "B", count: 4 },
        { videoId: "a", count: 3 },
      ]);
      harness.nowMs += 2_000;
      await harness.put("/v1/catalog/videos", [{ videoId: "a", channelId: "one" }]);
      expect(await total("unknown")).toBe(4);
      expect(await total("one")).toBe(3);
      await harness.put("/v1/catalog/videos", [{ videoId: "b", channelId: "one", channelSince: T + 2 * HOUR }]);
      await harness.count("b", T + 3 * HOUR, 10);
      harness.nowMs += 2_000;
      expect([await total("unknown"), await total("one")]).toEqual([4, 13]);
      await harness.put("/v1/catalog/videos", [{ videoId: "a", channelId: null, channelSince: 0 }]);
      await harness.count("c", T, 1);
      harness.nowMs += 2_000;
      expect([await total("unknown"), await total("one")]).toEqual([8, 10]);
      const counts = (await harness.get(`/v1/channels/unknown/counts?${range}&granularity=hour`).expect(200)).body;
      expect(counts.buckets.map(({ count }: { count: number }) => count)).toEqual([4, 4]);
    });

    it("each minute counts for the channel that the video had then", { timeout: 180_000 }, async () => {
      const cells = fc.array(fc.tuple(fc.constantFrom("a", "b"), fc.nat(MINUTES - 1), fc.integer({ min: 1, max: 9 })), {
        maxLength: 12,
      });
      const changes = fc.array(
        fc.tuple(fc.constantFrom("a", "b"), fc.nat(MINUTES - 1), fc.constantFrom("one", "two", null)),
        { maxLength: 5 },
      );
      let run = 0;
      const ofUnknown: [minute: number, count: number][] = [];
      const byStart = (own: readonly (readonly [minute: number, count: number])[], minutes: number) => {
        const wanted = new Map<string, number>();
        for (const [minute, count] of own) {
          const atMs = Math.floor((T / MINUTE + minute) / minutes) * minutes * MINUTE;
          wanted.set(iso(atMs), (wanted.get(iso(atMs)) ?? 0) + count);
        }
        return wanted;
      };
      const expectCells = async (channel: string, own: readonly (readonly [minute: number, count: number])[]) => {
        for (const [granularity, minutes] of [
          ["minute", 1],
          ["hour", 60],
          ["day", 1440],
        ] as const) {
          const body = await counts(channel, 0, MINUTES, granularity);
          const got = body.buckets.filter(({ count }: { count: number }) => count > 0);
          expect(new Map(got.map(({ start, count }: { start: string; count: number }) => [start, count]))).toEqual(
            byStart(own, minutes),
          );
        }
        const { totals } = (await harness.get(`/v1/channels/${channel}`).expect(200)).body;
        expect(totals.VIEW?.count ?? 0).toBe(own.reduce((sum, [, count]) => sum + count, 0));
      };
      await fc.assert(
        fc.asyncProperty(cells, changes, async (counted, said) => {
          run++;
          const name = (id: string) => `${id}-${run}`;
          const byMinute = new Map(counted.map((one) => [`${one[0]} ${one[1]}`, one]));
          for (const [video, minute, count] of byMinute.values())
            await harness.count(name(video), T + minute * MINUTE, count);
          const ownOf = (all: Iterable<[string, number, number]>) =>
            Array.from(all, ([, minute, count]) => [minute, count] as [number, number]);
          // An answer is shared for a second.
          harness.nowMs += 2_000;
          await expectCells("unknown", [...ofUnknown, ...ownOf(byMinute.values())]);
          const lines = said.map(([video, minute, channel]) => ({
            videoId: name(video),
            channelId: channel === null ? null : name(channel),
            channelSince: T + minute * MINUTE,
          }));
          if (lines.length > 0) await harness.put("/v1/catalog/videos", lines).expect(200);
          const channelAt = (video: string, minute: number) => {
            let latest = [-1, null] as [number, string | null];
            for (const [its, from, channel] of said)
              if (its === video && from <= minute && from >= latest[0]) latest = [from, channel];
            return latest[1];
          };
          const ownOfChannel = (channel: string | null) =>
            ownOf([...byMinute.values()].filter(([video, minute]) => channelAt(video, minute) === channel));
          for (const channel of ["one", "two"]) await expectCells(name(channel), ownOfChannel(channel));
          ofUnknown.push(...ownOfChannel(null));
          harness.nowMs += 2_000;
          await expectCells("unknown", ofUnknown);
        }),
        { numRuns },
      );
    });
  });
}
