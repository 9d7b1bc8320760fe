// SPDX-License-Identifier: Apache-2.0

import {
  channelCountsSchema,
  channelSchema,
  channelStatsSchema,
  channelTopSchema,
} from "../../query-api/channel-schemas";
import { queryAnswerSchema } from "../../query-api/schemas";
import { emptiedStores } from "../io/sqlite/emptied-stores";
import { channelsContract } from "./channels-contract";
import { HOUR, iso, MINUTE, NOW_MS, QueryHarness } from "./query-harness";

const T = Date.parse("2026-11-20T20:00:00Z");

channelsContract("SQLite", { start: () => QueryHarness.start(), numRuns: 15 });

describe("channels", () => {
  let harness: QueryHarness;
  const stores = emptiedStores();
  beforeEach(async () => {
    harness = await QueryHarness.start(undefined, (await stores()).log);
  });
  afterEach(() => harness.stop());

  const counts = async (channel: string, from: number, to: number, granularity: string) => {
    const range = `start=${iso(T + from * MINUTE)}&end=${iso(T + to * MINUTE)}&granularity=${granularity}`;
    return (await harness.get(`/v1/channels/${channel}/counts?${range}`).expect(200)).body;
  };

  it("a channel is the sum of its videos, at once for what was counted before the catalog knew them", async () => {
    await harness.count("a", T, 3, 30n);
    await harness.count("b", T + HOUR, 4, 4n);
    await harness.count("c", T, 5);
    const lines = ["a", "b"].map((videoId) => ({ videoId, title: videoId.toUpperCase(), channelId: "one" }));
    await harness.put("/v1/catalog/videos", [...lines, { videoId: "c", title: "C", channelId: "two" }]);
    await harness.put("/v1/catalog/channels", [{ channelId: "one", title: "The one" }]);
    const one = (await harness.get("/v1/channels/one").expect(200)).body;
    expect(channelSchema.parse(one)).toMatchObject({
      title: "The one",
      totals: { VIEW: { count: 7, sum: 34, lastEventAt: iso(T + HOUR) } },
    });
    expect((await harness.get("/v1/channels/none").expect(200)).body.totals).toEqual({});
    const hours = await counts("one", 0, 120, "hour");
    expect(channelCountsSchema.parse(hours).buckets.map(({ count }) => count)).toEqual([3, 4]);
    const range = `start=${iso(T)}&end=${iso(T + 2 * HOUR)}`;
    const stats = (await harness.get(`/v1/channels/one/stats?function=AVERAGE&${range}`).expect(200)).body;
    expect(channelStatsSchema.parse(stats).value).toBe(34 / 7);
    const top = (await harness.get(`/v1/channels/one/top?${range}`).expect(200)).body;
    expect(channelTopSchema.parse(top).videos).toEqual([
      { videoId: "b", title: "B", count: 4 },
      { videoId: "a", title: "A", count: 3 },
    ]);
    const asked = { videoIds: ["c"], channelIds: ["one"], eventTypes: ["VIEW"], granularity: "hour" };
    const query = (await harness.query({ ...asked, start: iso(T), end: iso(T + 2 * HOUR) }).expect(200)).body;
    expect(queryAnswerSchema.parse(query).series).toMatchObject([
      { videoId: "c", title: "C", values: { COUNT: 5 } },
      { channelId: "one", title: "The one", values: { COUNT: 7 }, buckets: [{ COUNT: 3 }, { COUNT: 4 }] },
    ]);
  });

  it("top and trending of a channel hold its videos only, each while it belonged to it", async () => {
    const since = (videoId: string, channelId: string, timeMs: number) => ({
      videoId,
      channelId,
      channelSince: timeMs,
    });
    await harness.put("/v1/catalog/videos", [
      since("a", "one", 0),
      since("b", "one", 0),
      since("b", "two", T + HOUR + 30 * MINUTE),
      since("c", "two", 0),
    ]);
    await harness.count("a", T, 5);
    await harness.count("a", T + HOUR, 6);
    await harness.count("b", T, 1);
    await harness.count("b", T + HOUR, 4);
    await harness.count("b", T + HOUR + 40 * MINUTE, 100);
    await harness.count("c", T + HOUR, 50);
    const asked = `channelId=one&start=${iso(T + HOUR)}&end=${iso(T + 2 * HOUR)}`;
    const top = (await harness.get(`/v1/top?${asked}`).expect(200)).body;
    expect(top.videos).toEqual([
      { videoId: "a", count: 6 },
      { videoId: "b", count: 4 },
    ]);
    const trending = (await harness.get(`/v1/trending?${asked}`).expect(200)).body;
    expect(trending.videos).toEqual([
      { videoId: "b", count: 4, previous: 1, growth: 3 },
      { videoId: "a", count: 6, previous: 5, growth: 1 },
    ]);
    await harness.get("/v1/trending?channelId=no%20id").expect(400);
  });

  it("what is not added up is refused", async () => {
    await harness.get("/v1/channels/no%20id").expect(400);
    await harness.query({ eventTypes: ["VIEW"] }).expect(400);
    const other = await QueryHarness.start(({ reader }) => ({
      counters: {
        totals: (videoId) => reader.totals(videoId),
        read: (...asked) => reader.read(...asked),
        top: (...asked) => reader.top(...asked),
        rising: (...asked) => reader.rising(...asked),
      },
    }));
    await other.get("/v1/channels/unknown").expect(404);
    await other.get("/v1/top?channelId=unknown").expect(404);
    await other.query({ channelIds: ["unknown"], eventTypes: ["VIEW"] }).expect(404);
    await other.stop();
  });

  it("the API's clock says from when a channel without a time holds", async () => {
    await harness.put("/v1/catalog/videos", [{ videoId: "v", channelId: "a" }]);
    await harness.put("/v1/catalog/videos", [{ videoId: "v", channelId: "b" }]);
    const minute = Math.floor(NOW_MS / MINUTE) * MINUTE;
    await harness.count("v", minute, 2);
    await harness.count("v", minute + MINUTE, 3);
    expect((await harness.get("/v1/channels/a")).body.totals.VIEW.count).toBe(2);
    expect((await harness.get("/v1/channels/b")).body.totals.VIEW.count).toBe(3);
  });
});
