// SPDX-License-Identifier: Apache-2.0
/**
 * The range of a question for a series, from its parameters. The counts and stats of videos and channels read it
 * (series-answer.ts).
 */
import { type BucketUnit, type Calendar, calendarOf, UTC } from "../domain/calendar";
import { cursorText, type PageCursor, parseCursor } from "./page-cursor";
import {
  asBuckets,
  type BucketedRange,
  bucketed,
  effectiveRange,
  firstBuckets,
  MAX_BUCKETS,
  type Ranged,
} from "./range";

/** The parameters of a series over time, each decoded and checked. */
export interface SeriesAsked {
  start?: number | undefined;
  end?: number | undefined;
  granularity?: BucketUnit | undefined;
  tz?: string | undefined;
  compare?: "previous" | undefined;
  limit?: number | undefined;
  cursor?: string | undefined;
}

/** The requested buckets, the buckets they are compared with, and the start of the next page. */
interface AskedRange {
  range: BucketedRange;
  previous?: BucketedRange;
  cursor?: string;
  /** The time zone as requested, perhaps by the cursor. */
  tz: string | undefined;
}

type Answered = { ok: true; asked: AskedRange } | { ok: false; detail: string };

/**
 * Reads a request for a series in one of two forms. The first form is a whole range of at most MAX_BUCKETS, perhaps
 * with the same number of buckets before it. The second form is a page of `limit` buckets of a range of any length,
 * whose cursor leads to the next page.
 */
export function askedRange(asked: SeriesAsked, nowMs: number): Answered {
  const known = timeless.get(asked);
  if (known !== undefined) return known;
  const answered = rangeAsked(asked, nowMs);
  const isTimeless = asked.cursor !== undefined || (asked.start !== undefined && asked.end !== undefined);
  if (isTimeless && (!answered.ok || answered.asked.range.buckets <= MOST_KEPT_BUCKETS)) timeless.set(asked, answered);
  return answered;
}

/** Longer ranges are cut anew for each question. */
const MOST_KEPT_BUCKETS = 1_500;

/**
 * The ranges of questions that mean the same at every time, and are asked again and again: the same object then
 * (endpoint.ts), whose range stays the same object too.
 */
const timeless = new WeakMap<SeriesAsked, Answered>();

function rangeAsked(asked: SeriesAsked, nowMs: number): Answered {
  const { cursor, compare } = asked;
  if (cursor === undefined && asked.limit === undefined) return atOnce(asked, nowMs);
  if (compare !== undefined)
    return { ok: false, detail: "compare is for answers of one piece, without limit and cursor" };
  if (cursor === undefined) return firstPage(asked, nowMs);
  const page = parseCursor(cursor);
  if (page === undefined) return { ok: false, detail: "cursor: is not one that an answer has given" };
  const other = differing(asked, page);
  if (other !== undefined) return { ok: false, detail: `${other} is not the one that the cursor goes on with` };
  return pageFrom(page, asked.limit ?? MAX_BUCKETS);
}

const calendarFor = (tz: string | undefined): Calendar => (tz === undefined ? UTC : (calendarOf(tz) ?? UTC));

function atOnce(asked: SeriesAsked, nowMs: number): Answered {
  const { granularity, tz, compare } = asked;
  const calendar = calendarFor(tz);
  const series = compare === undefined ? 1 : 2;
  const within = effectiveRange(asked, nowMs);
  const ranged: Ranged<BucketedRange> = within.ok ? bucketed(within.range, { granularity, calendar, series }) : within;
  if (!ranged.ok) return ranged;
  const { range } = ranged;
  if (compare === undefined) return { ok: true, asked: { range, tz } };
  const previous = bucketsBefore(range, calendar);
  if (previous === undefined) return { ok: false, detail: "compare: the range before this one begins before 1970" };
  return { ok: true, asked: { range, previous, tz } };
}

/**
 * Returns as many buckets as a range has, directly before it: for minutes to weeks of UTC a range of the same length,
 * for months the months before.
 */
function bucketsBefore(
  { startMs, granularity, buckets }: BucketedRange,
  calendar: Calendar,
): BucketedRange | undefined {
  const fromMs = calendar.before(granularity, startMs, buckets);
  if (fromMs < 0) return undefined;
  const edges: number[] = [];
  for (const edgeMs of calendar.starts(granularity, fromMs)) {
    edges.push(edgeMs);
    if (edgeMs >= startMs) break;
  }
  return asBuckets(granularity, edges);
}

function firstPage(asked: SeriesAsked, nowMs: number): Answered {
  const within = effectiveRange(asked, nowMs);
  if (!within.ok) return within;
  const { startMs, endMs } = within.range;
  const { tz } = asked;
  const automatic = () => bucketed(within.range, { calendar: calendarFor(tz) });
  const found = asked.granularity === undefined ? automatic() : undefined;
  // A range of more months than an answer may have is paged by months.
  const granularity = asked.granularity ?? (found?.ok === true ? found.range.granularity : "month");
  return pageFrom({ startMs, endMs, nextMs: startMs, granularity, tz }, asked.limit ?? MAX_BUCKETS);
}

function pageFrom(page: PageCursor, limit: number): Answered {
  const { nextMs, endMs, granularity, tz } = page;
  const range = firstBuckets({ startMs: nextMs, endMs }, granularity, calendarFor(tz), limit);
  if (range.endMs >= endMs) return { ok: true, asked: { range, tz } };
  return { ok: true, asked: { range, tz, cursor: cursorText({ ...page, nextMs: range.endMs }) } };
}

/** Names a parameter that differs from the cursor's value. A parameter that is left out has the cursor's value. */
function differing(asked: SeriesAsked, page: PageCursor): string | undefined {
  const within = effectiveRange({ start: asked.start ?? page.startMs, end: asked.end ?? page.endMs }, 0);
  if (!within.ok || within.range.startMs !== page.startMs) return "start";
  if (within.range.endMs !== page.endMs) return "end";
  if ((asked.granularity ?? page.granularity) !== page.granularity) return "granularity";
  return (asked.tz ?? page.tz) === page.tz ? undefined : "tz";
}
