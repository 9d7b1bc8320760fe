// SPDX-License-Identifier: Apache-2.0

import { join } from "node:path";
import fc from "fast-check";
import type { LogProgress } from "../../io/ports";
import { CATALOG_FILE, SqliteCatalog } from "../../io/sqlite/catalog";
import { sharedFreshness } from "../../query-api";
import type { Answer } from "../../query-api/answer";
import { KeptTotals } from "../../query-api/kept-totals";
import { emptiedStores } from "../io/sqlite/emptied-stores";
import { HOUR, NOW_MS, QueryHarness } from "./query-harness";

let harness: QueryHarness;
let reads: number;
const stores = emptiedStores();
beforeEach(async () => {
  harness = await QueryHarness.start(undefined, (await stores()).log);
  reads = 0;
});
afterEach(() => harness.stop());

/** The reader's counters, without a version. */
function countedReads() {
  const { reader } = harness;
  return {
    totals: (videoId: string) => {
      reads++;
      return reader.totals(videoId);
    },
    read: reader.read.bind(reader),
    top: reader.top.bind(reader),
    rising: reader.rising.bind(reader),
  };
}

function keptTotals(versionsKeptMs: number, tick = () => 0, progress: LogProgress = harness.progress): KeptTotals {
  const { reader, catalog } = harness;
  const counters = { ...countedReads(), version: () => reader.version() };
  return new KeptTotals({ counters, catalog, progress, clock: () => harness.nowMs, versionsKeptMs }, tick);
}

function bodyOf(answer: Answer) {
  if (answer.kind !== "content") throw new Error(`no content: ${answer.kind}`);
  return JSON.parse(answer.body) as { asOf: string; completeThrough: string; totals: object; title?: string };
}

/** The catalog as another process has it open. */
const elsewhere = () => new SqliteCatalog(join(harness.folder, CATALOG_FILE));

type Step =
  | { kind: "count"; video: string; count: number }
  | { kind: "load"; video: string; title: string; by: "own" | "other" }
  | { kind: "pass"; ms: number }
  | { kind: "ask"; video: string };

const video = fc.constantFrom("a", "b", "c");
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("count" as const), video, count: fc.integer({ min: 1 }) }) },
  fc.record({
    kind: fc.constant("load" as const),
    video,
    title: fc.string({ minLength: 1, maxLength: 3 }),
    by: fc.constantFrom("own" as const, "other" as const),
  }),
  fc.record({ kind: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 90_000 }) }),
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("ask" as const), video }) },
);

test("kept totals are what a reading of the stores finds, whoever changed them", async () => {
  const other = elsewhere();
  let minute = Math.floor(NOW_MS / 60_000) - 100_000;
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const kept = keptTotals(0);
        for (const one of steps) {
          if (one.kind === "count") await harness.count(one.video, ++minute * 60_000, one.count);
          else if (one.kind === "pass") harness.nowMs += one.ms;
          else if (one.kind === "load") {
            const catalog = one.by === "own" ? harness.catalog : other;
            await catalog.loadVideos([{ videoId: one.video, title: one.title }], Math.floor(harness.nowMs / 60_000));
          } else {
            expect(bodyOf(await kept.answer(one.video))).toEqual(bodyOf(await keptTotals(0).answer(one.video)));
          }
        }
      }),
      { numRuns: 60 },
    );
  } finally {
    await other.close();
  }
});

test("a video is read once while nothing changes, unknown videos too", async () => {
  const kept = keptTotals(0);
  await harness.count("v", NOW_MS - HOUR, 3);
  const first = await kept.answer("v");
  harness.nowMs += 5;
  const second = await kept.answer("v");
  expect(second).toEqual({ ...first, ...(await kept.answer("v")) });
  expect(second).toMatchObject({ etag: (first as { etag: string }).etag });
  await kept.answer("nobody");
  await kept.answer("nobody");
  expect(reads).toBe(2);
  await harness.count("w", NOW_MS - HOUR, 1);
  await kept.answer("v");
  expect(reads).toBe(3);
});

test("the catalog is asked once for a video while it stays, whatever is counted", async () => {
  const { reader, progress } = harness;
  let asked = 0;
  const catalog = Object.create(harness.catalog, {
    videos: {
      value: (...videos: Parameters<SqliteCatalog["videos"]>) => {
        asked++;
        return harness.catalog.videos(...videos);
      },
    },
    version: { value: () => harness.catalog.version() },
  }) as SqliteCatalog;
  const counters = { ...countedReads(), version: () => reader.version() };
  const kept = new KeptTotals({ counters, catalog, progress, clock: () => harness.nowMs, versionsKeptMs: 0 });
  await harness.catalog.loadVideos([{ videoId: "v", title: "one" }], Math.floor(NOW_MS / 60_000));
  for (let count = 1; count < 4; count++) {
    await harness.count("v", NOW_MS - HOUR, count);
    const { title, totals } = bodyOf(await kept.answer("v"));
    expect({ title, totals }).toMatchObject({ title: "one", totals: { VIEW: { count } } });
  }
  expect([reads, asked]).toEqual([3, 1]);
  harness.nowMs += 60_000;
  await kept.answer("v");
  expect(asked).toBe(2);
});

test("counts that are read beside a kept title state the time of the look at the catalog", async () => {
  let tickMs = 0;
  const kept = keptTotals(
    20,
    () => tickMs,
    sharedFreshness(harness.progress, 20, () => 0),
  );
  const load = (title: string) => harness.catalog.loadVideos([{ videoId: "v", title }], Math.floor(NOW_MS / 60_000));
  await load("one");
  await kept.answer("v");
  await harness.count("v", NOW_MS - HOUR, 3);
  tickMs = 20;
  const look = bodyOf(await kept.answer("another"));
  await load("two");
  tickMs = 25;
  harness.nowMs += 5;
  expect(bodyOf(await kept.answer("v"))).toMatchObject({
    title: "one",
    asOf: look.asOf,
    totals: { VIEW: { count: 3 } },
  });
  tickMs = 40;
  expect(bodyOf(await kept.answer("v"))).toMatchObject({ title: "two" });
});

test("within a look, an answer states the time of the look; a newer completeness, or time, looks again", async () => {
  let [tickMs, freshnessTickMs] = [0, 0];
  const progress = sharedFreshness(harness.progress, 20, () => freshnessTickMs);
  const kept = keptTotals(20, () => tickMs, progress);
  const viewsOf = async () => (bodyOf(await kept.answer("v")).totals as { VIEW: { count: number } }).VIEW.count;
  await harness.count("v", NOW_MS - HOUR, 3);
  const first = bodyOf(await kept.answer("v"));
  harness.nowMs += 19;
  tickMs = 19;
  await harness.count("v", NOW_MS - HOUR, 4);
  expect(bodyOf(await kept.answer("v"))).toEqual(first);
  freshnessTickMs = 20;
  expect(await viewsOf()).toBe(4);
  await harness.count("v", NOW_MS - HOUR, 5);
  expect(await viewsOf()).toBe(4);
  tickMs = 39;
  expect(await viewsOf()).toBe(5);
});

test.each(["own", "other"])("a title that the catalog learns by its %s connection shows at once", async (by) => {
  const other = elsewhere();
  try {
    const catalog = by === "own" ? harness.catalog : other;
    const kept = keptTotals(0);
    for (const title of ["one", "two"]) {
      await kept.answer("v");
      await catalog.loadVideos([{ videoId: "v", title }], Math.floor(NOW_MS / 60_000));
      expect(bodyOf(await kept.answer("v")).title).toBe(title);
    }
  } finally {
    await other.close();
  }
});

test("a channel that begins later is told from its minute on", async () => {
  const nowMinute = Math.floor(NOW_MS / 60_000);
  await harness.catalog.loadVideos([{ videoId: "v", channelId: "early" }], nowMinute);
  await harness.catalog.loadVideos([{ videoId: "v", channelId: "later", channelFromMinute: nowMinute + 1 }], nowMinute);
  const kept = keptTotals(0);
  expect(bodyOf(await kept.answer("v"))).toMatchObject({ channelId: "early" });
  harness.nowMs += 60_000;
  expect(bodyOf(await kept.answer("v"))).toMatchObject({ channelId: "later" });
});

test("a store without versions is read each time", async () => {
  const counters = countedReads();
  const { progress } = harness;
  const kept = new KeptTotals({ counters, progress, clock: () => harness.nowMs });
  await kept.answer("v");
  await kept.answer("v");
  expect(reads).toBe(2);
});
