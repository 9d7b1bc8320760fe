// SPDX-License-Identifier: Apache-2.0
import {
  isChannelId,
  MAX_TITLE_CHARACTERS,
  readCatalogChannel,
  readCatalogVideo,
} from "../../../domain/catalog/catalog-line";

const END_OF_9999 = Date.parse("9999-12-31T23:59:59.999Z");

test.each<[string, Record<string, unknown>, Record<string, unknown>]>([
  ["the id alone", {}, {}],
  ["titles", { title: "One", channelTitle: "Two" }, { title: "One", channelTitle: "Two" }],
  ["titles that go", { title: null, channelTitle: null }, { title: null, channelTitle: null }],
  ["the longest title", { title: "t".repeat(500) }, { title: "t".repeat(500) }],
  ["a channel", { channelId: "c:1/x" }, { channelId: "c:1/x" }],
  ["a channel that goes", { channelId: null }, { channelId: null }],
  ["a time of text", { publishedAt: "2026-11-21T10:00:00Z" }, { publishedAtMs: Date.parse("2026-11-21T10:00:00Z") }],
  ["a time of milliseconds", { publishedAt: 0 }, { publishedAtMs: 0 }],
  ["the last time", { publishedAt: END_OF_9999 }, { publishedAtMs: END_OF_9999 }],
  ["no time", { publishedAt: null }, { publishedAtMs: null }],
  ["fields that are not known", { views: 5 }, {}],
  ["a channel since a time", { channelId: "c", channelSince: 60_000 }, { channelId: "c", channelFromMinute: 1 }],
  // The minute that the time is in belongs to the channel before.
  [
    "a channel since the middle of a minute",
    { channelId: "c", channelSince: 60_001 },
    { channelId: "c", channelFromMinute: 2 },
  ],
  ["no channel since a time", { channelId: null, channelSince: 0 }, { channelId: null, channelFromMinute: 0 }],
])("a line of a video may hold %s", (_what, fields, read) => {
  expect(readCatalogVideo({ videoId: "v", ...fields })).toStrictEqual({ ok: true, entry: { videoId: "v", ...read } });
});

test.each<[string, unknown, RegExp]>([
  ["text", "v", /^an object is wanted$/],
  ["null", null, /^an object is wanted$/],
  ["an array", [], /^an object is wanted$/],
  ["no id", { title: "t" }, /^videoId: 1 to 128/],
  ["a number as id", { videoId: 5 }, /^videoId: 1 to 128/],
  ["an id with a space", { videoId: "a b" }, /^videoId: 1 to 128/],
  ["an empty title", { videoId: "v", title: "" }, new RegExp(`^title: 1 to ${MAX_TITLE_CHARACTERS} characters`)],
  ["a title of 501", { videoId: "v", title: "t".repeat(501) }, /^title: 1 to 500 characters/],
  ["a title with a line end", { videoId: "v", title: "a\nb" }, /^title: .* without control characters, or null$/],
  ["a title with half a character", { videoId: "v", title: "\ud800" }, /^title: /],
  ["a list as title", { videoId: "v", title: ["t"] }, /^title: /],
  ["a number as title", { videoId: "v", title: 5 }, /^title: /],
  ["an empty title of the channel", { videoId: "v", channelTitle: "" }, /^channelTitle: 1 to 500 characters/],
  ["a channel with a space", { videoId: "v", channelId: "a b" }, /^channelId: 1 to 128 .*, or null$/],
  ["a number as channel", { videoId: "v", channelId: 5 }, /^channelId: 1 to 128 .*, or null$/],
  [
    "the channel of videos without one",
    { videoId: "v", channelId: "unknown" },
    /^channelId: "unknown" stands for videos/,
  ],
  [
    "a day as time",
    { videoId: "v", publishedAt: "2026-11-21" },
    /^publishedAt: RFC 3339 or epoch milliseconds, since 1970, or null$/,
  ],
  ["a time before 1970", { videoId: "v", publishedAt: -1 }, /^publishedAt: /],
  ["a broken time", { videoId: "v", publishedAt: 0.5 }, /^publishedAt: /],
  ["a time beyond 9999", { videoId: "v", publishedAt: END_OF_9999 + 1 }, /^publishedAt: /],
  ["a boolean as time", { videoId: "v", publishedAt: true }, /^publishedAt: /],
  ["a channel since no time", { videoId: "v", channelId: "c", channelSince: "x" }, /^channelSince: RFC 3339 or epoch/],
  ["a channel since null", { videoId: "v", channelId: "c", channelSince: null }, /^channelSince: RFC 3339 or epoch/],
  ["a since without a channel", { videoId: "v", channelSince: 0 }, /^channelSince: of use with channelId only$/],
])("a line of a video with %s is refused, and says why", (_what, fields, detail) => {
  expect(readCatalogVideo(fields)).toMatchObject({ ok: false, detail: expect.stringMatching(detail) });
});

test("a line of a channel has its id, and a title that may go", () => {
  expect(readCatalogChannel({ channelId: "c" })).toStrictEqual({ ok: true, entry: { channelId: "c" } });
  expect(readCatalogChannel({ channelId: "c", title: "T", views: 5 })).toEqual({
    ok: true,
    entry: { channelId: "c", title: "T" },
  });
  expect(readCatalogChannel({ channelId: "c", title: null })).toEqual({
    ok: true,
    entry: { channelId: "c", title: null },
  });
});

test.each<[unknown, RegExp]>([
  [5, /^an object is wanted$/],
  [{}, /^channelId: 1 to 128/],
  [{ channelId: null }, /^channelId: 1 to 128 of A-Z a-z 0-9 _ - \. : \/$/],
  [{ channelId: "a b" }, /^channelId: 1 to 128/],
  [{ channelId: "unknown" }, /stands for videos without a known channel$/],
  [{ channelId: "c", title: "" }, /^title: /],
])("%j is no line of a channel", (line, detail) => {
  expect(readCatalogChannel(line)).toMatchObject({ ok: false, detail: expect.stringMatching(detail) });
});

test("channels are named as videos are", () => {
  expect(isChannelId("UC_x-1.2:3/4")).toBe(true);
  expect(isChannelId("a b")).toBe(false);
});
