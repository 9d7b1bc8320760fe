// SPDX-License-Identifier: Apache-2.0
/**
 * The states that tell a reader how much to rely on a bucket's numbers, on one machine and on a cluster alike. The read
 * API gives one of them with every bucket of an answer.
 */
import { isFinal } from "./lateness";
import { SECONDS_A_DAY } from "./time";

/**
 * - `provisional`: the stream may still change the bucket.
 * - `final`: the stream has passed the bucket. An event that is accepted for it later still counts, and raises its
 *   revision.
 * - `audited`: final, and an audit has recounted the bucket from the archive, found it equal or corrected it, and no
 *   event has arrived since.
 * - `closed`: audited, and so old that no event can be accepted for it any more. Only an operator's backfill opens it
 *   again.
 */
export type BucketState = "provisional" | "final" | "audited" | "closed";

export interface StateHorizons {
  /** How long after a bucket's end the stream may still change it. */
  finalAfterMs: number;
  /** The largest age at which an event is accepted. */
  rawRetentionMs: number;
}

/**
 * Returns a bucket's state. `completeThroughMs` decides and not the clock: an accepted event that is not counted yet
 * may belong to any bucket that is open by `completeThroughMs`.
 */
export function bucketState(
  endMs: number,
  isAudited: boolean,
  completeThroughMs: number,
  { finalAfterMs, rawRetentionMs }: StateHorizons,
): BucketState {
  if (!isFinal(endMs, completeThroughMs, finalAfterMs)) return "provisional";
  if (!isAudited) return "final";
  return completeThroughMs < endMs + rawRetentionMs ? "audited" : "closed";
}

/**
 * How long a cache may keep an answer with such a bucket, in seconds. A final or audited bucket changes seldom; an
 * operator alone changes a closed one.
 */
export const KEPT_SECONDS: Readonly<Record<BucketState, number>> = {
  provisional: 1,
  final: 60,
  audited: 60,
  closed: SECONDS_A_DAY,
};

const LEAST_CERTAIN_FIRST: readonly BucketState[] = ["provisional", "final", "audited", "closed"];

/** Returns the state of an answer with buckets of these states: the least certain of them. */
export function leastCertain(states: Iterable<BucketState>): BucketState {
  const found = new Set(states);
  return LEAST_CERTAIN_FIRST.find((state) => found.has(state)) ?? "closed";
}
