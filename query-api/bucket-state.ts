// SPDX-License-Identifier: Apache-2.0
/**
 * The state of each bucket of an answer (domain/rules/bucket-state.ts), from the ledger. Every endpoint that answers
 * with counts asks for it, and so do exports.
 */
import {
  type BucketState,
  bucketState,
  KEPT_SECONDS,
  leastCertain,
  type StateHorizons,
} from "../domain/rules/bucket-state";
import { MINUTE_MS, MINUTES_A_DAY, MINUTES_AN_HOUR } from "../domain/rules/time";
import type { Ledger } from "../io/ports";
import type { Freshness } from "./freshness";
import { nextTurn } from "./next-turn";
import type { BucketedRange, Range } from "./range";

export type { BucketState };

interface StateRules extends StateHorizons {
  ledger: Pick<Ledger, "auditedCounts">;
}

/**
 * The number of minutes of one query: it holds the event loop for about 2 ms where every minute is audited, and for
 * about 10 ms where the minutes are counted.
 */
const MINUTES_AT_ONCE = 7 * MINUTES_A_DAY;
const COUNTED_AT_ONCE = 90 * MINUTES_A_DAY;
/** The widths in which audited minutes are counted: days, hours, days of zones at a quarter hour, and minutes. */
const WIDTHS = [MINUTES_A_DAY, MINUTES_AN_HOUR, 15, 1] as const;

type Audited = Awaited<ReturnType<Ledger["auditedCounts"]>>;

/** The states of a range as they were last told, and what they were told from. */
interface Told extends StateHorizons {
  audits: readonly Audited[];
  completeThroughMs: number;
  states: readonly BucketState[];
}

/** By range: those that are asked for again and again are the same objects (asked-range.ts). */
const lastTold = new WeakMap<BucketedRange, Told>();

/**
 * Returns the state of every bucket of a range. The caller calls it before the counters are read: an audit corrects
 * before it marks, so the cells of a marked minute are corrected when they are read next. States that are equal to the
 * last ones of the same range are the same array.
 */
export async function bucketStates(
  range: BucketedRange,
  rules: StateRules,
  { completeThroughMs }: Pick<Freshness, "completeThroughMs">,
): Promise<readonly BucketState[]> {
  const { edges, startMs, endMs } = range;
  const audits: Audited[] = [];
  const auditedCounts: Ledger["auditedCounts"] = async (...asked) => {
    const counts = await rules.ledger.auditedCounts(...asked);
    audits.push(counts);
    return counts;
  };
  const width = widthOf(range);
  const stepMs = (width === 1 ? MINUTES_AT_ONCE : COUNTED_AT_ONCE) * MINUTE_MS;
  const parts: Iterable<[number, number]>[] = [];
  for (let fromMs = startMs; fromMs < endMs; fromMs += stepMs) {
    if (fromMs > startMs) await nextTurn();
    const [from, to] = [fromMs / MINUTE_MS, Math.min(fromMs + stepMs, endMs) / MINUTE_MS];
    parts.push(await auditedMinutes({ auditedCounts }, from, to, width));
  }
  const { finalAfterMs, rawRetentionMs } = rules;
  const now: Omit<Told, "states"> = { audits, completeThroughMs, finalAfterMs, rawRetentionMs };
  const before = lastTold.get(range);
  if (before !== undefined && isToldFrom(before, now)) return before.states;
  const told = statesFrom(parts, edges, now);
  const isSame = before?.states.every((state, bucket) => state === told[bucket]) === true;
  const states = isSame ? before.states : told;
  lastTold.set(range, { ...now, states });
  return states;
}

/** Whether the states were told from the same answers of the ledger, which nobody changes. */
function isToldFrom(told: Told, now: Omit<Told, "states">): boolean {
  return (
    told.completeThroughMs === now.completeThroughMs &&
    told.finalAfterMs === now.finalAfterMs &&
    told.rawRetentionMs === now.rawRetentionMs &&
    told.audits.length === now.audits.length &&
    told.audits.every((counts, index) => counts === now.audits[index])
  );
}

function statesFrom(
  parts: readonly Iterable<[number, number]>[],
  edges: readonly number[],
  { completeThroughMs, ...horizons }: Omit<Told, "states">,
): BucketState[] {
  const audited = new Float64Array(edges.length - 1);
  let bucket = 0;
  for (const part of parts) {
    for (const [first, minutes] of part) {
      while (first * MINUTE_MS >= edges[bucket + 1]!) bucket++;
      audited[bucket] = audited[bucket]! + minutes;
    }
  }
  return Array.from(audited, (minutes, index) => {
    const bucketEndMs = edges[index + 1]!;
    const isAudited = minutes * MINUTE_MS === bucketEndMs - edges[index]!;
    return bucketState(bucketEndMs, isAudited, completeThroughMs, horizons);
  });
}

const widths = new WeakMap<BucketedRange, number>();

function widthOf(range: BucketedRange): number {
  const known = widths.get(range);
  if (known !== undefined) return known;
  const width = WIDTHS.find((minutes) => range.edges.every((edgeMs) => edgeMs % (minutes * MINUTE_MS) === 0)) ?? 1;
  widths.set(range, width);
  return width;
}

/**
 * Returns how many minutes are audited, by the first minute of every `width`, ascending. Single minutes are queried by
 * the hour first: an audit covers whole hours, so few hours need a closer look, and few rows are read.
 */
async function auditedMinutes(
  ledger: StateRules["ledger"],
  from: number,
  to: number,
  width: number,
): Promise<Iterable<[number, number]>> {
  if (width > 1) return ledger.auditedCounts(from, to, width);
  const audited: [number, number][] = [];
  for (const [hour, minutes] of await ledger.auditedCounts(from, to, 60)) {
    const [first, end] = [Math.max(hour, from), Math.min(hour + MINUTES_AN_HOUR, to)];
    if (minutes === end - first) for (let minute = first; minute < end; minute++) audited.push([minute, 1]);
    else audited.push(...(await ledger.auditedCounts(first, end, 1)));
  }
  return audited;
}

/** Returns the state of a range taken as one bucket, in whole minutes. */
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
  // A cache may never serve a stale answer that can still change. It may serve a stale closed answer while it cannot
  // reach the service.
  return state === "final" || state === "audited" ? `${kept}, must-revalidate` : kept;
}

export const PROVISIONAL_CACHE = cacheControlOf("provisional");

/**
 * Returns how long an answer of these buckets may be kept: as long as its least certain bucket allows. The answer of a
 * channel follows the catalog, which may change for any time, so that a closed one is kept like an audited one.
 */
export function cacheControl(states: Iterable<BucketState>, ofChannel: boolean): string {
  const state = leastCertain(states);
  return cacheControlOf(ofChannel && state === "closed" ? "audited" : state);
}
