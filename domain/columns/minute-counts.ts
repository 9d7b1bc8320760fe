// SPDX-License-Identifier: Apache-2.0
/**
 * The counts of one minute: columns, one row a (video, type) cell. This is what leaves the last transform, what a
 * CounterStore applies and what it gives to the audit.
 */
export interface MinuteCounts {
  /** Epoch milliseconds / 60,000. */
  minute: number;
  videos: string[];
  types: string[];
  /** Row -> index into `videos` / `types`. All columns have the same length. */
  videoIndex: Uint32Array;
  typeIndex: Uint32Array;
  /** Distinct events. */
  counts: Float64Array;
  /** Distinct events that have a value; at most `counts`. */
  valued: Float64Array;
  /** Sum of values = sumHigh * 2^32 + sumLow, with 0 <= sumLow < 2^32 (canonical), exact for any number of events. */
  sumHigh: Float64Array;
  sumLow: Float64Array;
  /** Latest event time of the cell, milliseconds within the minute. */
  lastMsInMinute: Uint16Array;
  /**
   * Received events of the cell, repeats included: of two states of a cell with the same correction the one that
   * received more is the later. At most 2^29 - 1 (a store may use it as a version). Absent: the count, which orders
   * states that differ in it.
   */
  received?: Float64Array;
  /** Times an audit has changed the cell; absent: 0 everywhere. */
  corrections?: Float64Array;
  /** Times the cell's value changed after it was first final, where a store gives its cells. */
  revisions?: Float64Array;
}

/**
 * How many events of a cell had a value, where the cell was stored before cells knew it: all of them where the sum
 * tells of values, so that the average stays what it was, and none otherwise. An audit that recounts the minute
 * replaces the assumption.
 */
export function assumedValued(count: number, isSumZero: boolean): number {
  return isSumZero ? 0 : count;
}
