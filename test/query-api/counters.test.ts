// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import request from "supertest";
import { countsSchema, queryAnswerSchema, statsSchema, topSchema, videoSchema } from "../../query-api/schemas";
import { emptiedStores } from "../io/sqlite/emptied-stores";
import { DAY, HOUR, iso, MINUTE, NOW_MS, QueryHarness } from "./query-harness";

const T = Date.parse("2026-11-20T10:00:00Z");

describe("reading counters", () => {
  let harness: QueryHarness;
  const stores = emptiedStores();
  beforeEach(async () => {
    harness = await QueryHarness.start(undefined, (await stores()).log);
  });
  afterEach(() => harness.stop());

  it("totals: every type of a video, with its sum and last event", async () => {
    await harness.count("v", T + 1500, 3, 700n);
    await harness.count("v", T + MINUTE, 2, -5n, "LIKE");
    const { body, headers } = await harness.get("/v1/videos/v").expect(200);
    expect(body).toEqual({
      videoId: "v",
      totals: {
        VIEW: { count: 3, sum: 700, lastEventAt: iso(T + 1500) },
        LIKE: { count: 2, sum: -5, lastEventAt: iso(T + MINUTE) },
      },
      asOf: iso(NOW_MS),
      completeThrough: iso(NOW_MS),
    });
    expect(videoSchema.parse(body)).toBeTruthy();
    expect(headers["cache-control"]).toBe("public, max-age=1");
  });

  it("a video nobody has seen has no totals and zero counts, and is no error", async () => {
    const totals = await harness.get("/v1/videos/nobody").expect(200);
    expect(totals.body).toMatchObject({ videoId: "nobody", totals: {} });
    const counts = await harness.get("/v1/videos/nobody/counts?eventType=VIEW").expect(200);
    expect(counts.body.count).toBe(0);
    expect(counts.body.buckets).toHaveLength(1440);
  });

  it("video ids with slashes, colons and dots are found, percent-encoded or raw", async () => {
    for (const id of ["a/b", "a:b.c", "urn:x/y:z", "a/counts", "x//y", "/lead", "trail/"]) {
      await harness.count(id, T, 1);
      const encoded = encodeURIComponent(id);
      const totals = await harness.get(`/v1/videos/${encoded}`).expect(200);
      expect(totals.body).toMatchObject({ videoId: id, totals: { VIEW: { count: 1 } } });
      const counts = await harness.get(`/v1/videos/${encoded}/counts?eventType=VIEW&start=${iso(T)}`).expect(200);
      expect(counts.body).toMatchObject({ videoId: id, count: 1 });
      const raw = await harness.get(`/v1/videos/${id}/counts?eventType=VIEW&start=${iso(T)}`).expect(200);
      expect(raw.body).toMatchObject({ videoId: id, count: 1 });
      if (id !== "a/counts") expect((await harness.get(`/v1/videos/${id}`)).body.videoId).toBe(id);
    }
  });

  it("counts: every minute of the range, zeros included, and their sum", async () => {
    await harness.count("v", T, 5);
    await harness.count("v", T + 2 * MINUTE, 7);
    await harness.count("v", T + 3 * MINUTE, 11);
    const url = `/v1/videos/v/counts?eventType=VIEW&start=${iso(T + 1)}&end=${iso(T + 2 * MINUTE + 1)}`;
    const { body } = await harness.get(url).expect(200);
    expect(body).toMatchObject({
      videoId: "v",
      eventType: "VIEW",
      start: iso(T),
      end: iso(T + 3 * MINUTE),
      granularity: "minute",
      count: 12,
    });
    expect(body.buckets).toEqual([
      { start: iso(T), count: 5, state: "final" },
      { start: iso(T + MINUTE), count: 0, state: "final" },
      { start: iso(T + 2 * MINUTE), count: 7, state: "final" },
    ]);
    expect(countsSchema.parse(body)).toBeTruthy();
  });

  it("counts in any range are what a naive sum of its minutes says", async () => {
    const cells = new Map<number, number>();
    for (let index = 0; index < 200; index++) {
      const minute = T / MINUTE + ((index * 37) % 4000) - 2000;
      cells.set(minute, index + 1);
      await harness.count("v", minute * MINUTE, index + 1);
    }
    const time = fc.integer({ min: T - 2 * DAY, max: T + 2 * DAY });
    const unit = fc.constantFrom("minute", "hour", "day", undefined);
    const asked = fc.tuple(time, time, unit).filter(([a, b]) => a !== b);
    await fc.assert(
      fc.asyncProperty(asked, async ([a, b, granularity]) => {
        const [start, end] = a < b ? [a, b] : [b, a];
        const suffix = granularity === undefined ? "" : `&granularity=${granularity}`;
        const url = `/v1/videos/v/counts?eventType=VIEW&start=${iso(start)}&end=${iso(end)}${suffix}`;
        const { body } = await harness.get(url).expect(200);
        const unitMs = { minute: MINUTE, hour: HOUR, day: DAY }[body.granularity as "minute"];
        const from = start - (start % unitMs);
        const to = end % unitMs === 0 ? end : end - (end % unitMs) + unitMs;
        if (granularity === undefined) {
          const minutes = Math.ceil(end / MINUTE) - Math.floor(start / MINUTE);
          expect(body.granularity).toBe(minutes <= 1500 ? "minute" : "hour");
        } else expect(body.granularity).toBe(granularity);
        expect([body.start, body.end]).toEqual([iso(from), iso(to)]);
        const naive: { start: string; count: number }[] = [];
        for (let atMs = from; atMs < to; atMs += unitMs) {
          let count = 0;
          for (const [minute, one] of cells) {
            if (minute * MINUTE >= atMs && minute * MINUTE < atMs + unitMs) count += one;
          }
          naive.push({ start: iso(atMs), count });
        }
        expect(body.buckets.map(({ start, count }: { start: string; count: number }) => ({ start, count }))).toEqual(
          naive,
        );
        expect(body.count).toBe(naive.reduce((sum, { count }) => sum + count, 0));
      }),
      { numRuns: 40 },
    );
  });

  it("without a range it is the last 24 hours up to the next minute; with one end up to now or 24 hours to it", async () => {
    const url = "/v1/videos/v/counts?eventType=VIEW";
    const whole = (await harness.get(url)).body;
    const nextMinute = NOW_MS - 20_000 + MINUTE;
    expect([whole.start, whole.end]).toEqual([iso(nextMinute - DAY), iso(nextMinute)]);
    const from = (await harness.get(`${url}&granularity=minute&start=${iso(T + 1)}`)).body;
    expect([from.start, from.end]).toEqual([iso(T), iso(nextMinute)]);
    const ahead = (await harness.get(`${url}&start=${iso(nextMinute + DAY)}`)).body;
    expect([ahead.start, ahead.end]).toEqual([iso(nextMinute + DAY), iso(nextMinute + 2 * DAY)]);
    const to = (await harness.get(`${url}&end=${iso(T + 1)}`)).body;
    expect([to.start, to.end]).toEqual([iso(T + MINUTE - DAY), iso(T + MINUTE)]);
    const early = (await harness.get(`${url}&end=1970-01-01T01:00:00Z`)).body;
    expect([early.start, early.end]).toEqual([iso(0), iso(HOUR)]);
  });

  it("a time's offset counts, also where a URL made its plus a space", async () => {
    const url = "/v1/videos/v/counts?eventType=VIEW&granularity=minute";
    const { body } = await harness.get(`${url}&start=2026-11-20T12:00:00+02:00&end=2026-11-20T12:01:00%2B02:00`);
    expect([body.start, body.end]).toEqual([iso(T), iso(T + MINUTE)]);
  });

  it("an answered range can be asked, to the end of the year 9999", async () => {
    for (const path of ["/v1/videos/v/counts?", "/v1/videos/v/stats?function=SUM&", "/v1/top?", "/v1/ledger?"]) {
      for (const asked of [
        "end=9999-12-31T23:59:59Z",
        "start=9999-12-31T23:59:30Z",
        "end=9999-12-31T23:59:59.9999999999Z",
      ]) {
        const { body } = await harness.get(`${path}${asked}`).expect(200);
        expect(body.end).toBe("9999-12-31T23:59:59.999Z");
        const again = await harness.get(`${path}start=${body.start}&end=${body.end}`).expect(200);
        expect([again.body.start, again.body.end]).toEqual([body.start, body.end]);
      }
    }
  });

  it.each([
    ["1.0", 200],
    ["1e1", 200],
    ["4.9999999999999999", 400],
    ["0x10", 400],
    ["", 400],
    [" 5", 400],
  ])("a limit written %j is a %i", async (text, status) => {
    await harness.get(`/v1/top?limit=${encodeURIComponent(text)}`).expect(status);
  });

  it("the finest granularity with at most 1,500 buckets; more than 10,000 are refused", async () => {
    const url = `/v1/videos/v/counts?eventType=VIEW&start=${iso(T)}`;
    const granularityOf = async (minutes: number) =>
      (await harness.get(`${url}&end=${iso(T + minutes * MINUTE)}`).expect(200)).body.granularity;
    expect(await granularityOf(1500)).toBe("minute");
    expect(await granularityOf(1501)).toBe("hour");
    expect(await granularityOf(1500 * 60)).toBe("hour");
    expect(await granularityOf(1500 * 60 + 1)).toBe("day");
    await harness.get(`${url}&granularity=minute&end=${iso(T + 10_000 * MINUTE)}`).expect(200);
    const { body } = await harness.get(`${url}&granularity=minute&end=${iso(T + 10_001 * MINUTE)}`).expect(400);
    expect(body.detail).toMatch(/10001 buckets/);
    const ever = "/v1/videos/v/counts?eventType=VIEW&start=1970-01-01T00:00:00Z&end=2026-01-01T00:00:00Z";
    expect((await harness.get(ever).expect(200)).body).toMatchObject({ granularity: "month" });
    await harness.get(`${ever}&granularity=day`).expect(400);
  });

  it("stats: count, sum and average; the average of nothing is null", async () => {
    await harness.count("v", T, 4, 10n);
    await harness.count("v", T + 2 * MINUTE, 2, -1n);
    const url = `/v1/videos/v/stats?eventType=VIEW&start=${iso(T)}&end=${iso(T + 3 * MINUTE)}&function=`;
    const sum = (await harness.get(`${url}SUM`).expect(200)).body;
    expect(sum).toMatchObject({ videoId: "v", eventType: "VIEW", function: "SUM", granularity: "minute", value: 9 });
    expect(sum.buckets.map((bucket: { value: number }) => bucket.value)).toEqual([10, 0, -1]);
    const count = (await harness.get(`${url}COUNT`)).body;
    expect([count.value, ...count.buckets.map((bucket: { value: number }) => bucket.value)]).toEqual([6, 4, 0, 2]);
    const average = (await harness.get(`${url}AVERAGE`)).body;
    expect([average.value, ...average.buckets.map((b: { value: number }) => b.value)]).toEqual([1.5, 2.5, null, -0.5]);
    for (const body of [sum, count, average]) expect(statsSchema.parse(body)).toBeTruthy();
    const nothing = (await harness.get("/v1/videos/nobody/stats?eventType=VIEW&function=AVERAGE")).body;
    expect(nothing.value).toBeNull();
  });

  it("an average of a range that changes has another ETag, though the averages of its buckets stay", async () => {
    const [before, within] = [T - 2 * MINUTE, T];
    for (const start of [before, within]) {
      await harness.count("v", start, 1, 2n);
      await harness.count("v", start + MINUTE, 1, 4n);
    }
    const range = `start=${iso(within)}&end=${iso(within + 2 * MINUTE)}&granularity=minute&compare=previous`;
    const read = (etag = "") => harness.get(`/v1/videos/v/stats?function=AVERAGE&${range}`, { "If-None-Match": etag });
    const first = await read().expect(200);
    expect([first.body.value, first.body.previous.value]).toEqual([3, 3]);
    await read(first.headers.etag).expect(304);
    await harness.count("v", within + MINUTE, 3, 12n);
    const second = await read(first.headers.etag).expect(200);
    expect([second.body.value, second.body.previous.value]).toEqual([3.5, 3]);
    await harness.count("v", before + MINUTE, 3, 12n);
    const third = await read(second.headers.etag).expect(200);
    expect([third.body.value, third.body.previous.value]).toEqual([3.5, 3.5]);
  });

  it("the average is over the events that have a value, in a bucket and in the whole", async () => {
    await harness.count("v", T, 4, 10n, "VIEW", 1);
    await harness.count("v", T + MINUTE, 3, -4n, "VIEW", 2);
    await harness.count("v", T + 2 * MINUTE, 5);
    const range = `start=${iso(T)}&end=${iso(T + 3 * MINUTE)}`;
    const { body } = await harness.get(`/v1/videos/v/stats?eventType=VIEW&function=AVERAGE&${range}`).expect(200);
    expect([body.value, ...body.buckets.map((b: { value: number }) => b.value)]).toEqual([2, 10, -2, null]);
    const asked = {
      videoIds: ["v"],
      eventTypes: ["VIEW"],
      functions: ["AVERAGE"],
      start: iso(T),
      end: iso(T + 3 * MINUTE),
    };
    const [series] = (await harness.query({ ...asked, granularity: "hour" }).expect(200)).body.series;
    expect(series).toMatchObject({ values: { AVERAGE: 2 }, buckets: [{ AVERAGE: 2 }] });
  });

  it("sums beyond 2^53 are exact integers in the JSON text", async () => {
    const large = 2n ** 62n + 1n;
    await harness.count("v", T, 3, large);
    await harness.count("v", T + MINUTE, 1, -(2n ** 53n) - 1n);
    const url = `/v1/videos/v/stats?eventType=VIEW&function=SUM&start=${iso(T)}&end=${iso(T + 2 * MINUTE)}`;
    const { text } = await harness
      .get(url)
      .buffer(true)
      .parse(asText)
      .then(({ body }) => ({ text: body as string }));
    expect(text).toContain(`"value":${large - 2n ** 53n - 1n},`);
    expect(text).toContain(`"value":${large},`);
    expect(text).toContain(`"value":-9007199254740993,`);
    const totals = (await harness.get("/v1/videos/v").buffer(true).parse(asText)).body as string;
    expect(totals).toContain(`"sum":${large - 2n ** 53n - 1n},`);
  });

  it("top: by count, ties by video id, at most limit", async () => {
    for (const [video, count] of [
      ["c", 5],
      ["a", 5],
      ["b", 9],
      ["z", 1],
    ] as const)
      await harness.count(video, T, count);
    await harness.count("other", T, 99, 0n, "LIKE");
    const url = `/v1/top?eventType=VIEW&start=${iso(T)}&end=${iso(T + MINUTE)}`;
    const { body } = await harness.get(`${url}&limit=3`).expect(200);
    expect(body).toEqual({
      start: iso(T),
      end: iso(T + MINUTE),
      eventType: "VIEW",
      videos: [
        { videoId: "b", count: 9 },
        { videoId: "a", count: 5 },
        { videoId: "c", count: 5 },
      ],
      asOf: iso(NOW_MS),
      completeThrough: iso(NOW_MS),
    });
    expect(topSchema.parse(body)).toBeTruthy();
    for (const limit of ["0", "1001", "x", "1.5", ""]) await harness.get(`${url}&limit=${limit}`).expect(400);
    expect((await harness.get("/v1/top").expect(200)).body.eventType).toBe("VIEW");
  });

  it("query: many videos, types and functions over shared buckets", async () => {
    await harness.count("a", T, 2, 10n);
    await harness.count("b/c", T + MINUTE, 3, 30n, "LIKE");
    const asked = {
      videoIds: ["a", "b/c", "a"],
      eventTypes: ["VIEW", "LIKE"],
      start: iso(T),
      end: iso(T + 2 * MINUTE),
      granularity: "minute",
      functions: ["COUNT", "AVERAGE"],
    };
    const { body } = await harness.query(asked).expect(200);
    expect(queryAnswerSchema.parse(body)).toBeTruthy();
    expect(body).toMatchObject({ start: iso(T), end: iso(T + 2 * MINUTE), granularity: "minute" });
    expect(body.buckets.map((bucket: { start: string }) => bucket.start)).toEqual([iso(T), iso(T + MINUTE)]);
    const empty = { COUNT: 0, AVERAGE: null };
    expect(body.series).toEqual([
      { videoId: "a", eventType: "VIEW", values: { COUNT: 2, AVERAGE: 5 }, buckets: [{ COUNT: 2, AVERAGE: 5 }, empty] },
      { videoId: "a", eventType: "LIKE", values: empty, buckets: [empty, empty] },
      { videoId: "b/c", eventType: "VIEW", values: empty, buckets: [empty, empty] },
      {
        videoId: "b/c",
        eventType: "LIKE",
        values: { COUNT: 3, AVERAGE: 10 },
        buckets: [empty, { COUNT: 3, AVERAGE: 10 }],
      },
    ]);
  });

  it("query: without a granularity the series together stay within the bound; beyond it 400", async () => {
    const videoIds = Array.from({ length: 100 }, (_, index) => `v${index}`);
    const { body } = await harness.query({ videoIds, eventTypes: ["VIEW"] }).expect(200);
    expect(body.granularity).toBe("hour");
    expect(body.series).toHaveLength(100);
    const tooMany = await harness.query({ videoIds, eventTypes: ["VIEW"], granularity: "minute" }).expect(400);
    expect(tooMany.body.detail).toMatch(
      /: ask for a shorter range, a coarser granularity, or fewer videos, channels or event types$/,
    );
    await harness.query({ videoIds: [...videoIds, "one-more"], eventTypes: ["VIEW"] }).expect(400);
    await harness.query({ videoIds: [], eventTypes: ["VIEW"] }).expect(400);
    await harness.query({ videoIds: ["v"], eventTypes: ["view"] }).expect(400);
    await harness.query({ videoIds: ["v"], eventTypes: ["VIEW"], startt: "x" }).expect(400);
  });

  it("query: a body that is no JSON, of another type or too large is refused", async () => {
    const post = () => request(harness.app).post("/v1/query");
    await post().set("Content-Type", "application/json").send("{").expect(400);
    await post().set("Content-Type", "text/plain").send("{}").expect(415);
    await post().expect(415);
    const garbled = Buffer.from('{"videoIds":["\xff"],"eventTypes":["VIEW"]}', "latin1");
    const sent = post().set("Content-Type", "application/json");
    const refused = await sent
      .serialize(() => garbled as unknown as string)
      .send(garbled)
      .expect(400);
    expect(refused.body.detail).toBe("the body is not UTF-8");
    const large = JSON.stringify({ videoIds: ["x".repeat(70_000)] });
    await post().set("Content-Type", "application/json").send(large).expect(413);
  });
});

/** supertest would parse the JSON, and round what is beyond 2^53. */
function asText(response: request.Response, done: (error: Error | null, body: string) => void): void {
  let text = "";
  const stream = response as unknown as NodeJS.ReadableStream;
  stream.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  stream.on("end", () => done(null, text));
}
