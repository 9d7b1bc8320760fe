import {
  type BucketState,
  bucketState,
  KEPT_SECONDS,
  leastCertain,
  type StateHorizons,
} from "../domain/rules/bucket-state";
import { MINUTE_MS, MINUTES_A_DAY } from "../domain/rules/time";
import type { Ledger } from "../io/ports";
import type { Freshness } from "./freshness";
import { nextTurn } from "./next-turn";
import type { BucketedRange, Range } from "./range";

export type { BucketState };

export interface StateRules extends StateHorizons {
  ledger: Pick<Ledger, "auditedCounts">;
}

/** Minutes asked for at a time: the event loop is held for about 2 ms where every one is answered for, and for about 10 where they are counted. */
const MINUTES_AT_ONCE = 7 * MINUTES_A_DAY;
const COUNTED_AT_ONCE = 90 * MINUTES_A_DAY;

/**
 * The state of every bucket of a range. To be called before the counters are read: an audit corrects first and marks
 * then, so what is marked now is corrected in what is read next.
 */
export async function bucketStates(
  range: BucketedRange,
  rules: StateRules,
  freshness: Freshness,
): Promise<BucketState[]> {
  const { startMs, endMs, bucketMs } = range;
  const bucketMinutes = bucketMs / MINUTE_MS;
  const minutesAtOnce = bucketMinutes === 1 ? MINUTES_AT_ONCE : COUNTED_AT_ONCE;
  const stepMs = Math.max(1, Math.floor(minutesAtOnce / bucketMinutes)) * bucketMs;
  const states: BucketState[] = [];
  for (let fromMs = startMs; fromMs < endMs; fromMs += stepMs) {
    if (fromMs > startMs) await nextTurn();
    const toMs = Math.min(fromMs + stepMs, endMs);
    const audited = await auditedBuckets(rules, fromMs / MINUTE_MS, toMs / MINUTE_MS, bucketMinutes);
    for (let atMs = fromMs; atMs < toMs; atMs += bucketMs) {
      const allAudited = audited.has(atMs / MINUTE_MS);
      states.push(bucketState(atMs + bucketMs, allAudited, freshness.completeThroughMs, rules));
    }
  }
  return states;
}

/**
 * The buckets (by their first minute) whose minutes are all audited. Minutes are asked for by the hour first: audits
 * do whole hours, so that few hours have to be looked into, and few rows are read.
 */
async function auditedBuckets({ ledger }: StateRules, from: number, to: number, width: number): Promise<Set<number>> {
  const audited = new Set<number>();
  if (width > 1) {
    for (const [first, minutes] of await ledger.auditedCounts(from, to, width)) {
      if (minutes === width) audited.add(first);
    }
    return audited;
  }
  for (const [hour, minutes] of await ledger.auditedCounts(from, to, 60)) {
    const [first, end] = [Math.max(hour, from), Math.min(hour + 60, to)];
    if (minutes === end - first) for (let minute = first; minute < end; minute++) audited.add(minute);
    else for (const minute of (await ledger.auditedCounts(first, end, 1)).keys()) audited.add(minute);
  }
  return audited;
}

/** The state of a range taken as one bucket, in whole minutes. */
export async function rangeState(
  { startMs, endMs }: Range,
  rules: StateRules,
  freshness: Freshness,
): Promise<BucketState> {
  let allAudited = true;
  const stepMs = COUNTED_AT_ONCE * MINUTE_MS;
  for (let fromMs = startMs; fromMs < endMs && allAudited; fromMs += stepMs) {
    if (fromMs > startMs) await nextTurn();
    const [from, to] = [fromMs / MINUTE_MS, Math.min(fromMs + stepMs, endMs) / MINUTE_MS];
    let audited = 0;
    for (const minutes of (await rules.ledger.auditedCounts(from, to, COUNTED_AT_ONCE)).values()) audited += minutes;
    allAudited = audited === to - from;
  }
  return bucketState(endMs, allAudited, freshness.completeThroughMs, rules);
}

function cacheControlOf(state: BucketState): string {
  const kept = `public, max-age=${KEPT_SECONDS[state]}`;
  // An answer that may still change is never served stale; a closed one may be, by a cache that cannot reach the service.
  return state === "final" || state === "audited" ? `${kept}, must-revalidate` : kept;
}

export const PROVISIONAL_CACHE = cacheControlOf("provisional");

/** How long an answer of these buckets may be kept: as its least certain one. */
export function cacheControl(states: Iterable<BucketState>): string {
  return cacheControlOf(leastCertain(states));
}
