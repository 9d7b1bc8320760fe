// SPDX-License-Identifier: Apache-2.0
/** What a reader may rely on of a bucket's numbers; the same on one machine and on a cluster. */
import { isFinal } from "./lateness";
import { SECONDS_A_DAY } from "./time";

/**
 * provisional: the stream may still change it. final: the stream is through with it; an event that is accepted for it
 * later still counts and raises its revision. audited: final, recounted from the archive and equal or corrected, and
 * nothing came since. closed: audited, and so old that no event can be accepted for it any more; only an operator's
 * backfill reopens it.
 */
export type BucketState = "provisional" | "final" | "audited" | "closed";

export interface StateHorizons {
  /** How long after its end a bucket may still be changed by the stream. */
  finalAfterMs: number;
  /** How old an event may be when it is accepted. */
  rawRetentionMs: number;
}

/**
 * `completeThroughMs`, not the clock, decides: what is accepted and not counted yet may belong to any bucket that is
 * open by it.
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
 * For how long an answer of such a bucket may be kept, seconds; a final or audited one changes seldom, a closed one by
 * an operator's hand only.
 */
export const KEPT_SECONDS: Readonly<Record<BucketState, number>> = {
  provisional: 1,
  final: 60,
  audited: 60,
  closed: SECONDS_A_DAY,
};

const LEAST_CERTAIN_FIRST: readonly BucketState[] = ["provisional", "final", "audited", "closed"];

/** The state of an answer that has buckets of these: that of its least certain one. */
export function leastCertain(states: Iterable<BucketState>): BucketState {
  const found = new Set(states);
  return LEAST_CERTAIN_FIRST.find((state) => found.has(state)) ?? "closed";
}
