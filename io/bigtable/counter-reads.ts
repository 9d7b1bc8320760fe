// SPDX-License-Identifier: Apache-2.0
/**
 * All reads of the counters: one video by its keys, all videos by scans salt after salt, in pages. The counter store
 * answers its readers with it.
 */

import type { MinuteCounts } from "../../domain/columns/minute-counts";
import { grownMost } from "../../domain/rules/growth";
import { dayOf, HOUR_MS, HOURS_A_DAY, hourOf, MINUTE_MS, MINUTES_AN_HOUR } from "../../domain/rules/time";
import type { Cell, Granularity, Total, VideoCount, VideoGrowth } from "../ports";
import { isBaseHour, isBaseMinute } from "./base-cells";
import { cellName, storedCells } from "./cells";
import type { CounterCell } from "./codec";
import type { BigtableConnection } from "./connection";
import { MinuteScan } from "./minute-scan";
import { type MinuteRange, RangeCounts } from "./range-counts";
import { RankedReads } from "./ranked-reads";
import { allOf, columnRange, minutesOfType } from "./row-filters";
import {
  DAY_FAMILY,
  dayStartHour,
  FIRST_HOUR,
  HOUR_FAMILY,
  hourOfMinuteRow,
  hourOfText,
  hourText,
  LAST_HOUR,
  minuteRowKey,
  SALTS,
  saltRange,
  summaryRowKey,
  TOTAL_FAMILY,
  videoOfSummaryRow,
} from "./row-keys";
import { pages, type Row, type RowFilter, readRows } from "./rows";
import type { TierGuard } from "./tier-guard";
import { TopCounts } from "./top-counts";

/** A longer range of minutes first asks which of its hours have cells. */
const MAX_HOURS_UNASKED = 48;
/**
 * `top` of a longer range reads whole hours and days from the summaries, which takes a look at every video ever
 * counted.
 */
const MAX_HOURS_OF_MINUTES = 48;

type Named = { videoId: string; eventType: string };

export class CounterReads {
  readonly #minutes: MinuteScan;
  readonly #ranked: RankedReads;

  constructor(
    private readonly connection: BigtableConnection,
    private readonly tiers: TierGuard,
  ) {
    this.#minutes = new MinuteScan(connection);
    this.#ranked = new RankedReads(connection, new RangeCounts(connection, tiers), tiers);
  }

  async totals(videoId: string): Promise<Map<string, Total>> {
    const tableName = this.connection.tables.summaries;
    const filter = allOf(TOTAL_FAMILY);
    const rows = await readRows(this.connection, { tableName, keys: [summaryRowKey(videoId)], filter });
    return new Map(totalsOf(rows[0]).map(({ eventType, ...total }) => [eventType, total]));
  }

  async read(
    videoId: string,
    eventType: string,
    startMs: number,
    endMs: number,
    granularity: Granularity,
  ): Promise<Cell[]> {
    if (granularity !== "minute") return this.#derived(videoId, eventType, startMs, endMs, granularity);
    const fromMinute = Math.ceil(startMs / MINUTE_MS);
    const toMinute = Math.ceil(endMs / MINUTE_MS);
    const isHidden = await this.tiers.hidden("minute", startMs);
    const hours = await this.#hoursWithMinutes(videoId, eventType, fromMinute, toMinute);
    const rows = await readRows(this.connection, {
      tableName: this.connection.tables.minutes,
      keys: hours.map((hour) => minuteRowKey(videoId, hour)),
      filter: minutesOfType(eventType),
    });
    const cells: Cell[] = [];
    for (const row of rows) {
      const hour = hourOfMinuteRow(row.key);
      for (const { qualifier, cell } of storedCells(row.cells)) {
        const minute = hour * MINUTES_AN_HOUR + Number(qualifier.slice(-2));
        if (isBaseMinute(qualifier) || isHidden(minute * MINUTE_MS)) continue;
        if (cell.count !== 0 && minute >= fromMinute && minute < toMinute) cells.push(cellAt(minute * MINUTE_MS, cell));
      }
    }
    return cells;
  }

  async top(eventType: string, startMs: number, endMs: number, limit: number): Promise<VideoCount[]> {
    if (limit <= 0) return [];
    const range = minutesWithin(startMs, endMs);
    if (range === undefined) return [];
    const ranked = await this.#ranked.largest(eventType, range, undefined, limit);
    if (ranked !== undefined) return ranked.map(({ videoId, count }) => ({ videoId, count }));
    return (await this.#countsWithin(eventType, range)).largest(limit);
  }

  async rising(eventType: string, startMs: number, endMs: number, limit: number): Promise<VideoGrowth[]> {
    const range = minutesWithin(startMs, endMs);
    if (limit <= 0 || range === undefined) return [];
    const before = minutesWithin(startMs - (endMs - startMs), startMs);
    const ranked = await this.#ranked.largest(eventType, range, before, limit);
    if (ranked !== undefined) return ranked;
    const all = Number.MAX_SAFE_INTEGER;
    const previous = before === undefined ? new TopCounts() : await this.#countsWithin(eventType, before);
    return grownMost((await this.#countsWithin(eventType, range)).largest(all), previous.largest(all), limit);
  }

  /** Reads every cell of the range. */
  async #countsWithin(eventType: string, { from: fromMinute, to: toMinute }: MinuteRange): Promise<TopCounts> {
    const counts = new TopCounts();
    const fromHour = Math.ceil(fromMinute / MINUTES_AN_HOUR);
    const toHour = hourOf(toMinute);
    const isShort = toHour - fromHour <= MAX_HOURS_OF_MINUTES;
    if (isShort && !(await this.tiers.mayBeCold(fromMinute * MINUTE_MS, toMinute * MINUTE_MS))) {
      await this.#addMinutes(counts, eventType, fromMinute, toMinute);
      return counts;
    }
    await this.#addMinutes(counts, eventType, fromMinute, fromHour * MINUTES_AN_HOUR);
    await this.#addMinutes(counts, eventType, toHour * MINUTES_AN_HOUR, toMinute);
    const fromDay = Math.ceil(fromHour / HOURS_A_DAY) * HOURS_A_DAY;
    const toDay = dayOf(toHour) * HOURS_A_DAY;
    await this.#addDerived(counts, eventType, "hour", fromHour, fromDay);
    await this.#addDerived(counts, eventType, "day", fromDay, toDay);
    await this.#addDerived(counts, eventType, "hour", toDay, toHour);
    return counts;
  }

  async *minuteCells(
    fromMinute: number,
    toMinute: number,
    salt?: number,
  ): AsyncGenerator<MinuteCounts, void, undefined> {
    const isHidden = await this.tiers.hidden("minute", fromMinute * MINUTE_MS);
    for await (const counts of this.#minutes.cells(fromMinute, toMinute, salt === undefined ? undefined : [salt]))
      if (!isHidden(counts.minute * MINUTE_MS)) yield counts;
  }

  /** Yields the hours of [fromHour, toHour) that have rows of minutes. */
  async *storedHours(fromHour: number, toHour: number): AsyncGenerator<number, void, undefined> {
    const end = Math.min(toHour, LAST_HOUR + 1);
    const isHidden = await this.tiers.hidden("minute", fromHour * HOUR_MS);
    for (let hour = Math.max(fromHour, FIRST_HOUR); hour < end; hour++) {
      const next = await this.#minutes.nextHour(hour, end);
      if (next === undefined) return;
      hour = next;
      if (!isHidden(hour * HOUR_MS)) yield hour;
    }
  }

  async *derivedCells(
    granularity: "hour" | "day",
    startMs: number,
    endMs: number,
  ): AsyncGenerator<Named & Cell, void, undefined> {
    const filter = levelFilter(granularity, startMs, endMs);
    if (filter === undefined) return;
    const isHidden = await this.#hiddenHours(granularity, startMs);
    for await (const row of this.#allSummaries(filter)) {
      const videoId = videoOfSummaryRow(row.key);
      for (const cell of derivedOf(row, granularity)) if (!isHidden(cell.startMs)) yield { videoId, ...cell };
    }
  }

  async *allTotals(): AsyncGenerator<Named & Total, void, undefined> {
    for await (const row of this.#allSummaries(allOf(TOTAL_FAMILY))) {
      const videoId = videoOfSummaryRow(row.key);
      for (const total of totalsOf(row)) yield { videoId, ...total };
    }
  }

  async #derived(
    videoId: string,
    eventType: string,
    startMs: number,
    endMs: number,
    granularity: "hour" | "day",
  ): Promise<Cell[]> {
    const range = levelFilter(granularity, startMs, endMs);
    if (range === undefined) return [];
    // The type is picked in this process: with a few types that is less work than a regular expression over every
    // column in the range.
    const [row] = await readRows(this.connection, {
      tableName: this.connection.tables.summaries,
      keys: [summaryRowKey(videoId)],
      filter: range,
    });
    const ofType = row?.cells.filter(({ qualifier }) => cellName(qualifier).endsWith(`:${eventType}`)) ?? [];
    const isHidden = await this.#hiddenHours(granularity, startMs);
    const cells = derivedOf({ key: "", cells: ofType }, granularity).filter((cell) => !isHidden(cell.startMs));
    return cells.map(({ eventType: _, ...cell }) => cell);
  }

  async #hiddenHours(granularity: "hour" | "day", startMs: number): Promise<(timeMs: number) => boolean> {
    return granularity === "day" ? () => false : this.tiers.hidden("hour", startMs);
  }

  async #hoursWithMinutes(videoId: string, eventType: string, fromMinute: number, toMinute: number): Promise<number[]> {
    const from = Math.max(hourOf(fromMinute), FIRST_HOUR);
    const to = Math.min(Math.ceil(toMinute / MINUTES_AN_HOUR), LAST_HOUR + 1);
    if (to - from > MAX_HOURS_UNASKED) {
      const hours = await this.#derived(videoId, eventType, from * HOUR_MS, to * HOUR_MS, "hour");
      return hours.map(({ startMs }) => startMs / HOUR_MS);
    }
    return Array.from({ length: Math.max(0, to - from) }, (_, n) => from + n);
  }

  async #addMinutes(counts: TopCounts, eventType: string, fromMinute: number, toMinute: number): Promise<void> {
    await this.#minutes.counts(eventType, fromMinute, toMinute, (videoId, count) => counts.add(videoId, count));
  }

  async #addDerived(
    counts: TopCounts,
    eventType: string,
    granularity: "hour" | "day",
    fromHour: number,
    toHour: number,
  ): Promise<void> {
    for await (const cell of this.derivedCells(granularity, fromHour * HOUR_MS, toHour * HOUR_MS)) {
      if (cell.eventType === eventType) counts.add(cell.videoId, cell.count);
    }
  }

  async *#allSummaries(filter: RowFilter): AsyncGenerator<Row, void, undefined> {
    for (let salt = 0; salt < SALTS; salt++) {
      yield* pages(this.connection, this.connection.tables.summaries, saltRange(salt), filter);
    }
  }
}

/** Returns undefined where the range has no minute in the years 1 to 9999. */
function minutesWithin(startMs: number, endMs: number): MinuteRange | undefined {
  const from = Math.max(Math.floor(startMs / MINUTE_MS), FIRST_HOUR * MINUTES_AN_HOUR);
  const to = Math.min(Math.ceil(endMs / MINUTE_MS), LAST_HOUR * MINUTES_AN_HOUR + MINUTES_AN_HOUR);
  return from < to ? { from, to } : undefined;
}

/**
 * Returns the filter for the columns of hours or days that start in [startMs, endMs); undefined where no such column
 * can exist.
 */
function levelFilter(granularity: "hour" | "day", startMs: number, endMs: number): RowFilter | undefined {
  const step = granularity === "hour" ? 1 : 24;
  const from = Math.max(Math.ceil(startMs / HOUR_MS / step) * step, FIRST_HOUR);
  const to = Math.min(Math.ceil(endMs / HOUR_MS / step) * step, LAST_HOUR + 1);
  if (from >= to) return undefined;
  const width = granularity === "hour" ? 10 : 8;
  const end = to > LAST_HOUR ? "9999999999" : hourText(to);
  const family = granularity === "hour" ? HOUR_FAMILY : DAY_FAMILY;
  return columnRange(family, hourText(from).slice(0, width), end.slice(0, width));
}

function derivedOf(row: Row, granularity: "hour" | "day"): ({ eventType: string } & Cell)[] {
  const width = granularity === "hour" ? 10 : 8;
  const cells: ({ eventType: string } & Cell)[] = [];
  for (const { qualifier, cell } of storedCells(row.cells)) {
    if (cell.count === 0 || (granularity === "hour" && isBaseHour(qualifier))) continue;
    const text = qualifier.slice(0, width);
    const hour = granularity === "hour" ? hourOfText(text) : dayStartHour(text);
    cells.push({ eventType: qualifier.slice(width + 1), ...cellAt(hour * HOUR_MS, cell) });
  }
  return cells;
}

function totalsOf(row: Row | undefined): ({ eventType: string } & Total)[] {
  const totals: ({ eventType: string } & Total)[] = [];
  for (const { qualifier, cell } of storedCells(row?.cells ?? [])) {
    const { count, sum, valued, lastMs } = cell;
    if (count !== 0) totals.push({ eventType: qualifier, count, sum, valued, lastEventAtMs: lastMs });
  }
  return totals;
}

function cellAt(startMs: number, { count, sum, valued, revision }: CounterCell): Cell {
  return { startMs, count, sum, valued, revision };
}
