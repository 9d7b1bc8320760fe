// SPDX-License-Identifier: Apache-2.0
/**
 * Makes the levels of one video equal to its minutes, whatever the levels hold. A cell whose version is ahead of the
 * cells below it was damaged, or its minutes were. Versions cannot lower a cell, so the cell is replaced, and only if
 * it is still the cell that was judged. A cell is never lowered to what is left below it after cells left for roll-ups:
 * nobody can say whether the cell or the base cell of what left is damaged. An audit with `--repair` calls it through
 * the counter store.
 */
import { setTimeout as delay } from "node:timers/promises";
import { HOURS_A_DAY } from "../../domain/rules/time";
import { StoreUnavailableError } from "../ports";
import { cellMutations, deleteCell, NO_CELL } from "./cells";
import type { CounterCell } from "./codec";
import type { BigtableConnection } from "./connection";
import { pauseMs } from "./errors";
import { KnownMinutes, KnownSummary, type LevelFamily, marksOf } from "./known-rows";
import { type RankedFamily, rankRows } from "./rank-rows";
import { type Mutation, setCell } from "./requests";
import { allOf, columnRange, escaped } from "./row-filters";
import {
  DAY_FAMILY,
  dayStartHour,
  FIRST_HOUR,
  HOUR_FAMILY,
  hourOfMinuteRow,
  hourOfText,
  hourText,
  LAST_HOUR,
  MONTH_FAMILY,
  minuteRowKey,
  minuteRowRange,
  saltOf,
  summaryRowKey,
  TOTAL_FAMILY,
  WRITER_FAMILY,
} from "./row-keys";
import { mutateIf, mutateRows, type Row, readRows } from "./rows";
import type { LeftCells, TierGuard } from "./tier-guard";

const MAX_ATTEMPTS = 60;
/** Beyond this number a video's rows are found by a scan of its salt instead of by their keys. */
const MAX_KEYS = 2_000;
const EMPTY = Buffer.alloc(0);

export class LevelRepair {
  constructor(
    private readonly connection: BigtableConnection,
    private readonly writerId: string,
    private readonly stamp: () => number,
    private readonly tiers: TierGuard,
  ) {}

  /**
   * Repairs the hours of [fromHour, toHour), the days and months that touch them, and the totals. Rejects with
   * `StoreUnavailableError`.
   */
  async repair(videoId: string, fromHour: number, toHour: number): Promise<void> {
    const from = Math.max(fromHour, FIRST_HOUR);
    const to = Math.min(toHour, LAST_HOUR + 1);
    if (from >= to) return;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      if (attempt > 0) await delay(pauseMs(attempt, Math.random));
      if (await this.#attempt(videoId, from, to)) return;
    }
    throw new StoreUnavailableError("Bigtable: too many writers keep changing the same rows");
  }

  /** Returns whether every level agreed, or was made to agree, while no other writer wrote. */
  async #attempt(videoId: string, fromHour: number, toHour: number): Promise<boolean> {
    const summary = await this.#summary(videoId, fromHour, toHour);
    const hours = await this.#hours(videoId, fromHour, toHour);
    const left = await this.tiers.left(fromHour, toHour);
    for (const name of summary.names(HOUR_FAMILY)) {
      const hour = hourOfText(name);
      if (hour >= fromHour && hour < toHour && !hours.has(name)) hours.set(name, NO_CELL);
    }
    const firstDay = hourText(fromHour).slice(0, 8);
    const lastDay = hourText(toHour - 1).slice(0, 8);
    await this.#rank(videoId, HOUR_FAMILY, hours);
    for (const [name, cell] of hours) {
      if (isLowered(summary, HOUR_FAMILY, name, cell) && left.minutesOf(hourOfText(name))) continue;
      if (!(await this.#put(videoId, summary, HOUR_FAMILY, name, cell))) return false;
    }
    const levels = [
      { family: DAY_FAMILY, below: HOUR_FAMILY, first: firstDay, last: lastDay, width: 8 },
      { family: MONTH_FAMILY, below: DAY_FAMILY, first: firstDay.slice(0, 6), last: lastDay.slice(0, 6), width: 6 },
      { family: TOTAL_FAMILY, below: MONTH_FAMILY, first: "", last: "", width: 0 },
    ] as const;
    for (const { family, below, first, last, width } of levels) {
      const names = [...new Set([...summary.names(family), ...summary.parents(below)])].filter((name) => {
        const time = name.slice(0, width);
        return time >= first && time <= last;
      });
      const cells = new Map(names.map((name) => [name, summary.sumBelow(below, name)]));
      if (family !== TOTAL_FAMILY) await this.#rank(videoId, family, cells);
      for (const [name, cell] of cells) {
        const time = name.slice(0, width);
        if (family === DAY_FAMILY && isLowered(summary, family, name, cell) && haveHoursLeft(left, time)) continue;
        if (!(await this.#put(videoId, summary, family, name, cell))) return false;
      }
    }
    return this.#write(videoId, summary);
  }

  /** Writes the entries of the ranking index, those that should be there already, too. */
  async #rank(videoId: string, family: RankedFamily, cells: ReadonlyMap<string, CounterCell>): Promise<void> {
    const moves = [...cells].map(([name, { count }]) => ({ family, name, countBefore: 0, count }));
    await mutateRows(this.connection, this.connection.tables.summaries, rankRows(videoId, moves).entries);
  }

  /** Writes the changed cells; returns whether no other writer has written since the row was read. */
  async #write(videoId: string, summary: KnownSummary): Promise<boolean> {
    const key = summaryRowKey(videoId);
    const table = this.connection.tables.summaries;
    const mutations = summary.takeMutations();
    if (mutations.length > 0)
      await mutateRows(this.connection, table, [{ key, mutations: [this.#mark(), ...mutations] }]);
    const filter = allOf(WRITER_FAMILY);
    const [row] = await readRows(this.connection, { tableName: table, keys: [key], filter });
    return marksOf(row?.cells ?? [], this.writerId) === summary.marks;
  }

  async #put(
    videoId: string,
    summary: KnownSummary,
    family: LevelFamily,
    name: string,
    cell: CounterCell,
  ): Promise<boolean> {
    if (summary.put(family, name, cell) !== "behind") return true;
    const { version } = summary.stored(family, name);
    const filters = [
      { familyNameRegexFilter: family },
      columnRange(family, name, `${name}\0`),
      { cellsPerColumnLimitFilter: 1 },
      { timestampRangeFilter: { startTimestampMicros: `${version}000`, endTimestampMicros: `${version}001` } },
    ];
    const mutations: Mutation[] = [...deleteCell(family, name), this.#mark()];
    if (cell.version > 0) mutations.push(...cellMutations(family, name, cell));
    const { summaries } = this.connection.tables;
    const replaced = await mutateIf(
      this.connection,
      summaries,
      summaryRowKey(videoId),
      { chain: { filters } },
      mutations,
    );
    if (replaced) summary.replace(family, name, cell);
    return replaced;
  }

  #mark(): Mutation {
    return setCell(WRITER_FAMILY, this.writerId, this.stamp(), EMPTY);
  }

  /** Parents are read before children, see row-loader.ts. */
  async #summary(videoId: string, fromHour: number, toHour: number): Promise<KnownSummary> {
    const tableName = this.connection.tables.summaries;
    const keys = [summaryRowKey(videoId)];
    const first = hourText(fromHour);
    const last = hourText(toHour - 1);
    const summary = new KnownSummary();
    const filters = [
      { familyNameRegexFilter: `${TOTAL_FAMILY}|${MONTH_FAMILY}|${WRITER_FAMILY}` },
      columnRange(DAY_FAMILY, first.slice(0, 6), `${last.slice(0, 6)}~`),
      columnRange(HOUR_FAMILY, first.slice(0, 8), `${last.slice(0, 8)}~`),
    ];
    for (const [index, filter] of filters.entries()) {
      const [row] = await readRows(this.connection, { tableName, keys, filter });
      if (index === 0) summary.marks = marksOf(row?.cells ?? [], this.writerId);
      summary.take(row?.cells ?? []);
    }
    return summary;
  }

  /** Returns the video's hours as sums of its minutes, by `YYYYMMDDHH:TYPE`. */
  async #hours(videoId: string, fromHour: number, toHour: number): Promise<Map<string, CounterCell>> {
    const hours = new Map<string, CounterCell>();
    for (const row of await this.#minuteRows(videoId, fromHour, toHour)) {
      const minutes = new KnownMinutes(row, this.writerId);
      for (const type of minutes.types) hours.set(`${hourText(hourOfMinuteRow(row.key))}:${type}`, minutes.hour(type));
    }
    return hours;
  }

  async #minuteRows(videoId: string, fromHour: number, toHour: number): Promise<Row[]> {
    const tableName = this.connection.tables.minutes;
    const filter = { passAllFilter: true };
    let keys: string[] = [];
    if (toHour - fromHour <= MAX_KEYS) {
      for (let hour = fromHour; hour < toHour; hour++) keys.push(minuteRowKey(videoId, hour));
    } else {
      const found = await readRows(this.connection, {
        tableName,
        ranges: [minuteRowRange(saltOf(videoId), fromHour, toHour)],
        filter: {
          chain: {
            filters: [
              { rowKeyRegexFilter: Buffer.from(`..#..........#${escaped(videoId)}`, "latin1") },
              { cellsPerRowLimitFilter: 1 },
              { stripValueTransformer: true },
            ],
          },
        },
      });
      keys = found.map(({ key }) => key);
    }
    return readRows(this.connection, { tableName, keys, filter });
  }
}

const isLowered = (summary: KnownSummary, family: LevelFamily, name: string, cell: CounterCell): boolean =>
  cell.version < summary.stored(family, name).version;

/** `day` is `YYYYMMDD`. */
const haveHoursLeft = (left: LeftCells, day: string): boolean => left.hoursOf(dayStartHour(day) / HOURS_A_DAY);
