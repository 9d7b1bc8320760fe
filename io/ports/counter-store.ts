// SPDX-License-Identifier: Apache-2.0
/**
 * The port of the counters. The stream writes absolute values to it, the read API answers from it, and the audit
 * compares and corrects it. io/sqlite/ and io/bigtable/ implement it.
 */
import type { MinuteCounts } from "../../domain/columns/minute-counts";
import type { LatestSums, Sums } from "../../domain/rules/cell-sums";
import type { RollUp } from "./cell-tiers";

export type Granularity = "minute" | "hour" | "day";

export interface Cell extends Sums {
  startMs: number;
  /**
   * How often count, sum or valued changed after the bucket was first final (`ApplyOptions.finalBeforeMinute`),
   * corrections of audits included.
   */
  revision: number;
  /** Set where part of the numbers was read from a roll-up. */
  source?: "rollup";
}

export type Total = LatestSums;

/**
 * A cell above the minutes beside the sum of the stored cells one level below. No number is left out: a missing cell is
 * 0.
 */
export interface LevelSums {
  level: "hour" | "day" | "total";
  /** The start of the hour or the day; 0 for a total. */
  startMs: number;
  videoId: string;
  eventType: string;
  stored: Sums;
  below: Sums;
}

export interface ApplyOptions {
  /**
   * Whether each cell is written at the correction that it has in the store (for a writer that has recounted the whole
   * minute from the archive). Otherwise each cell is written at the correction that it carries (0 by default).
   */
  followCorrections?: boolean;
  /**
   * Minutes before this one are final. A write that changes a final minute raises the minute's revision, and so do
   * changes of hours and days that end by then. Default: no minute is final. A store to which no stream writes final
   * minutes may count corrections alone.
   */
  finalBeforeMinute?: number;
}

export interface VideoCount {
  videoId: string;
  count: number;
}

export interface VideoGrowth extends VideoCount {
  /** The count of the range before. */
  previous: number;
}

/**
 * Counters by (video, type) for each minute, hour and day, and in total. Minutes are facts: absolute values, written in
 * any order and any number of times, of which the latest stays. Writes of a cell are ordered by (correction, received),
 * where an absent `received` is the count; two writes that are equal in both are the same write. So all writes of a
 * cell with one correction must be states of one growing set of events, as the panes of a window are. As more is
 * received the count never falls, with an equal count the valued count never falls, with both equal the sum never
 * falls, and the last event is never earlier. A store may order writes by (correction, received) or by (correction,
 * count, valued, sum, last). Hour, day and total are derived: they agree with the minutes whenever no write is under
 * way, and change together ([I3](../../docs/invariants.md)).
 */
export interface CounterStore {
  /**
   * Writes minute cells; idempotent and independent of order. Concurrent calls may share one transaction. Resolves when
   * the cells are durable and every level agrees with them. `written` counts the cells that were newer than the
   * store's; `unchanged` counts all others.
   */
  apply(counts: readonly MinuteCounts[], options?: ApplyOptions): Promise<{ written: number; unchanged: number }>;
  /**
   * Writes the audit's numbers: sets these cells to exactly these values (count 0 removes the cell) with the stored
   * correction + 1. The cells should carry their received count, so that a writer that follows corrections is ordered
   * against them. Then rebuilds the hour, day and total of every touched video from its minutes.
   */
  correct(counts: readonly MinuteCounts[]): Promise<{ corrected: number }>;
  /** Recomputes hours, days (those that touch [fromMs, toMs)) and the total of a video from its minutes. */
  rebuild(videoId: string, fromMs: number, toMs: number): Promise<void>;
  totals(videoId: string): Promise<Map<string, Total>>;
  /**
   * Returns the cells with count > 0 in [startMs, endMs), ascending. `startMs` and `endMs` are multiples of the
   * granularity.
   */
  read(videoId: string, eventType: string, startMs: number, endMs: number, granularity: Granularity): Promise<Cell[]>;
  /** Returns the videos by count descending, ties by videoId ascending; [startMs, endMs) in whole minutes. */
  top(eventType: string, startMs: number, endMs: number, limit: number): Promise<VideoCount[]>;
  /**
   * Returns the videos that grew most from [startMs - (endMs - startMs), startMs) to [startMs, endMs), in whole
   * minutes: by growth descending, ties by videoId ascending, only videos that grew.
   */
  rising(eventType: string, startMs: number, endMs: number, limit: number): Promise<VideoGrowth[]>;
  /**
   * Returns ids of videos that have cells and begin with `text`, in order, after `afterId`, at most `limit`. Absent
   * where the store keeps no ids in order.
   */
  videoIds?(text: string, afterId: string, limit: number): Promise<string[]>;
  /**
   * Returns ids of videos in the order in which the store first counted them, behind a place (0: from the first), at
   * most `limit`, with the place of the last. A video that is counted later has a later place. A video may be listed
   * again. Absent where the store keeps no such order.
   */
  videosSeen?(after: number, limit: number): Promise<{ videoIds: string[]; last: number }>;
  /**
   * The number of parts into which the store divides the videos. Each part can be read by itself; together they are all
   * videos.
   */
  readonly videoParts: number;
  /** Returns the part of a video, in [0, videoParts). */
  partOf(videoId: string): number;
  /**
   * Yields every stored cell of [fromMinute, toMinute), one MinuteCounts for each minute with cells, of one part of the
   * videos or of all.
   */
  minuteCells(fromMinute: number, toMinute: number, videoPart?: number): AsyncIterable<MinuteCounts>;
  /**
   * Yields the hours since 1970 in [fromHour, toHour) with stored minute cells, ascending. The work depends on the
   * stored hours and not on the range.
   */
  storedHours(fromHour: number, toHour: number): AsyncIterable<number>;
  /**
   * Yields the cells of some videos for an hour, its day and in total, each beside the sum of the level below. Where
   * the store has snapshots, a video's cells are of one snapshot; otherwise a write under way may show as a difference.
   */
  levels(videoIds: readonly string[], hour: number): AsyncIterable<LevelSums>;
  /** Yields every total of one part of the videos, as `levels` does. */
  totalLevels(videoPart: number): AsyncIterable<LevelSums>;
  /** Yields stored hour or day cells whose start is in [startMs, endMs), for the audit of derived levels. */
  derivedCells(
    granularity: "hour" | "day",
    startMs: number,
    endMs: number,
  ): AsyncIterable<{ videoId: string; eventType: string } & Cell>;
  /** Yields the stored totals of every video, for the audit of derived levels. */
  allTotals(): AsyncIterable<{ videoId: string; eventType: string } & Total>;
  /**
   * Returns the state of an hour whose cells have left the store, or are leaving it. Absent where no cell ever leaves.
   */
  rolledHour?(hour: number): Promise<RolledHour | undefined>;
  /** Returns the files of all cells that have left the store. Absent as `rolledHour`. */
  rollUps?(): Promise<readonly RollUp[]>;
  /**
   * Returns what is wrong with a file, with its name: it is missing or has another size, and, of a file that is looked
   * at whole, other bytes than were written, or cells that cannot be read. Undefined: nothing is. Absent as
   * `rolledHour`.
   */
  flawOf?(rollUp: RollUp, extent: "size" | "whole"): Promise<string | undefined>;
  /**
   * Yields the cells that have left the store, in any order. A cell that is in several files is yielded once for each.
   * Absent as `rolledHour`.
   */
  rolledCells?(
    granularity: "minute" | "hour",
    fromMs: number,
    toMs: number,
  ): AsyncIterable<{ videoId: string; eventType: string } & Omit<Cell, "source">>;
  close(): Promise<void>;
}

/** An hour whose minutes are in roll-ups. Cells that the store has of it are of later events. */
export interface RolledHour {
  /** Whether the hour is being rolled up, and can neither be compared nor corrected now. */
  isRolling: boolean;
  /**
   * Returns the videos with cells of the hour in roll-ups. Rejects with `StoreUnavailableError` where a roll-up is
   * damaged.
   */
  videos(videoPart: number): Promise<Set<string>>;
  /** Events of a minute of the hour that are counted in roll-ups, of all videos. Rejects as `videos`. */
  counted(minute: number): Promise<number>;
}
