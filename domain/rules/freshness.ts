// SPDX-License-Identifier: Apache-2.0
/**
 * Through which time the counters are complete: every event accepted before it is in what a reader finds afterwards.
 * Only times of receipt hold it back, because an event may belong to any minute. The progress of counting (io/ports)
 * and the read API compute `completeThrough` by this rule.
 */

/**
 * `nowMs`: when the question began, so that an event accepted meanwhile is never promised. `heldAtMs`: for each road
 * that events take, when the first event on it that is not counted was accepted; undefined where all are counted.
 */
export function completeThrough(nowMs: number, ...heldAtMs: readonly (number | undefined)[]): number {
  return heldAtMs.reduce<number>((through, held) => Math.min(through, held ?? through), nowMs);
}
