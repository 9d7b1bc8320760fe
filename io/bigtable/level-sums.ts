// SPDX-License-Identifier: Apache-2.0
/** The levels above the minutes, each cell beside the sum of the cells below it, for the audit of derived levels. */
import { addTo, NO_SUMS, type Sums } from "../../domain/rules/cell-sums";
import { HOUR_MS } from "../../domain/rules/time";
import type { LevelSums } from "../ports";
import { isBaseHour, isBaseMinute } from "./base-cells";
import { storedCells } from "./cells";
import type { CounterCell } from "./codec";
import type { BigtableConnection } from "./connection";
import { allOf, columnRange } from "./row-filters";
import {
  DAY_FAMILY,
  dayStartHour,
  HOUR_FAMILY,
  hourText,
  isStorableHour,
  MINUTE_FAMILY,
  minuteRowKey,
  saltRange,
  summaryRowKey,
  TOTAL_FAMILY,
  videoOfMinuteRow,
  videoOfSummaryRow,
} from "./row-keys";
import { pages, type Row, type RowFilter, readRows } from "./rows";

/** Videos whose rows are in memory at once: a year of days and some types take about 100 kB a video. */
const VIDEOS_AT_ONCE = 128;
const TOTALS_AND_DAYS: RowFilter = { familyNameRegexFilter: `${TOTAL_FAMILY}|${DAY_FAMILY}` };

export class LevelReader {
  constructor(private readonly connection: BigtableConnection) {}

  async *levels(videoIds: readonly string[], hour: number): AsyncGenerator<LevelSums, void, undefined> {
    for (let from = 0; from < videoIds.length; from += VIDEOS_AT_ONCE) {
      yield* await this.#levelsOf(videoIds.slice(from, from + VIDEOS_AT_ONCE), hour);
    }
  }

  /** Yields every total of a salt, and every sum of days without a total. */
  async *totals(salt: number): AsyncGenerator<LevelSums, void, undefined> {
    const { summaries } = this.connection.tables;
    for await (const row of pages(this.connection, summaries, saltRange(salt), TOTALS_AND_DAYS)) {
      const found = new Joined();
      addTotals(found, videoOfSummaryRow(row.key), row);
      yield* found.cells.values();
    }
  }

  async #levelsOf(videoIds: readonly string[], hour: number): Promise<LevelSums[]> {
    const { summaries, minutes } = this.connection.tables;
    const found = new Joined();
    const keys = videoIds.map(summaryRowKey).sort();
    // Parents are read before children, see row-loader.ts.
    const read = (filter: RowFilter) => readRows(this.connection, { tableName: summaries, keys, filter });
    const totals = await read(TOTALS_AND_DAYS);
    for (const row of totals) addTotals(found, videoOfSummaryRow(row.key), row);
    if (!isStorableHour(hour)) return [...found.cells.values()];
    const name = hourText(hour);
    const day = name.slice(0, 8);
    const dayMs = dayStartHour(day) * HOUR_MS;
    for (const row of totals) {
      for (const { type, time, sums } of cellsOf(row, DAY_FAMILY))
        if (time === day) addTo(found.cell("day", dayMs, videoOfSummaryRow(row.key), type).stored, sums);
    }
    for (const row of await read(columnRange(HOUR_FAMILY, day, `${day}~`))) {
      const videoId = videoOfSummaryRow(row.key);
      for (const { type, time, sums } of cellsOf(row, HOUR_FAMILY)) {
        addTo(found.cell("day", dayMs, videoId, type).below, sums);
        if (time === name) addTo(found.cell("hour", hour * HOUR_MS, videoId, type).stored, sums);
      }
    }
    const minuteKeys = videoIds.map((videoId) => minuteRowKey(videoId, hour)).sort();
    const rows = await readRows(this.connection, {
      tableName: minutes,
      keys: minuteKeys,
      filter: allOf(MINUTE_FAMILY),
    });
    for (const row of rows) {
      const videoId = videoOfMinuteRow(row.key);
      for (const { qualifier, cell } of storedCells(row.cells)) {
        if (isBaseMinute(qualifier)) continue;
        addTo(found.cell("hour", hour * HOUR_MS, videoId, qualifier.slice(0, -3)).below, sumsOf(cell));
      }
    }
    return [...found.cells.values()];
  }
}

function addTotals(found: Joined, videoId: string, row: Row): void {
  for (const { type, sums } of cellsOf(row, TOTAL_FAMILY)) addTo(found.cell("total", 0, videoId, type).stored, sums);
  for (const { type, sums } of cellsOf(row, DAY_FAMILY)) addTo(found.cell("total", 0, videoId, type).below, sums);
}

class Joined {
  readonly cells = new Map<string, LevelSums>();

  cell(level: LevelSums["level"], startMs: number, videoId: string, eventType: string): LevelSums {
    const key = `${level} ${videoId} ${eventType}`;
    let known = this.cells.get(key);
    if (known === undefined) {
      known = { level, startMs, videoId, eventType, stored: { ...NO_SUMS }, below: { ...NO_SUMS } };
      this.cells.set(key, known);
    }
    return known;
  }
}

/**
 * Yields the cells of a family, but no bases of hours that left for roll-ups. `time` is the part of their names before
 * the type.
 */
function* cellsOf(row: Row, family: string): Generator<{ type: string; time: string; sums: Sums }> {
  for (const { family: its, qualifier, cell } of storedCells(row.cells)) {
    if (its !== family || (family === HOUR_FAMILY && isBaseHour(qualifier))) continue;
    const colon = qualifier.indexOf(":");
    yield { type: qualifier.slice(colon + 1), time: qualifier.slice(0, Math.max(0, colon)), sums: sumsOf(cell) };
  }
}

function sumsOf({ count, sum, valued }: CounterCell): Sums {
  return count === 0 ? { ...NO_SUMS } : { count, sum, valued };
}
