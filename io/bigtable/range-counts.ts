// SPDX-License-Identifier: Apache-2.0
/** The counts of some videos within a range of minutes: whole days and hours, and the minutes at both ends. */
import { dayOf, HOUR_MS, HOURS_A_DAY, hourOf, MINUTE_MS, MINUTES_AN_HOUR } from "../../domain/rules/time";
import { isBaseHour, isBaseMinute } from "./base-cells";
import { storedCells } from "./cells";
import type { BigtableConnection } from "./connection";
import { columnRange, minutesOfType } from "./row-filters";
import {
  DAY_FAMILY,
  HOUR_FAMILY,
  hourOfMinuteRow,
  hourOfText,
  hourText,
  LAST_HOUR,
  minuteRowKey,
  summaryRowKey,
  videoOfMinuteRow,
  videoOfSummaryRow,
} from "./row-keys";
import { type RowFilter, readRows } from "./rows";
import type { TierGuard } from "./tier-guard";

/** A half-open range of epoch minutes, within the years 1 to 9999. */
export interface MinuteRange {
  from: number;
  to: number;
}

type Add = (videoId: string, count: number) => void;

export class RangeCounts {
  constructor(
    private readonly connection: BigtableConnection,
    private readonly tiers: TierGuard,
  ) {}

  /** Returns the videos that have events. */
  async within(videoIds: readonly string[], type: string, { from, to }: MinuteRange): Promise<Map<string, number>> {
    const counts = new Map<string, number>();
    const add: Add = (videoId, count) => counts.set(videoId, (counts.get(videoId) ?? 0) + count);
    const fromHour = Math.ceil(from / MINUTES_AN_HOUR);
    const toHour = hourOf(to);
    if (fromHour > toHour) {
      await this.#addMinutes(add, videoIds, type, from, to);
    } else {
      const fromDay = Math.ceil(fromHour / HOURS_A_DAY);
      const toDay = Math.max(fromDay, dayOf(toHour));
      const firstHours = Math.min(fromDay * HOURS_A_DAY, toHour);
      await Promise.all([
        this.#addMinutes(add, videoIds, type, from, fromHour * MINUTES_AN_HOUR),
        this.#addHours(add, videoIds, type, fromHour, firstHours),
        this.#addDays(add, videoIds, type, fromDay * HOURS_A_DAY, toDay * HOURS_A_DAY),
        this.#addHours(add, videoIds, type, Math.max(toDay * HOURS_A_DAY, firstHours), toHour),
        this.#addMinutes(add, videoIds, type, toHour * MINUTES_AN_HOUR, to),
      ]);
    }
    for (const [videoId, count] of counts) if (count <= 0) counts.delete(videoId);
    return counts;
  }

  /** The minutes are of one hour. */
  async #addMinutes(add: Add, videoIds: readonly string[], type: string, from: number, to: number): Promise<void> {
    if (from >= to) return;
    const isHidden = await this.tiers.hidden("minute", from * MINUTE_MS);
    const rows = await readRows(this.connection, {
      tableName: this.connection.tables.minutes,
      keys: videoIds.map((videoId) => minuteRowKey(videoId, hourOf(from))).sort(),
      filter: minutesOfType(type),
    });
    for (const row of rows) {
      const first = hourOfMinuteRow(row.key) * MINUTES_AN_HOUR;
      for (const { qualifier, cell } of storedCells(row.cells)) {
        if (isBaseMinute(qualifier)) continue;
        const minute = first + Number(qualifier.slice(-2));
        if (minute >= from && minute < to && !isHidden(minute * MINUTE_MS)) add(videoOfMinuteRow(row.key), cell.count);
      }
    }
  }

  async #addHours(add: Add, videoIds: readonly string[], type: string, from: number, to: number): Promise<void> {
    if (from >= to) return;
    const isHidden = await this.tiers.hidden("hour", from * HOUR_MS);
    const isCounted = (name: string) =>
      name.slice(11) === type && !isBaseHour(name) && !isHidden(hourOfText(name.slice(0, 10)) * HOUR_MS);
    await this.#addColumns(add, videoIds, timed(HOUR_FAMILY, 10, from, to), isCounted);
  }

  async #addDays(add: Add, videoIds: readonly string[], type: string, from: number, to: number): Promise<void> {
    if (from >= to) return;
    await this.#addColumns(add, videoIds, timed(DAY_FAMILY, 8, from, to), (name) => name.slice(9) === type);
  }

  /**
   * The type is picked in this process: a regular expression over the columns costs more than a few types do (the
   * emulator compiles it for each column).
   */
  async #addColumns(
    add: Add,
    videoIds: readonly string[],
    filter: RowFilter,
    isCounted: (name: string) => boolean,
  ): Promise<void> {
    const keys = videoIds.map(summaryRowKey).sort();
    const rows = await readRows(this.connection, { tableName: this.connection.tables.summaries, keys, filter });
    for (const row of rows)
      for (const { qualifier, cell } of storedCells(row.cells))
        if (isCounted(qualifier)) add(videoOfSummaryRow(row.key), cell.count);
  }
}

/** Matches the columns of hours or days [from, to). */
function timed(family: string, width: number, from: number, to: number): RowFilter {
  const end = to > LAST_HOUR ? "9999999999" : hourText(to);
  return columnRange(family, hourText(from).slice(0, width), end.slice(0, width));
}
