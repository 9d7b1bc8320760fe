/** What a counter store accepts as a cell. A cell that is none is the caller's bug and would corrupt every level. */
import type { MinuteCounts } from "./minute-counts";

/**
 * Throws a RangeError when columns differ in length, an index points nowhere, a count is negative or not an integer,
 * fewer events came than are counted, a sum is not canonical, or the last event lies outside of the minute.
 */
export function refuseUncountable(counts: MinuteCounts): void {
  const { minute, videos, types, videoIndex, typeIndex, sumHigh, sumLow, lastMsInMinute, received, corrections } =
    counts;
  const cells = counts.counts.length;
  const columns = [
    videoIndex,
    typeIndex,
    sumHigh,
    sumLow,
    lastMsInMinute,
    received ?? counts.counts,
    corrections ?? counts.counts,
  ];
  if (!Number.isSafeInteger(minute) || columns.some((column) => column.length !== cells)) {
    throw new RangeError(`minute ${minute}: not an integer, or its columns differ in length`);
  }
  for (let row = 0; row < cells; row++) {
    const low = sumLow[row]!;
    const countable =
      videoIndex[row]! < videos.length &&
      typeIndex[row]! < types.length &&
      isCount(counts.counts[row]!) &&
      Number.isSafeInteger(sumHigh[row]!) &&
      Number.isInteger(low) &&
      low >= 0 &&
      low < 2 ** 32 &&
      lastMsInMinute[row]! < 60_000 &&
      (received === undefined || (isCount(received[row]!) && received[row]! >= counts.counts[row]!)) &&
      (corrections === undefined || isCount(corrections[row]!));
    if (!countable) throw new RangeError(`minute ${minute}, row ${row}: not a countable cell`);
  }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
