// SPDX-License-Identifier: Apache-2.0
import request from "supertest";
import { catalogLoadedSchema, searchSchema, topSchema, trendingSchema, videoSchema } from "../../query-api/schemas";
import { emptiedStores } from "../io/sqlite/emptied-stores";
import { DAY, HOUR, iso, NOW_MS, QueryHarness } from "./query-harness";

describe("titles and channels of videos", () => {
  let harness: QueryHarness;
  const stores = emptiedStores();
  beforeEach(async () => {
    harness = await QueryHarness.start(undefined, (await stores()).log);
  });
  afterEach(() => harness.stop());

  it("what is loaded stands in the answers, line by line", async () => {
    const { body } = await harness
      .put("/v1/catalog/videos", [
        { videoId: "v", title: "One", channelId: "c", channelTitle: "Channel", publishedAt: "2026-11-20T10:00:00Z" },
        "{",
        { videoId: "no video" },
        "",
        { videoId: "w", title: "Two", more: "fields" },
        { videoId: "x", channelId: "unknown" },
        { videoId: "y", channelSince: 0 },
      ])
      .expect(200);
    expect(catalogLoadedSchema.parse(body).loaded).toBe(2);
    expect(body.rejected.map(({ line }: { line: number }) => line)).toEqual([2, 3, 6, 7]);
    await harness.put("/v1/catalog/channels", [{ channelId: "c", title: "Renamed" }]).expect(200);
    await harness.count("v", NOW_MS - HOUR, 3);
    const video = (await harness.get("/v1/videos/v").expect(200)).body;
    expect(videoSchema.parse(video)).toMatchObject({
      title: "One",
      channelId: "c",
      channelTitle: "Renamed",
      publishedAt: "2026-11-20T10:00:00.000Z",
    });
    const top = (await harness.get("/v1/top").expect(200)).body;
    expect(topSchema.parse(top).videos).toEqual([{ videoId: "v", title: "One", count: 3 }]);
    expect((await harness.get("/v1/videos/other").expect(200)).body).not.toHaveProperty("title");
  });

  it("a line that a full history refuses is named, and takes no other line down", async () => {
    const changes = Array.from({ length: 202 }, (_, n) => ({
      ...{ videoId: "v", channelId: `c${n}`, channelSince: n * 60_000 },
    }));
    const lines = [{ videoId: "a", title: "A" }, ...changes, { videoId: "no video" }, { videoId: "b", title: "B" }];
    const { body } = await harness.put("/v1/catalog/videos", lines).expect(200);
    expect(catalogLoadedSchema.parse(body).loaded).toBe(202);
    expect(body.rejected.map(({ line }: { line: number }) => line)).toEqual([202, 203, 204]);
    expect((await harness.get("/v1/videos/b")).body.title).toBe("B");
    expect((await harness.get("/v1/videos/v")).body.channelId).toBe("c199");
  });

  it("of many refused lines the first thousand are named, and the others counted", async () => {
    const lines = Array.from({ length: 2_500 }, (_, n) => ({ videoId: n % 2 === 0 ? "no video" : `v${n}` }));
    const { body } = await harness.put("/v1/catalog/videos", lines).expect(200);
    const { loaded, rejected, unnamed } = catalogLoadedSchema.parse(body);
    expect({ loaded, named: rejected.length, last: rejected.at(-1)!.line, unnamed }).toEqual({
      ...{ loaded: 1_250, named: 1_000, last: 1_999, unnamed: 250 },
    });
  });

  it("lines that are not UTF-8 are refused alone, and a body of another charset whole", async () => {
    const body = Buffer.from('{"videoId":"v","title":"\xe9"}\n{"videoId":"w","title":"\xc3\xa9"}', "latin1");
    const put = (type: string, bytes: Buffer) =>
      request(harness.app)
        .put("/v1/catalog/videos")
        .set("Content-Type", type)
        .serialize(() => bytes as unknown as string)
        .send(bytes);
    for (const type of ["application/x-ndjson", 'Application/X-NDJSON; charset="UTF-8"']) {
      const answer = await put(type, body).expect(200);
      expect(answer.body).toEqual({ loaded: 1, rejected: [{ line: 1, detail: "the line is not UTF-8" }] });
    }
    expect((await harness.get("/v1/videos/w")).body.title).toBe("é");
    expect((await harness.get("/v1/videos/v")).body).not.toHaveProperty("title");
    await put("application/x-ndjson; charset=latin1", body).expect(415);
  });

  it("the newest videos come first, page by page, with what was counted for them", async () => {
    await harness.put("/v1/catalog/videos", [
      { videoId: "old", title: "Old", publishedAt: "2026-11-18T00:00:00Z" },
      { videoId: "new", title: "New", publishedAt: "2026-11-20T00:00:00Z" },
      { videoId: "mid", publishedAt: "2026-11-19T00:00:00Z" },
      { videoId: "none", title: "Of no time" },
    ]);
    await harness.count("new", NOW_MS - HOUR, 3);
    const first = (await harness.get("/v1/videos?order=newest&limit=2").expect(200)).body;
    expect(searchSchema.parse(first).videos).toMatchObject([
      { videoId: "new", title: "New", publishedAt: "2026-11-20T00:00:00.000Z", totals: { VIEW: { count: 3 } } },
      { videoId: "mid", totals: {} },
    ]);
    const second = (await harness.get(`/v1/videos?order=newest&limit=2&cursor=${first.cursor}`).expect(200)).body;
    expect(second.videos.map(({ videoId }: { videoId: string }) => videoId)).toEqual(["old"]);
    expect(second).not.toHaveProperty("cursor");
    await harness.get("/v1/videos").expect(400);
    await harness.get("/v1/videos?order=newest&search=n").expect(400);
    await harness.get("/v1/videos?order=newest&cursor=WyJhIl0").expect(400);
  });

  it("a body of another type, too large a one and another method are refused", async () => {
    await request(harness.app).put("/v1/catalog/videos").send({ videoId: "v" }).expect(415);
    await request(harness.app)
      .put("/v1/catalog/videos")
      .type("application/x-ndjson")
      .send("x".repeat((8 << 20) + 1))
      .expect(413);
    await request(harness.app).get("/v1/catalog/videos").expect(405).expect("Allow", "PUT");
  });

  it("the longest search goes on behind the longest title", async () => {
    const title = "\u{1F600}".repeat(128);
    await harness.put(
      "/v1/catalog/videos",
      ["a", "b"].map((id) => ({ videoId: id.repeat(128), title })),
    );
    const url = `/v1/videos?limit=1&search=${encodeURIComponent("\u{1F600}".repeat(64))}`;
    const { body } = await harness.get(url).expect(200);
    expect((await harness.get(`${url}&cursor=${body.cursor}`).expect(200)).body.videos).toMatchObject([
      { videoId: "b".repeat(128) },
    ]);
  });

  it("a search finds counted and known videos, page by page", async () => {
    await harness.count("cat-counted", NOW_MS - HOUR, 5);
    await harness.count("cat-known", NOW_MS - HOUR, 2);
    await harness.count("dog", NOW_MS - HOUR, 1);
    await harness.put("/v1/catalog/videos", [
      { videoId: "cat-known", title: "Known" },
      { videoId: "cat-new", title: "New" },
      { videoId: "dog", title: "Cat and dog" },
      { videoId: "d2", title: "CAT 2" },
    ]);
    const all = (await harness.get("/v1/videos?search=cat").expect(200)).body;
    expect(searchSchema.parse(all).cursor).toBeUndefined();
    const ids = ["cat-counted", "cat-known", "cat-new", "d2", "dog"];
    expect(all.videos.map(({ videoId }: { videoId: string }) => videoId)).toEqual(ids);
    expect(all.videos[0].totals.VIEW.count).toBe(5);
    expect(all.videos[2]).toEqual({ videoId: "cat-new", title: "New", totals: {} });
    for (const limit of [1, 2, 3, 4, 5]) {
      const paged: string[] = [];
      let cursor: string | undefined = "";
      for (let pages = 0; cursor !== undefined; pages++) {
        expect(pages).toBeLessThan(6);
        const next: string = cursor === "" ? "" : `&cursor=${cursor}`;
        const { body } = await harness.get(`/v1/videos?search=cat&limit=${limit}${next}`).expect(200);
        paged.push(...body.videos.map(({ videoId }: { videoId: string }) => videoId));
        cursor = body.cursor;
      }
      expect(paged).toEqual(ids);
    }
    await harness.get("/v1/videos").expect(400);
    const { cursor } = (await harness.get("/v1/videos?search=cat&limit=1").expect(200)).body;
    await harness.get(`/v1/videos?search=ca&limit=1&cursor=${cursor}`).expect(400);
    await harness.get("/v1/videos?search=c&cursor=!!").expect(400);
    await harness.get(`/v1/videos?search=c&cursor=${Buffer.from("[1]").toString("base64url")}`).expect(400);
  });

  it("a video's new channel shows from the next minute on", async () => {
    await harness.put("/v1/catalog/videos", [{ videoId: "v", channelId: "a" }]);
    await harness.put("/v1/catalog/videos", [{ videoId: "v", channelId: "b" }]);
    expect((await harness.get("/v1/videos/v")).body.channelId).toBe("a");
    harness.nowMs += 60_000;
    expect((await harness.get("/v1/videos/v")).body.channelId).toBe("b");
    await harness.put("/v1/catalog/videos", [{ videoId: "w", channelId: "b", channelSince: iso(NOW_MS + HOUR) }]);
    expect((await harness.get("/v1/videos/w")).body).not.toHaveProperty("channelId");
  });

  it("trending: by growth against as long a period before", async () => {
    await harness.count("steady", NOW_MS - 3 * HOUR, 50);
    await harness.count("steady", NOW_MS - HOUR, 51);
    await harness.count("new", NOW_MS - HOUR, 9);
    await harness.count("fallen", NOW_MS - 3 * HOUR, 9);
    await harness.put("/v1/catalog/videos", [{ videoId: "new", title: "New" }]);
    const end = Math.floor(NOW_MS / HOUR) * HOUR;
    const { body } = await harness.get(`/v1/trending?start=${iso(end - 2 * HOUR)}&end=${iso(end)}`).expect(200);
    expect(trendingSchema.parse(body).videos).toEqual([
      { videoId: "new", title: "New", count: 9, previous: 0, growth: 9 },
      { videoId: "steady", count: 51, previous: 50, growth: 1 },
    ]);
  });

  it("a ranking by growth is kept as long as the less certain of its two periods allows", async () => {
    const end = Math.floor((NOW_MS - 40 * DAY) / HOUR) * HOUR;
    await harness.count("v", end - 1, 2);
    const kept = async (path: string) =>
      (await harness.get(`${path}?start=${iso(end - HOUR)}&end=${iso(end)}`).expect(200)).headers["cache-control"];
    await harness.audit(end - HOUR, end);
    expect([await kept("/v1/top"), await kept("/v1/trending")]).toEqual([
      "public, max-age=86400",
      "public, max-age=60, must-revalidate",
    ]);
    harness.nowMs += 2_000;
    await harness.audit(end - 2 * HOUR, end - HOUR);
    expect(await kept("/v1/trending")).toBe("public, max-age=86400");
  });

  it("closed answers of a channel are asked for again, because the catalog may change them", async () => {
    const end = Math.floor((NOW_MS - 40 * DAY) / HOUR) * HOUR;
    await harness.count("v", end - 1, 2);
    await harness.audit(end - 2 * HOUR, end);
    const range = `start=${iso(end - HOUR)}&end=${iso(end)}`;
    const paths = ["/v1/channels/c/counts?", "/v1/channels/c/stats?function=SUM&", "/v1/channels/c/top?"];
    for (const path of [...paths, "/v1/top?channelId=c&", "/v1/trending?channelId=c&"]) {
      const { headers } = await harness.get(path + range).expect(200);
      expect([path, headers["cache-control"]]).toEqual([path, "public, max-age=60, must-revalidate"]);
    }
  });

  it("a clock that is put back keeps no ranking longer", async () => {
    const top = async () => (await harness.get("/v1/top?start=2026-11-20T00:00:00Z&end=2026-11-22T00:00:00Z")).body;
    await harness.count("v", NOW_MS, 2);
    expect((await top()).videos).toMatchObject([{ count: 2 }]);
    await harness.count("v", NOW_MS, 3);
    harness.nowMs -= HOUR;
    harness.aheadMs = HOUR + 1_000;
    expect((await top()).videos).toMatchObject([{ count: 3 }]);
  });
});
