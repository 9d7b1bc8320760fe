// SPDX-License-Identifier: Apache-2.0
/**
 * One round of writing: minute cells, then all levels above them, then a check whether another writer wrote the same
 * rows meanwhile. Such rows are read again, and their sums are made again. No write adds to a stored number, so the
 * cells end at the same values whatever is repeated, reordered or lost on the way. docs/decisions/0006-bigtable-rows.md
 * has the reasoning. A lane of the counter store runs one round after the other.
 */

import { setTimeout as delay } from "node:timers/promises";
import { correctionOf } from "../../domain/rules/cell-version";
import { hourOf } from "../../domain/rules/time";
import { inParallel } from "../flow/in-parallel";
import { StoreUnavailableError } from "../ports";
import { completes } from "./cells";
import type { BigtableConnection } from "./connection";
import { pauseMs } from "./errors";
import { KnownCache } from "./known-cache";
import { type HourNames, hourNames, type KnownMinutes, type KnownSummary } from "./known-rows";
import { rankRows } from "./rank-rows";
import { type Mutation, type RowMutation, setCell } from "./requests";
import { hourText, minuteRowKey, minuteText, summaryRowKey, videoOfSummaryRow, WRITER_FAMILY } from "./row-keys";
import type { RowLoader, SummaryNeeds } from "./row-loader";
import { mutateRows } from "./rows";
import type { SeenVideos } from "./seen-videos";
import type { TierGuard } from "./tier-guard";
import { minuteVersion } from "./versions";

/** A minute cell to be written. */
export interface CellWrite {
  videoId: string;
  type: string;
  minute: number;
  count: number;
  sum: bigint;
  valued: number;
  lastMs: number;
  received: number;
  /** The correction: a number, the stored one, or the one after it. */
  correction: number | "stored" | "next";
  /** Called once, where the stored cell is older. */
  onWritten(): void;
}

/** The cells to write for one hour of a video. */
interface HourWork {
  videoId: string;
  hour: number;
  minutesKey: string;
  summaryKey: string;
  writes: CellWrite[];
  types: Set<string>;
  /** Whether the rows must be read again, whatever is known of them. */
  fresh: boolean;
}

interface RoundRows {
  minutes: Map<string, KnownMinutes>;
  summaries: Map<string, KnownSummary>;
}

/** An hour whose stored sums are ahead of its minutes, because the sums or the minutes were damaged. */
export interface AheadHour {
  videoId: string;
  hour: number;
}

const MAX_ATTEMPTS = 60;
const EMPTY = Buffer.alloc(0);

export class CounterRounds {
  readonly #minutes: KnownCache<KnownMinutes>;
  readonly #summaries: KnownCache<KnownSummary>;

  /**
   * `stamp` returns milliseconds since 1970, larger at every call. `knownCells` bounds the cells remembered between
   * rounds.
   */
  constructor(
    private readonly connection: BigtableConnection,
    private readonly loader: RowLoader,
    private readonly writerId: string,
    private readonly stamp: () => number,
    private readonly tiers: TierGuard,
    private readonly seen: SeenVideos,
    knownCells: number,
  ) {
    this.#minutes = new KnownCache(knownCells / 2);
    this.#summaries = new KnownCache(knownCells / 2);
  }

  /** Writes the cells and makes every level agree with them. Rejects with RangeError, `StoreUnavailableError`. */
  async write(writes: readonly CellWrite[]): Promise<AheadHour[]> {
    try {
      return await this.#write(writes);
    } catch (error) {
      // It is unknown which writes have arrived, so everything known of the store is forgotten.
      this.#minutes.clear();
      this.#summaries.clear();
      this.seen.forgetEnd();
      throw error;
    }
  }

  async #write(writes: readonly CellWrite[]): Promise<AheadHour[]> {
    const ahead: AheadHour[] = [];
    const endMs = performance.now() + this.connection.times.totalTimeoutMs;
    let works = asHours(writes);
    for (let attempt = 0; works.length > 0; attempt++) {
      if (attempt === MAX_ATTEMPTS || (attempt > 0 && performance.now() > endMs)) {
        throw new StoreUnavailableError("Bigtable: too many writers keep changing the same rows");
      }
      if (attempt > 0) await delay(pauseMs(attempt, Math.random));
      works = await this.#attempt(works, ahead);
      for (const work of works) work.fresh = true;
    }
    return ahead;
  }

  /** Forgets a row that another process is about to change. */
  forgetSummary(key: string): void {
    this.#summaries.take(key);
  }

  /** Returns the hours that need another look. */
  async #attempt(works: readonly HourWork[], ahead: AheadHour[]): Promise<HourWork[]> {
    const rows = await this.#load(works);
    await this.seen.append(newVideos(works, rows.summaries));
    // Asked after everything is read, so that the writes follow at once: see BigtableCellTiers.freeze.
    await this.tiers.admit(works);
    const stamp = this.stamp();
    const mark = setCell(WRITER_FAMILY, this.writerId, stamp, EMPTY);
    const minuteRows = this.#planMinutes(works, rows, mark);
    const again = raiseAll(works, rows, ahead);
    const changed = summaryRowsOf(rows, mark);
    const { minutes, summaries } = this.connection.tables;
    // Entries of the ranking index before the hours and days that need them: rank-rows.ts.
    const first = [
      { table: minutes, rows: minuteRows },
      { table: summaries, rows: changed.entries },
    ];
    await inParallel(first, first.length, ({ table, rows: written }) => mutateRows(this.connection, table, written));
    await mutateRows(this.connection, summaries, changed.rows);

    const [minutesChanged, summariesChanged] = await Promise.all([
      this.#changed(minutes, minuteRows, rows.minutes, stamp),
      this.#changed(summaries, changed.rows, rows.summaries, stamp),
      mutateRows(this.connection, summaries, changed.outdated),
    ]);
    for (const work of works) {
      if (minutesChanged.has(work.minutesKey) || summariesChanged.has(work.summaryKey)) again.add(work);
    }
    this.#remember(rows, minutesChanged, summariesChanged);
    return [...again];
  }

  async #load(works: readonly HourWork[]): Promise<RoundRows> {
    const rows: RoundRows = { minutes: new Map(), summaries: new Map() };
    const needs = new Map<string, SummaryNeeds>();
    const fresh = new Set(works.filter((work) => work.fresh).map((work) => work.summaryKey));
    const unknown: string[] = [];
    for (const { minutesKey, summaryKey, hour } of works) {
      const known = this.#minutes.take(minutesKey);
      if (known === undefined || fresh.has(summaryKey)) unknown.push(minutesKey);
      else rows.minutes.set(minutesKey, known);
      let need = needs.get(summaryKey);
      if (need === undefined) {
        need = { days: new Set(), months: new Set() };
        needs.set(summaryKey, need);
        const summary = this.#summaries.take(summaryKey);
        if (summary !== undefined && !fresh.has(summaryKey)) rows.summaries.set(summaryKey, summary);
      }
      const text = hourText(hour);
      need.days.add(text.slice(0, 8));
      need.months.add(text.slice(0, 6));
    }
    await this.loader.summaries(needs, rows.summaries);
    for (const [key, minutes] of await this.loader.minutes(unknown)) rows.minutes.set(key, minutes);
    return rows;
  }

  #planMinutes(works: readonly HourWork[], { minutes }: RoundRows, mark: Mutation): RowMutation[] {
    const planned: RowMutation[] = [];
    for (const work of works) {
      const known = minutes.get(work.minutesKey)!;
      const mutations: Mutation[] = [];
      for (const write of work.writes) {
        const { type, minute, count, sum, valued, lastMs } = write;
        const text = minuteText(minute);
        const stored = known.cell(type, text);
        const version = versionOf(write, stored.version);
        const cell = { version, count, sum, valued, revision: correctionOf(version), lastMs };
        if (completes(cell, stored)) mutations.push(known.complete(type, text, cell));
        if (version <= stored.version) continue;
        mutations.push(...known.write(type, text, cell));
        // The version is fixed from here on: another look must not make another correction of it.
        if (write.correction === "next") write.correction = correctionOf(version);
        write.onWritten();
        write.onWritten = () => undefined;
      }
      if (mutations.length > 0) planned.push({ key: work.minutesKey, mutations: [mark, ...mutations] });
    }
    return planned;
  }

  /** Returns the rows that other writers have written since they were read, or that have lost this writer's mark. */
  async #changed(
    tableName: string,
    written: readonly RowMutation[],
    known: ReadonlyMap<string, { marks: string; asOfMs: number }>,
    stamp: number,
  ): Promise<Set<string>> {
    const asOfMs = performance.now();
    const marks = await this.loader.marks(
      tableName,
      written.map(({ key }) => key),
    );
    const changed = new Set<string>();
    for (const [key, { others, own }] of marks) {
      const row = known.get(key)!;
      if (others !== row.marks || own < stamp) changed.add(key);
      else row.asOfMs = asOfMs;
    }
    return changed;
  }

  #remember(rows: RoundRows, minutesChanged: ReadonlySet<string>, summariesChanged: ReadonlySet<string>): void {
    for (const [key, row] of rows.minutes) if (!minutesChanged.has(key)) this.#minutes.put(key, row);
    for (const [key, row] of rows.summaries) if (!summariesChanged.has(key)) this.#summaries.put(key, row);
  }
}

/** Makes the sums of the hours and all levels above them; returns the hours that need another look. */
function raiseAll(works: readonly HourWork[], rows: RoundRows, ahead: AheadHour[]): Set<HourWork> {
  const again = new Set<HourWork>();
  const names = namesOnce();
  for (const work of works) {
    const summary = rows.summaries.get(work.summaryKey)!;
    const minutes = rows.minutes.get(work.minutesKey)!;
    for (const type of work.types) {
      if (summary.raise(names(work.hour, type), minutes.hour(type)) !== "behind") continue;
      // Known sums are ahead of known minutes. Either the knowledge is old, or, where it was just read, a level is
      // damaged.
      if (work.fresh) ahead.push({ videoId: work.videoId, hour: work.hour });
      else again.add(work);
    }
  }
  return again;
}

/** Returns the changed summaries, and the rows of the ranking index to write before them and to delete after them. */
function summaryRowsOf(
  { summaries }: RoundRows,
  mark: Mutation,
): Record<"rows" | "entries" | "outdated", RowMutation[]> {
  const all = { rows: [] as RowMutation[], entries: [] as RowMutation[], outdated: [] as RowMutation[] };
  for (const [key, summary] of summaries) {
    const { entries, outdated } = rankRows(videoOfSummaryRow(key), summary.rankMoves());
    all.entries.push(...entries);
    all.outdated.push(...outdated);
    const mutations = summary.takeMutations();
    if (mutations.length > 0) all.rows.push({ key, mutations: [mark, ...mutations] });
  }
  return all;
}

function newVideos(works: readonly HourWork[], summaries: ReadonlyMap<string, KnownSummary>): string[] {
  const found = works.filter(({ summaryKey }) => summaries.get(summaryKey)!.isNew).map(({ videoId }) => videoId);
  return [...new Set(found)];
}

/** Returns the names of hours from a cache, because most hours of a round are the same few. */
function namesOnce(): (hour: number, type: string) => HourNames {
  const known = new Map<number, Map<string, HourNames>>();
  return (hour, type) => {
    let types = known.get(hour);
    if (types === undefined) {
      types = new Map();
      known.set(hour, types);
    }
    let names = types.get(type);
    if (names === undefined) {
      names = hourNames(hourText(hour), type);
      types.set(type, names);
    }
    return names;
  };
}

function versionOf({ correction, received }: CellWrite, stored: number): number {
  if (typeof correction === "number") return minuteVersion(correction, received);
  return minuteVersion(correctionOf(stored) + (correction === "next" ? 1 : 0), received);
}

function asHours(writes: readonly CellWrite[]): HourWork[] {
  const works = new Map<string, HourWork>();
  for (const write of writes) {
    const { videoId, type, minute } = write;
    const hour = hourOf(minute);
    const minutesKey = minuteRowKey(videoId, hour);
    let work = works.get(minutesKey);
    if (work === undefined) {
      const summaryKey = summaryRowKey(videoId);
      work = { videoId, hour, minutesKey, summaryKey, writes: [], types: new Set(), fresh: false };
      works.set(minutesKey, work);
    }
    work.writes.push(write);
    work.types.add(type);
    if (write.correction === "stored" || write.correction === "next") work.fresh = true;
  }
  return [...works.values()];
}
