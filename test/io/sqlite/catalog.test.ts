// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { channelAt, FIRST_MINUTE, UNKNOWN_CHANNEL } from "../../../domain/catalog/channel-history";
import { CATALOG_FILE, SqliteCatalog } from "../../../io/sqlite/catalog";

const NOW = 1_000;

describe("the catalog of videos and channels", () => {
  let folder: string;
  let catalog: SqliteCatalog;
  const infoOf = async (videoId: string, minute = NOW) => (await catalog.videos([videoId], minute)).get(videoId);

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "viewmill-catalog-"));
    catalog = new SqliteCatalog(join(folder, CATALOG_FILE));
  });
  afterEach(async () => {
    await catalog.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("a field that a line leaves out stays, and null takes it away", async () => {
    await catalog.loadVideos(
      [{ videoId: "v", title: "One", channelId: "c", channelTitle: "Channel", publishedAtMs: 7 }],
      NOW,
    );
    expect(await infoOf("v")).toEqual({ title: "One", channelId: "c", channelTitle: "Channel", publishedAtMs: 7 });
    await catalog.loadVideos([{ videoId: "v", title: "Two" }], NOW);
    await catalog.loadChannels([{ channelId: "c", title: "Renamed" }]);
    expect(await infoOf("v")).toEqual({ title: "Two", channelId: "c", channelTitle: "Renamed", publishedAtMs: 7 });
    await catalog.loadVideos([{ videoId: "v", title: null, channelId: null, publishedAtMs: null }], NOW);
    expect(await infoOf("v", NOW)).toEqual({ channelId: "c", channelTitle: "Renamed" });
    expect(await infoOf("v", NOW + 1)).toEqual({});
    expect(await infoOf("other")).toBeUndefined();
  });

  it("a title of a channel without the channel is that of the video's channel, and is refused where it has none", async () => {
    await catalog.loadVideos(
      [{ videoId: "v", channelId: "c" }, { videoId: "w", channelId: "c" }, { videoId: "x" }],
      NOW,
    );
    await catalog.loadVideos([{ videoId: "w", channelId: "d" }], NOW);
    const titled = await catalog.loadVideos(
      [
        { videoId: "v", channelTitle: "C" },
        { videoId: "w", channelTitle: "D" },
      ],
      NOW,
    );
    expect([titled, await infoOf("v"), await infoOf("w", NOW + 1)]).toEqual([
      [],
      { channelId: "c", channelTitle: "C" },
      { channelId: "d", channelTitle: "D" },
    ]);
    await catalog.loadVideos([{ videoId: "v", channelTitle: null }], NOW);
    expect(await infoOf("v")).toEqual({ channelId: "c" });
    const lines = [
      { videoId: "x", title: "X", channelTitle: "None" },
      { videoId: "v", title: "V", channelId: null, channelTitle: "None" },
      ...Array.from({ length: 16 }, (_, n) => ({ videoId: `new${n}`, channelTitle: "None" })),
    ];
    const detail = "channelTitle: the video has no channel";
    expect(await catalog.loadVideos(lines, NOW)).toEqual(lines.map((video) => ({ video, detail })));
    expect([await infoOf("x"), await infoOf("v"), await infoOf("new0")]).toEqual([{}, { channelId: "c" }, undefined]);
    expect(await catalog.loadVideos([{ videoId: "x", title: "X", channelTitle: null }], NOW)).toEqual([]);
  });

  it("a line that a full history refuses leaves nothing behind, and the others are loaded", async () => {
    await catalog.loadVideos([{ videoId: "v", channelId: "c" }], NOW);
    await catalog.loadVideos([{ videoId: "v", channelId: "c" }], NOW + 5);
    expect(await catalog.channelHistory("v")).toEqual([{ fromMinute: FIRST_MINUTE, channelId: "c" }]);
    const many = Array.from({ length: 201 }, (_, n) => ({
      ...{ videoId: "w", title: `T${n}`, channelId: `c${n}`, channelTitle: `C${n}`, channelFromMinute: n },
    }));
    const after = { videoId: "y", channelId: "c0" };
    const refused = await catalog.loadVideos([{ videoId: "x", title: "X" }, ...many, after], NOW);
    expect(refused).toEqual([{ video: many[200], detail: "a video changes its channel at most 200 times" }]);
    expect(refused[0]!.video).toBe(many[200]);
    expect(await infoOf("x")).toEqual({ title: "X" });
    expect(await infoOf("y")).toEqual({ channelId: "c0", channelTitle: "C0" });
    expect(await infoOf("w")).toMatchObject({ title: "T199", channelId: "c199" });
    expect((await catalog.channels(["c199", "c200"])).size).toBe(1);
    await catalog.loadVideos([{ videoId: "x", channelId: "c200" }], NOW);
    expect(await infoOf("x")).toEqual({ title: "X", channelId: "c200" });
  });

  it("videos are found by the beginning of their id, and then by that of their title in any case", async () => {
    await catalog.loadVideos(
      [
        { videoId: "cat-2", title: "zebra" },
        { videoId: "cat-1", title: "Catalogue" },
        { videoId: "b", title: "CATS dance" },
        { videoId: "a", title: "Cats dance" },
        { videoId: "d", title: "the cat" },
        { videoId: "e", title: "Ｃａｔ" },
      ],
      NOW,
    );
    expect(await catalog.idsFrom("cat", "", 10)).toEqual(["cat-1", "cat-2"]);
    expect(await catalog.idsFrom("cat", "cat-1", 10)).toEqual(["cat-2"]);
    const all = await catalog.titlesFrom("cat", undefined, 10);
    expect(all.map(({ videoId }) => videoId)).toEqual(["e", "a", "b"]);
    for (let n = 0; n < 3; n++) expect(await catalog.titlesFrom("cat", all[n], 1)).toEqual(all.slice(n + 1, n + 2));
    expect(await catalog.titlesFrom("CATS", undefined, 10)).toHaveLength(2);
    await catalog.loadVideos(
      ["ΟΔΟΣ", "ΟΔΟΣ ΕΝΑ", "ΟΔΟΣΕΙΑ", "ΟΔΟΤ"].map((title, n) => ({ videoId: `g${n}`, title })),
      NOW,
    );
    for (const text of ["ΟΔΟΣ", "οδος", "οδοσ"]) {
      const found = await catalog.titlesFrom(text, undefined, 10);
      expect([text, found.map(({ videoId }) => videoId)]).toEqual([text, ["g0", "g1", "g2"]]);
      expect(await catalog.titlesFrom(text, found[0], 10)).toEqual(found.slice(1));
    }
  });

  it("the newest videos come first, ties by id, page by page; those without a time not at all", async () => {
    const times = { a: 5, b: 9, c: 5, d: null, e: 7, f: 5 };
    const lines = Object.entries(times).map(([videoId, publishedAtMs]) => ({ videoId, publishedAtMs }));
    await catalog.loadVideos([...lines, { videoId: "g", title: "G" }], NOW);
    const all = await catalog.newest(undefined, 10);
    expect(all.map(({ videoId }) => videoId)).toEqual(["b", "e", "a", "c", "f"]);
    for (let n = 0; n < 5; n++) expect(await catalog.newest(all[n], 1)).toEqual(all.slice(n + 1, n + 2));
  });

  it("loads of one transaction: all or none, found by title, channel and publication afterwards", async () => {
    const lines = (from: number) =>
      Array.from({ length: 50 }, (_, n) => ({
        videoId: `v${from + n}`,
        title: `Title ${from + n}`,
        channelId: "c",
        publishedAtMs: from + n,
      }));
    const found = async () => [
      (await catalog.titlesFrom("title", undefined, 1_000)).length,
      (await catalog.videosOf("c", "", 1_000)).length,
      (await catalog.newest(undefined, 1_000)).length,
    ];
    const other = new SqliteCatalog(catalog.file);
    await catalog.asOneLoad(async () => {
      await catalog.loadVideos(lines(0), NOW);
      await catalog.loadVideos(lines(40), NOW);
      expect((await other.videos(["v1"], NOW)).size).toBe(0);
    });
    expect((await other.videos(["v1"], NOW)).size).toBe(1);
    await other.close();
    expect(await found()).toEqual([90, 90, 90]);
    const failing = catalog.asOneLoad(async () => {
      await catalog.loadVideos([{ videoId: "w", title: "Title", channelId: "other" }], NOW);
      throw new Error("the file ends");
    });
    await expect(failing).rejects.toThrow("the file ends");
    expect(await infoOf("w")).toBeUndefined();
    expect(await found()).toEqual([90, 90, 90]);
    await catalog.loadVideos([{ videoId: "w", title: "Title", channelId: "other" }], NOW);
    expect(await infoOf("w")).toEqual({ title: "Title", channelId: "other" });
  });

  it("a load of many lines leaves what the same lines leave one by one, whichever of them were known", async () => {
    const line = fc.record(
      {
        videoId: fc.integer({ min: 0, max: 50 }).map((n) => `v${n}`),
        title: fc.option(fc.integer({ min: 0, max: 3 }).map((n) => `Title ${n}`)),
        channelId: fc.option(fc.constantFrom("one", "two")),
        channelTitle: fc.constantFrom("A", "B"),
        publishedAtMs: fc.option(fc.integer({ min: 1, max: 3 })),
        channelFromMinute: fc.integer({ min: 0, max: NOW + 5 }),
      },
      { requiredKeys: ["videoId"] },
    );
    const isLine = (one: { channelId?: unknown; channelFromMinute?: number }) =>
      one.channelFromMinute === undefined || one.channelId !== undefined;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(line.filter(isLine), { minLength: 1, maxLength: 60 }), { maxLength: 3 }),
        async (loads) => {
          const [whole, single] = [new SqliteCatalog(":memory:"), new SqliteCatalog(":memory:")];
          for (const lines of loads) {
            await whole.loadVideos(lines, NOW);
            for (const one of lines) await single.loadVideos([one], NOW);
          }
          const ids = Array.from({ length: 51 }, (_, n) => `v${n}`);
          for (const minute of [0, NOW, NOW + 3]) {
            expect(await whole.videos(ids, minute)).toEqual(await single.videos(ids, minute));
          }
          for (const id of ids) expect(await whole.channelHistory(id)).toEqual(await single.channelHistory(id));
          for (const channel of ["one", "two"]) {
            expect(await whole.channels([channel])).toEqual(await single.channels([channel]));
            expect(await whole.videosOf(channel, "", 100)).toEqual(await single.videosOf(channel, "", 100));
          }
          await whole.close();
          await single.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  it("a catalog of before is lifted: its videos are found by publication, too", async () => {
    await catalog.loadVideos([{ videoId: "v", title: "V", publishedAtMs: 7 }], NOW);
    await catalog.close();
    const before = new DatabaseSync(catalog.file);
    before.exec("DROP INDEX videos_by_publication; PRAGMA user_version = 1");
    before.close();
    catalog = new SqliteCatalog(catalog.file);
    expect(await catalog.newest(undefined, 10)).toEqual([{ publishedAtMs: 7, videoId: "v" }]);
    expect(await infoOf("v")).toEqual({ title: "V", publishedAtMs: 7 });
  });

  it("a channel has the videos that belong to it and those that did", async () => {
    await catalog.loadVideos(
      ["a", "b", "c"].map((videoId) => ({ videoId, channelId: "one" })),
      NOW,
    );
    await catalog.loadVideos([{ videoId: "b", channelId: "two" }], NOW);
    expect(await catalog.videosOf("one", "", 10)).toEqual(["a", "b", "c"]);
    expect(await catalog.videosOf("one", "a", 1)).toEqual(["b"]);
    expect(await catalog.videosOf("two", "", 10)).toEqual(["b"]);
    expect(await catalog.videosOf("none", "", 10)).toEqual([]);
  });

  it("each minute has the channel that was said of it: any lines, against a model of minutes", async () => {
    const channel = fc.constantFrom("a", "b", "c", null);
    const line = fc.record({
      video: fc.constantFrom("v", "w"),
      channelId: channel,
      from: fc.option(fc.integer({ min: 0, max: 30 }), { nil: undefined }),
      now: fc.integer({ min: 0, max: 30 }),
    });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 12 }), async (lines) => {
        const name = (video: string) => `${video}-${run}`;
        run++;
        const model = new ModelOfMinutes();
        for (const { video, channelId, from, now } of lines) {
          const since = from === undefined || channelId === undefined ? {} : { channelFromMinute: from };
          await catalog.loadVideos([{ videoId: name(video), channelId, ...since }], now);
          model.say(name(video), channelId ?? UNKNOWN_CHANNEL, from, now);
        }
        for (const video of ["v", "w"]) {
          const history = await catalog.channelHistory(name(video));
          for (let minute = 0; minute <= 32; minute++)
            expect(channelAt(history, minute)).toBe(model.channel(name(video), minute));
        }
      }),
      { numRuns: 50 },
    );
  });
});

/** The statements for each minute. The newest statement for the latest minute at or before a minute counts. */
class ModelOfMinutes {
  private readonly said = new Map<string, Map<number, string>>();

  say(video: string, channel: string, from: number | undefined, now: number): void {
    const known = this.said.get(video);
    if (from !== undefined) this.put(video, from, channel);
    else if (known === undefined) {
      if (channel !== UNKNOWN_CHANNEL) this.put(video, FIRST_MINUTE, channel);
    } else if (this.channel(video, now + 1) !== channel) this.put(video, now + 1, channel);
  }

  channel(video: string, minute: number): string {
    const said = this.said.get(video);
    for (let before = minute; before >= 0; before--) {
      const channel = said?.get(before);
      if (channel !== undefined) return channel;
    }
    return UNKNOWN_CHANNEL;
  }

  private put(video: string, minute: number, channel: string): void {
    const said = this.said.get(video) ?? new Map<number, string>();
    said.set(minute, channel);
    this.said.set(video, said);
  }
}
