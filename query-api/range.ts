import { MAX_RFC_3339_MS } from "../domain/event";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../domain/rules/time";
import type { Granularity } from "../io/ports";

export const DEFAULT_RANGE_MS = DAY_MS;
/** Without a granularity the finest that gives at most this many buckets is taken. */
export const AUTOMATIC_BUCKETS = 1_500;
export const MAX_BUCKETS = 10_000;
export const BUCKET_MS: Readonly<Record<Granularity, number>> = { minute: MINUTE_MS, hour: HOUR_MS, day: DAY_MS };

/** The end of the last minute that RFC 3339 can write. */
const LAST_END_MS = MAX_RFC_3339_MS + 1;

/** A time as it is answered: RFC 3339, also the end of the year 9999, which is its last millisecond: what is answered can be asked. */
export const timeText = (timeMs: number): string => new Date(Math.min(timeMs, MAX_RFC_3339_MS)).toISOString();

/** Half-open, epoch milliseconds. */
export interface Range {
  startMs: number;
  endMs: number;
}

/** A range in whole buckets. */
export interface BucketedRange extends Range {
  granularity: Granularity;
  bucketMs: number;
  buckets: number;
}

export type Ranged<R extends Range> = { ok: true; range: R } | { ok: false; detail: string };

/**
 * What was asked -> whole minutes. Neither given: the last 24 hours up to the next minute; only the start: from it to the next
 * minute (24 hours where it lies ahead); only the end: the 24 hours before it (never before 1970).
 */
export function effectiveRange(
  asked: { start?: number | undefined; end?: number | undefined },
  nowMs: number,
): Ranged<Range> {
  const { start, end } = asked;
  if (start !== undefined && end !== undefined && start >= end) return refuse("start must be before end");
  const startMs = start === undefined ? undefined : down(start, MINUTE_MS);
  const nextMinuteMs = up(nowMs, MINUTE_MS);
  const dayAfterMs = Math.min((startMs ?? 0) + DEFAULT_RANGE_MS, LAST_END_MS);
  const openEndMs = startMs === undefined || startMs < nextMinuteMs ? nextMinuteMs : dayAfterMs;
  const endMs = end === undefined ? openEndMs : up(end, MINUTE_MS);
  const range = { startMs: startMs ?? Math.max(0, endMs - DEFAULT_RANGE_MS), endMs };
  if (range.startMs >= range.endMs) return refuse("start must be before end");
  return { ok: true, range };
}

/**
 * Widens a range to whole buckets. `series` answers share the bound of MAX_BUCKETS; without a granularity the
 * finest is taken that gives at most AUTOMATIC_BUCKETS each, or else days.
 */
export function bucketed(range: Range, granularity: Granularity | undefined, series = 1): Ranged<BucketedRange> {
  const fits = (one: BucketedRange) => one.buckets <= AUTOMATIC_BUCKETS && one.buckets * series <= MAX_BUCKETS;
  const chosen =
    granularity === undefined
      ? ((["minute", "hour"] as const).map((finer) => inBuckets(range, finer)).find(fits) ?? inBuckets(range, "day"))
      : inBuckets(range, granularity);
  const buckets = chosen.buckets * series;
  if (buckets <= MAX_BUCKETS) return { ok: true, range: chosen };
  return refuse(`${buckets} buckets are more than ${MAX_BUCKETS}: ask for a shorter range or a coarser granularity`);
}

function inBuckets({ startMs, endMs }: Range, granularity: Granularity): BucketedRange {
  const bucketMs = BUCKET_MS[granularity];
  const from = down(startMs, bucketMs);
  const to = up(endMs, bucketMs);
  return { startMs: from, endMs: to, granularity, bucketMs, buckets: (to - from) / bucketMs };
}

const down = (timeMs: number, unitMs: number): number => Math.floor(timeMs / unitMs) * unitMs;
const up = (timeMs: number, unitMs: number): number => Math.ceil(timeMs / unitMs) * unitMs;
const refuse = (detail: string): { ok: false; detail: string } => ({ ok: false, detail });
