// SPDX-License-Identifier: Apache-2.0
/**
 * The check of cells before a counter store applies them. A cell that fails the check is the caller's bug and would
 * corrupt every level above it. Both counter stores call it at the start of a write.
 */

import type { MinuteCounts } from "../columns/minute-counts";
import { MAX_TIME_MS } from "../event";
import { MINUTE_MS } from "./time";

/**
 * Throws a RangeError when the minute is beyond what a Date holds, columns differ in length, an index points nowhere, a
 * count is negative or not an integer, fewer events were received than are counted, more events have a value than are
 * counted, a sum is not canonical or is there without a value, or the last event lies outside of the minute.
 */
export function refuseUncountable(counts: MinuteCounts): void {
  const {
    minute,
    videos,
    types,
    videoIndex,
    typeIndex,
    sumHigh,
    sumLow,
    lastMsInMinute,
    valued,
    received,
    corrections,
  } = counts;
  const cells = counts.counts.length;
  const columns = [
    videoIndex,
    typeIndex,
    sumHigh,
    sumLow,
    lastMsInMinute,
    valued,
    received ?? counts.counts,
    corrections ?? counts.counts,
  ];
  if (
    !(Number.isSafeInteger(minute) && Math.abs(minute) <= MAX_TIME_MS / MINUTE_MS) ||
    columns.some((column) => column.length !== cells)
  ) {
    throw new RangeError(`minute ${minute}: not a minute of a Date, or its columns differ in length`);
  }
  for (let row = 0; row < cells; row++) {
    const low = sumLow[row]!;
    const countable =
      videoIndex[row]! < videos.length &&
      typeIndex[row]! < types.length &&
      isCount(counts.counts[row]!) &&
      isCount(valued[row]!) &&
      valued[row]! <= counts.counts[row]! &&
      (valued[row]! > 0 || (sumHigh[row]! === 0 && low === 0)) &&
      Number.isSafeInteger(sumHigh[row]!) &&
      Number.isInteger(low) &&
      low >= 0 &&
      low < 2 ** 32 &&
      lastMsInMinute[row]! < MINUTE_MS &&
      (received === undefined || (isCount(received[row]!) && received[row]! >= counts.counts[row]!)) &&
      (corrections === undefined || isCount(corrections[row]!));
    if (!countable) throw new RangeError(`minute ${minute}, row ${row}: not a countable cell`);
  }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
