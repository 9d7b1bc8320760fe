// SPDX-License-Identifier: Apache-2.0
/**
 * Ranges of time in questions and answers: their bounds, their buckets and their texts. Every endpoint over time uses
 * it.
 */
import { BUCKET_UNITS, type BucketUnit, type Calendar, LONGEST_MS, UTC } from "../domain/calendar";
import { MAX_RFC_3339_MS } from "../domain/event";
import { DAY_MS, MINUTE_MS } from "../domain/rules/time";

const DEFAULT_RANGE_MS = DAY_MS;
/** Without a granularity, the finest one that gives at most this many buckets is used. */
const AUTOMATIC_BUCKETS = 1_500;
export const MAX_BUCKETS = 10_000;
/** The end of the last minute that RFC 3339 can express. */
export const LAST_END_MS = MAX_RFC_3339_MS + 1;

/**
 * Returns a time as RFC 3339. The end of the year 9999 becomes its last millisecond, so that every answered time can be
 * requested again.
 */
export const timeText = (timeMs: number): string => new Date(Math.min(timeMs, MAX_RFC_3339_MS)).toISOString();

/** A half-open range of epoch milliseconds. */
export interface Range {
  startMs: number;
  endMs: number;
}

/** A range in whole buckets. */
export interface BucketedRange extends Range {
  granularity: BucketUnit;
  /** The starts of the buckets, and the end of the last one: one edge more than buckets. */
  edges: readonly number[];
  buckets: number;
}

export type Ranged<R extends Range> = { ok: true; range: R } | { ok: false; detail: string };

/**
 * Returns the requested range in whole minutes. Without bounds: the last 24 hours up to the next minute. With a start
 * alone: from the start to the next minute (24 hours where the start lies ahead). With an end alone: the 24 hours
 * before it (never before 1970).
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

/** The way a range is cut into buckets. */
interface Cut {
  granularity?: BucketUnit | undefined;
  /** The calendar of days, weeks and months; default UTC. */
  calendar?: Calendar | undefined;
  /** The number of series that share the bound of MAX_BUCKETS; default 1. */
  series?: number;
  /** What the request can change to be answered with fewer buckets; default REMEDY. */
  remedy?: string;
}

/**
 * Widens a range to whole buckets (never before 1970 nor beyond the year 9999). Without a granularity, uses the finest
 * one that gives at most AUTOMATIC_BUCKETS a series, or else months.
 */
export function bucketed(range: Range, cut: Cut = {}): Ranged<BucketedRange> {
  const { granularity, calendar = UTC, series = 1, remedy = REMEDY } = cut;
  const most = Math.floor(MAX_BUCKETS / series);
  if (granularity === undefined) {
    const bound = Math.min(AUTOMATIC_BUCKETS, most);
    for (const unit of BUCKET_UNITS.slice(0, -1)) {
      const found = inBuckets(range, unit, calendar, bound);
      if (found !== undefined) return { ok: true, range: found };
    }
  }
  const chosen = inBuckets(range, granularity ?? "month", calendar, most);
  if (chosen !== undefined) return { ok: true, range: chosen };
  return refuse(`${countOf(range, granularity ?? "month", series)} are more than ${MAX_BUCKETS}: ${remedy}`);
}

const REMEDY = "ask for a shorter range or a coarser granularity, or with limit= for one page after the other";

/** Returns the number of requested buckets, where it is known without a calendar. */
function countOf({ startMs, endMs }: Range, unit: BucketUnit, series: number): string {
  if (unit !== "minute" && unit !== "hour") return `the ${unit}s of this range`;
  const unitMs = LONGEST_MS[unit];
  return `${(up(endMs, unitMs) - down(startMs, unitMs)) / unitMs} buckets${series === 1 ? "" : ` of ${series} series`}`;
}

/** Returns the first buckets of a range, at most `most` of them. */
export function firstBuckets(range: Range, unit: BucketUnit, calendar: Calendar, most: number): BucketedRange {
  const edges: number[] = [];
  for (const startMs of calendar.starts(unit, range.startMs)) {
    edges.push(Math.max(0, Math.min(startMs, LAST_END_MS)));
    if (startMs >= range.endMs || edges.length > most) break;
  }
  return asBuckets(unit, edges);
}

export function asBuckets(granularity: BucketUnit, edges: readonly number[]): BucketedRange {
  return { startMs: edges[0]!, endMs: edges.at(-1)!, granularity, edges, buckets: edges.length - 1 };
}

/** Returns undefined where the range has more than `most` buckets. */
function inBuckets(range: Range, unit: BucketUnit, calendar: Calendar, most: number): BucketedRange | undefined {
  if ((range.endMs - range.startMs) / LONGEST_MS[unit] > most) return undefined;
  const found = firstBuckets(range, unit, calendar, most + 1);
  return found.buckets <= most ? found : undefined;
}

const down = (timeMs: number, unitMs: number): number => Math.floor(timeMs / unitMs) * unitMs;
const up = (timeMs: number, unitMs: number): number => Math.ceil(timeMs / unitMs) * unitMs;
const refuse = (detail: string): { ok: false; detail: string } => ({ ok: false, detail });
