// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { BUCKET_UNITS, type BucketUnit, calendarOf } from "../../domain/calendar";
import { cursorText, parseCursor } from "../../query-api/page-cursor";
import { countsSchema, queryAnswerSchema, statsSchema } from "../../query-api/schemas";
import { asMinuteCounts } from "../io/ports/counter-model";
import { DAY, HOUR, iso, MINUTE, QueryHarness } from "./query-harness";

/** Berlin's clocks went back on 2026-10-25. */
const FROM = Date.parse("2026-10-20T00:00:00Z");
const CURSOR = { startMs: FROM, endMs: FROM + 9 * DAY, nextMs: FROM + DAY, granularity: "day" as const };
const TO = Date.parse("2026-11-10T00:00:00Z");
const QUARTER = 15 * MINUTE;
const ZONES = ["UTC", "Europe/Berlin", "Asia/Kathmandu", "Asia/Kolkata", "America/New_York"];

interface Bucket {
  start: string;
  count: number;
  state: string;
}

describe("any range at any granularity", () => {
  let harness: QueryHarness;
  const cells = new Map<number, number>();

  beforeAll(async () => {
    harness = await QueryHarness.start();
    const counted = Array.from({ length: 900 }, (_, index) => {
      const minute = FROM / MINUTE + ((index * 7919) % ((TO - FROM) / MINUTE));
      const [count, sum, valued] = [index + 1, BigInt(index), index === 0 ? 0 : index + 1];
      return { minute, video: "v", type: "VIEW", count, sum, valued, last: 0, correction: 0 };
    });
    for (const { minute, count } of counted) cells.set(minute, count);
    await harness.counters.apply(asMinuteCounts(counted));
  }, 120_000);
  afterAll(() => harness.stop());

  const naive = (fromMs: number, toMs: number): number => {
    let sum = 0;
    for (const [minute, count] of cells) if (minute * MINUTE >= fromMs && minute * MINUTE < toMs) sum += count;
    return sum;
  };

  /**
   * The edges of the buckets that a range is widened to, by walking in quarters of an hour: all zones of today differ
   * from UTC by whole quarters.
   */
  const edgesOf = (unit: BucketUnit, tz: string, startMs: number, endMs: number): number[] => {
    const calendar = calendarOf(tz)!;
    const edges = [calendar.floor(unit, startMs)];
    for (let atMs = edges[0]! + QUARTER; edges.at(-1)! < endMs; atMs += QUARTER) {
      if (calendar.floor(unit, atMs) > edges.at(-1)!) edges.push(atMs);
    }
    return edges;
  };

  const time = fc.integer({ min: FROM - 3 * DAY, max: TO + 3 * DAY });
  const range = fc.tuple(time, time).filter(([a, b]) => a !== b);
  const zone = fc.constantFrom(...ZONES);

  it("is what a naive sum over its minutes says, in every time zone", async () => {
    const unit = fc.constantFrom(...BUCKET_UNITS.slice(1));
    await fc.assert(
      fc.asyncProperty(range, unit, zone, async ([a, b], granularity, tz) => {
        const [start, end] = a < b ? [a, b] : [b, a];
        const asked = `start=${iso(start)}&end=${iso(end)}&granularity=${granularity}&tz=${tz}`;
        const { body } = await harness.get(`/v1/videos/v/counts?${asked}`).expect(200);
        expect(countsSchema.parse(body)).toBeTruthy();
        const edges = edgesOf(granularity, tz, start, end);
        expect([body.start, body.end, body.granularity, body.tz]).toEqual([
          iso(edges[0]!),
          iso(edges.at(-1)!),
          granularity,
          tz,
        ]);
        const model = edges.slice(1).map((endMs, at) => [iso(edges[at]!), naive(edges[at]!, endMs)]);
        expect(body.buckets.map(({ start: startsAt, count }: Bucket) => [startsAt, count])).toEqual(model);
        expect(body.count).toBe(naive(edges[0]!, edges.at(-1)!));
        const many = await harness.query({
          videoIds: ["v"],
          eventTypes: ["VIEW"],
          start: iso(start),
          end: iso(end),
          granularity,
          tz,
        });
        expect(queryAnswerSchema.parse(many.body)).toBeTruthy();
        expect(many.body.series[0].buckets.map(({ COUNT }: { COUNT: number }) => COUNT)).toEqual(
          model.map(([, count]) => count),
        );
      }),
      { numRuns: 30 },
    );
  });

  it("beside as many buckets before it", async () => {
    const unit = fc.constantFrom("hour", "day", "week", "month");
    await fc.assert(
      fc.asyncProperty(range, unit, zone, async ([a, b], granularity, tz) => {
        const [start, end] = a < b ? [a, b] : [b, a];
        const asked = `start=${iso(start)}&end=${iso(end)}&granularity=${granularity}&tz=${tz}`;
        const { body } = await harness.get(`/v1/videos/v/counts?${asked}&compare=previous`).expect(200);
        expect(countsSchema.parse(body)).toBeTruthy();
        expect(body.previous.end).toBe(body.start);
        expect(body.previous.buckets).toHaveLength(body.buckets.length);
        const before = `start=${body.previous.start}&end=${body.previous.end}&granularity=${granularity}&tz=${tz}`;
        const alone = (await harness.get(`/v1/videos/v/counts?${before}`).expect(200)).body;
        expect(body.previous).toEqual({
          start: alone.start,
          end: alone.end,
          count: alone.count,
          buckets: alone.buckets,
        });
      }),
      { numRuns: 20 },
    );
    const months = "start=2026-10-01T00:00:00Z&end=2026-11-01T00:00:00Z&granularity=month&compare=previous";
    const { body } = await harness.get(`/v1/videos/v/stats?function=SUM&${months}`).expect(200);
    expect(statsSchema.parse(body)).toBeTruthy();
    expect([body.previous.start, body.previous.end]).toEqual(["2026-09-01T00:00:00.000Z", body.start]);
    await harness
      .get(`/v1/videos/v/counts?start=1970-01-01T00:00:00Z&end=1970-01-02T00:00:00Z&compare=previous`)
      .expect(400);
  });

  it("in pages, which together are the answer in one piece", async () => {
    const asked = `start=${iso(FROM + 1)}&end=${iso(FROM + 9 * DAY)}&granularity=hour`;
    const url = `/v1/videos/v/counts?${asked}`;
    const whole = (await harness.get(url).expect(200)).body;
    const pages: { start: string; end: string; count: number; buckets: Bucket[]; cursor?: string }[] = [];
    let cursor: string | undefined;
    do {
      const more = cursor === undefined ? "" : `&cursor=${cursor}`;
      const { body } = await harness.get(`${url}&limit=50${more}`).expect(200);
      expect(countsSchema.parse(body)).toBeTruthy();
      expect(body.start).toBe(pages.at(-1)?.end ?? whole.start);
      pages.push(body);
      cursor = body.cursor;
    } while (cursor !== undefined);
    expect(pages.map(({ buckets }) => buckets.length)).toEqual([50, 50, 50, 50, 16]);
    expect(pages.flatMap(({ buckets }) => buckets)).toEqual(whole.buckets);
    expect(pages.reduce((sum, { count }) => sum + count, 0)).toBe(whole.count);
    expect(pages.at(-1)!.end).toBe(whole.end);
    const first = pages[0]!.cursor!;
    const alone = (await harness.get(`/v1/videos/v/counts?cursor=${first}&limit=50`).expect(200)).body;
    expect(alone.buckets).toEqual(pages[1]!.buckets);
    await harness.get(`/v1/videos/v/counts?cursor=${first}&granularity=day`).expect(400);
    await harness.get(`/v1/videos/v/counts?cursor=${first}&start=${iso(FROM + HOUR)}`).expect(400);
    await harness.get(`/v1/videos/v/counts?cursor=${first}&tz=Europe/Berlin`).expect(400);
    await harness.get(`/v1/videos/v/counts?cursor=${first}x`).expect(400);
  });

  it("a cursor of times that no answer names is refused: beyond the calendar's end, or within a minute", () => {
    const text = (...times: readonly number[]) =>
      Buffer.from(JSON.stringify([...times, "month", ""])).toString("base64url");
    const end = Date.UTC(10_000, 0);
    expect(parseCursor(text(0, end, end - DAY))).toMatchObject({ endMs: end });
    for (const times of [
      [0, end + MINUTE, end - DAY],
      [0, 9e15, 9e15 - MINUTE],
      [0, end, FROM + 1],
      [-MINUTE, end, FROM],
      [0, end, FROM + 0.5],
    ])
      expect(parseCursor(text(...times))).toBeUndefined();
  });

  it("a cursor of a zone that there is not is refused, because its days would be those of UTC", () => {
    const of = (tz: string) => parseCursor(cursorText({ ...CURSOR, tz }));
    expect(of("Asia/Kathmandu")).toEqual({ ...CURSOR, tz: "Asia/Kathmandu" });
    for (const tz of ["Nowhere/Zone", "+05:00", "Etc/GMT 5"]) expect([tz, of(tz)]).toEqual([tz, undefined]);
  });

  it("pages of a range that is too long for one answer, and of one without an end", async () => {
    const url = `/v1/videos/v/counts?start=${iso(FROM)}&granularity=minute`;
    await harness.get(url).expect(400);
    const always = "start=1970-01-01T00:00:00Z&end=9999-12-31T00:00:00Z&limit=3";
    const first = (await harness.get(`/v1/videos/v/counts?${always}`).expect(200)).body;
    expect([first.granularity, first.buckets.length, typeof first.cursor]).toEqual(["month", 3, "string"]);
    const { body } = await harness.get(`${url}&limit=10000`).expect(200);
    expect([body.buckets.length, body.end]).toEqual([10_000, iso(FROM + 10_000 * MINUTE)]);
    const next = (await harness.get(`${url}&cursor=${body.cursor}`).expect(200)).body;
    expect(next.start).toBe(body.end);
  });

  it("a zone may have its plus sign as it is in the query", async () => {
    const asked = (zone: string) =>
      `/v1/videos/v/counts?start=${iso(FROM)}&end=${iso(FROM + DAY)}&granularity=day&tz=${zone}`;
    const { body } = await harness.get(asked("Etc/GMT+5")).expect(200);
    expect([body.tz, body.start]).toEqual(["Etc/GMT+5", iso(FROM - DAY + 5 * HOUR)]);
    expect((await harness.get(asked("Etc/GMT%2B5")).expect(200)).body.buckets).toEqual(body.buckets);
    await harness.get(asked("Europe Berlin")).expect(400);
  });

  it("a bucket of a zone is audited when each of its minutes is", async () => {
    const [from, to] = [Date.parse("2026-10-23T18:15:00Z"), Date.parse("2026-10-25T18:15:00Z")];
    await harness.audit(from, to - MINUTE);
    const asked = `start=${iso(from)}&end=${iso(to)}&granularity=day&tz=Asia/Kathmandu`;
    const states = async () =>
      (await harness.get(`/v1/videos/v/counts?${asked}`).expect(200)).body.buckets.map(({ state }: Bucket) => state);
    expect(await states()).toEqual(["audited", "final"]);
    await harness.audit(to - MINUTE, to);
    expect(await states()).toEqual(["audited", "audited"]);
  });
});
