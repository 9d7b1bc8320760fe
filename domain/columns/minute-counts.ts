// SPDX-License-Identifier: Apache-2.0
/**
 * The counts of one minute, in the form in which the stream hands them to a counter store and the audit reads them
 * back.
 */

/** Names by number, in a space that outlives the counts whose names it has: a number never stands for another name. */
export interface VideoNames {
  /** Numbers given so far: 0 to `videoCount` - 1. */
  readonly videoCount: number;
  videoText(number: number): string;
}

/**
 * The counts of one minute as columns, one row a (video, type) cell. The last transform emits them, a CounterStore
 * applies them, and the audit reads them back from the store.
 */
export interface MinuteCounts {
  /** Minutes since the epoch. */
  minute: number;
  /** Read it only where strings are needed: counts of panes make them on demand. */
  readonly videos: readonly string[];
  /** The numbers of `videos` in a space of names: a store remembers with them what it calls each video. */
  named?: { names: VideoNames; numbers: Uint32Array };
  types: string[];
  /** The index of each row's name in `videos` and `types`. All columns have the same length. */
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
   * Received events of the cell, repeats included. Of two states of a cell with the same correction, the state that
   * received more is the later one. At most 2^29 - 1, because a store may use the number as a version. Where the column
   * is absent, the count orders the states.
   */
  received?: Float64Array;
  /** How often an audit has changed the cell; where the column is absent, 0 for every cell. */
  corrections?: Float64Array;
  /** How often the cell's value changed after it was first final. Only stores that keep revisions give the column. */
  revisions?: Float64Array;
}

/**
 * Returns how many events of a cell had a value, for a cell stored before cells kept that number. The answer is all
 * events where the sum is not 0, so that the average stays as it was, and no event otherwise. An audit that recounts
 * the minute replaces the assumption.
 */
export function assumedValued(count: number, isSumZero: boolean): number {
  return isSumZero ? 0 : count;
}
