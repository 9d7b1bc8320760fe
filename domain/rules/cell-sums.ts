// SPDX-License-Identifier: Apache-2.0
/**
 * The addition of cells: an hour is the sum of its minutes, a day of its hours, a total of its days (invariant I3 of
 * docs/invariants.md). Parts of a cell, a store's cells with those of roll-ups, and the buckets of an answer are added
 * up in the same way. The block of the SQLite store keeps the same sums in columns (io/sqlite/cell-block.ts);
 * test/domain/rules/cell-sums.test.ts holds both to this file.
 */

/** The sums over some events: distinct events, the exact sum of their values, and the number of events with a value. */
export interface Sums {
  count: number;
  sum: bigint;
  valued: number;
}

/** The sums of no events. */
export const NO_SUMS: Readonly<Sums> = { count: 0, sum: 0n, valued: 0 };

/** The sums of two sets of events that have none in common. */
export function sumOf(a: Sums, b: Sums): Sums {
  return { count: a.count + b.count, sum: a.sum + b.sum, valued: a.valued + b.valued };
}

/** Returns `a` without the events of `b`, all of which are in `a`. */
export function differenceOf(a: Sums, b: Sums): Sums {
  return { count: a.count - b.count, sum: a.sum - b.sum, valued: a.valued - b.valued };
}

/** Adds to `sums` in place; as `sumOf`, for loops over many cells. */
export function addTo(sums: Sums, { count, sum, valued }: Sums): void {
  sums.count += count;
  if (sum !== 0n) sums.sum += sum;
  sums.valued += valued;
}

export function isSameSums(a: Sums, b: Sums): boolean {
  return a.count === b.count && a.sum === b.sum && a.valued === b.valued;
}

/** Sums with the epoch milliseconds of the latest of the events. */
export interface LatestSums extends Sums {
  lastEventAtMs: number;
}

/** Adds as `sumOf` does; the latest event is the later of the two. */
export function latestSumOf(a: LatestSums | undefined, b: LatestSums): LatestSums {
  return a === undefined ? b : { ...sumOf(a, b), lastEventAtMs: Math.max(a.lastEventAtMs, b.lastEventAtMs) };
}
