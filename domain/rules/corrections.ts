// SPDX-License-Identifier: Apache-2.0
/**
 * An audit's numbers for the cells that differ, as the columns a counter store corrects. The comparison of an audit
 * with `--repair` makes them.
 */
import type { MinuteCounts } from "../columns/minute-counts";
import { intern } from "../intern";

/** The numbers that one cell should have. */
interface CorrectedCell {
  videoId: string;
  eventType: string;
  expectedCount: number;
  expectedSum: bigint;
  expectedValued: number;
  /** Latest event of the cell, milliseconds within the minute. */
  lastMsInMinute: number;
}

/**
 * The largest number of cells of one correction. A store writes each correction in a transaction of its own and
 * rebuilds the levels above every video in it. With 512 cells the transaction stays well below the 100 ms that it may
 * take beside a live stream.
 */
export const MAX_CORRECTED_CELLS = 512;

/**
 * Yields the corrections of a minute, each with at most `MAX_CORRECTED_CELLS` cells and its own dictionaries of names.
 */
export function* correctionsOf(minute: number, cells: readonly CorrectedCell[]): Generator<MinuteCounts> {
  for (let from = 0; from < cells.length; from += MAX_CORRECTED_CELLS) {
    yield correction(minute, cells.slice(from, from + MAX_CORRECTED_CELLS));
  }
}

function correction(minute: number, cells: readonly CorrectedCell[]): MinuteCounts {
  const videos = new Map<string, number>();
  const types = new Map<string, number>();
  return {
    minute,
    videoIndex: Uint32Array.from(cells, ({ videoId }) => intern(videos, videoId)),
    typeIndex: Uint32Array.from(cells, ({ eventType }) => intern(types, eventType)),
    videos: [...videos.keys()],
    types: [...types.keys()],
    counts: Float64Array.from(cells, ({ expectedCount }) => expectedCount),
    valued: Float64Array.from(cells, ({ expectedValued }) => expectedValued),
    sumHigh: Float64Array.from(cells, ({ expectedSum }) => Number(expectedSum >> 32n)),
    sumLow: Float64Array.from(cells, ({ expectedSum }) => Number(expectedSum & 0xffff_ffffn)),
    lastMsInMinute: Uint16Array.from(cells, ({ lastMsInMinute }) => lastMsInMinute),
  };
}
