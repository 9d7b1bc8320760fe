// SPDX-License-Identifier: Apache-2.0
import type { MinuteCounts } from "../../domain/columns/minute-counts";
import type { LatestSums, Sums } from "../../domain/rules/cell-sums";

export type Granularity = "minute" | "hour" | "day";

export interface Cell extends Sums {
  startMs: number;
  /**
   * How often count, sum or valued changed after the bucket was first final (`ApplyOptions.finalBeforeMinute`); an
   * audit's corrections too.
   */
  revision: number;
  /** Where some of it was read from, if not from the store alone. */
  source?: "rollup";
}

export type Total = LatestSums;

/** A cell above the minutes beside what the stored cells one level below add up to; nothing is zero. */
export interface LevelSums {
  level: "hour" | "day" | "total";
  /** Of the hour or the day; 0 for a total. */
  startMs: number;
  videoId: string;
  eventType: string;
  stored: Sums;
  below: Sums;
}

export interface ApplyOptions {
  /**
   * Each cell is written at the correction it already has in the store (for a writer that has recounted the whole
   * minute from the archive), otherwise at the correction the cell carries (0 when none).
   */
  followCorrections?: boolean;
  /**
   * Minutes before this are final: a write that changes the value of one raises its revision, and so do changes of
   * hours and days that end by then. Default: no minute is final. A store to which no stream writes final minutes may
   * count corrections alone.
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
 * Counters by (video, type) at minute, hour, day and in total. Minutes are facts: absolute values, written in any order
 * and any number of times, of which the latest stays. Writes of a cell are ordered by (correction, received), where an
 * absent `received` is the count; two writes that are equal in both are the same write. So of one correction, all
 * writes of a cell must be states of one growing set of events (the panes of a window are): as more is received the
 * count never falls, with an equal count the valued count never falls, with both equal the sum never falls, and the
 * last event is never earlier. A store may order them by either, (correction, received) or (correction, count, valued,
 * sum, last). Hour, day and total are derived: they agree with the minutes whenever no write is under way, and move
 * together (I3).
 */
export interface CounterStore {
  /**
   * Writes minute cells; idempotent and order-free. Concurrent calls may share one transaction. Resolves when durable,
   * and when every level agrees with what was written. `written`: cells that were newer than what the store had;
   * `unchanged`: all others.
   */
  apply(counts: readonly MinuteCounts[], options?: ApplyOptions): Promise<{ written: number; unchanged: number }>;
  /**
   * The audit's numbers: sets these cells to exactly these values (count 0 = the cell should not exist) with stored
   * correction + 1; they should say how many were received, so that a writer that follows corrections is ordered
   * against them. Then rebuilds the hour, day and total of every video touched from its minutes.
   */
  correct(counts: readonly MinuteCounts[]): Promise<{ corrected: number }>;
  /** Recomputes hours, days (those touching [fromMs, toMs)) and the total of a video from its minutes. */
  rebuild(videoId: string, fromMs: number, toMs: number): Promise<void>;
  totals(videoId: string): Promise<Map<string, Total>>;
  /** Cells with count > 0 in [startMs, endMs), ascending. `startMs`/`endMs` are multiples of the granularity. */
  read(videoId: string, eventType: string, startMs: number, endMs: number, granularity: Granularity): Promise<Cell[]>;
  /** By count descending, ties by videoId ascending; [startMs, endMs) in whole minutes. */
  top(eventType: string, startMs: number, endMs: number, limit: number): Promise<VideoCount[]>;
  /**
   * The videos that grew most from [startMs - (endMs - startMs), startMs) to [startMs, endMs): by growth descending,
   * ties by videoId ascending, only those that grew; in whole minutes. Absent where the store has no ranking index.
   */
  rising?(eventType: string, startMs: number, endMs: number, limit: number): Promise<VideoGrowth[]>;
  /**
   * Ids of videos that have cells and begin with `text`, in order, behind `afterId`, at most `limit`. Absent where the
   * store keeps no ids in order.
   */
  videoIds?(text: string, afterId: string, limit: number): Promise<string[]>;
  /** Into how many parts the store divides the videos: each can be read by itself, and together they are all videos. */
  readonly videoParts: number;
  /** The part of a video, in [0, videoParts). */
  partOf(videoId: string): number;
  /**
   * Every stored cell of [fromMinute, toMinute), one MinuteCounts a minute that has any; of one part of the videos, or
   * of all.
   */
  minuteCells(fromMinute: number, toMinute: number, videoPart?: number): AsyncIterable<MinuteCounts>;
  /**
   * Hours since 1970 in [fromHour, toHour) that have stored minute cells, ascending. The work is in the hours there
   * are.
   */
  storedHours(fromHour: number, toHour: number): AsyncIterable<number>;
  /**
   * Of some videos the cells of an hour, of its day and in total, each beside the sum of what stands below. Where the
   * store has snapshots, those of a video are of one; else a write under way may show as a difference.
   */
  levels(videoIds: readonly string[], hour: number): AsyncIterable<LevelSums>;
  /** As `levels`, every total of one part of the videos. */
  totalLevels(videoPart: number): AsyncIterable<LevelSums>;
  /** Stored hour or day cells whose start is in [startMs, endMs), for the audit of derived levels. */
  derivedCells(
    granularity: "hour" | "day",
    startMs: number,
    endMs: number,
  ): AsyncIterable<{ videoId: string; eventType: string } & Cell>;
  /** Stored totals of every video, for the audit of derived levels. */
  allTotals(): AsyncIterable<{ videoId: string; eventType: string } & Total>;
  /**
   * What an audit must know of an hour whose cells have left the store, or are leaving it; absent where nothing ever
   * does.
   */
  rolledHour?(hour: number): Promise<RolledHour | undefined>;
  /**
   * The cells that have left the store, in any order; of one that is in several files each part. Absent as
   * `rolledHour`.
   */
  rolledCells?(
    granularity: "minute" | "hour",
    fromMs: number,
    toMs: number,
  ): AsyncIterable<{ videoId: string; eventType: string } & Omit<Cell, "source">>;
  close(): Promise<void>;
}

/** An hour whose minutes are in roll-ups: what the store has of them came later. */
export interface RolledHour {
  /** The hour is being rolled up: it can neither be compared nor corrected now. */
  isRolling: boolean;
  /**
   * Videos that have cells of the hour in roll-ups. Rejects with `StoreUnavailableError` where a roll-up is damaged.
   */
  videos(videoPart: number): Promise<Set<string>>;
}
