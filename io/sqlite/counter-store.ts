// SPDX-License-Identifier: Apache-2.0
/**
 * The embedded counter store: counters.sqlite in the data folder. Several processes may have it open: writers wait for
 * each other (BEGIN IMMEDIATE), readers never wait. Writing and reading run on the calling thread; a service that must
 * stay responsive reads through `SqliteCounterReader` instead. The stream process writes it, and the audit compares and
 * corrects it.
 */

import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { MinuteCounts } from "../../domain/columns/minute-counts";
import { refuseUncountable } from "../../domain/rules/countable";
import { HOUR_MS } from "../../domain/rules/time";
import type { ApplyOptions, Cell, CounterStore, LevelSums, Total, VideoCount, VideoGrowth } from "../ports";
import { inTransaction } from "./connection";
import { CounterReads } from "./counter-reads";
import { COUNTERS_FILE, openCounters } from "./counter-schema";
import type { Folding } from "./hour-folds";
import { type MinuteSlice, MinuteWriter } from "./minute-writer";
import { TransactionSize, threadCpuMs } from "./transaction-size";

export interface CounterStoreOptions {
  /** The data folder; must exist. */
  folder: string;
  /**
   * The most cells of one transaction. Every other writer of the file waits for it, in whatever process; how many
   * cells it takes below this bound depends on the time that the last ones took (transaction-size.ts).
   */
  maxCellsPerTransaction?: number;
  /** How long a write waits for another process's write. Default 10,000 ms. */
  busyTimeoutMs?: number;
  /** When hours are written (hour-folds.ts). */
  folding?: Partial<Folding>;
  /** The page cache. Default 64 MiB. */
  cacheBytes?: number;
  /** Bound of the file itself; beyond it writes fail as on a full disk. Default: the disk. */
  maxFileBytes?: number;
}

interface Call {
  slices: MinuteSlice[];
  written: number;
  unchanged: number;
  resolve(result: { written: number; unchanged: number }): void;
  reject(error: unknown): void;
}

/** Beyond every minute of an event. */
const MAX_MINUTE = 2 ** 40;

export class SqliteCounterStore implements CounterStore {
  readonly #db: DatabaseSync;
  readonly #writer: MinuteWriter;
  readonly #reads: CounterReads;
  readonly #size: TransactionSize;
  #calls: Call[] = [];
  #running: Promise<void> | undefined;

  /** Opens or creates the store. Throws `StoreUnavailableError`, `SchemaVersionError`. */
  constructor(options: CounterStoreOptions) {
    const { folder, maxCellsPerTransaction, folding, ...open } = options;
    this.#db = openCounters(join(folder, COUNTERS_FILE), open);
    this.#writer = new MinuteWriter(this.#db, folding);
    this.#reads = new CounterReads(this.#db);
    this.#size = new TransactionSize(maxCellsPerTransaction);
  }

  /**
   * Calls during a transaction share the next one. More cells than one transaction takes are split. Every transaction
   * writes its minutes and all levels derived from them, so they agree after a crash between two. Rejects with
   * RangeError (values that are not countable; no cell is written) or StoreUnavailableError (the caller writes again).
   */
  async apply(
    counts: readonly MinuteCounts[],
    options: ApplyOptions = {},
  ): Promise<{ written: number; unchanged: number }> {
    for (const minute of counts) refuseUncountable(minute);
    const slices = wholeSlices(counts, options);
    if (slices.length === 0) return { written: 0, unchanged: 0 };
    return new Promise((resolve, reject) => {
      this.#calls.push({ slices, written: 0, unchanged: 0, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  async correct(counts: readonly MinuteCounts[]): Promise<{ corrected: number }> {
    for (const minute of counts) refuseUncountable(minute);
    let corrected = 0;
    let group: MinuteSlice[] = [];
    let cells = 0;
    const waiting = wholeSlices(counts, {});
    while (waiting.length > 0) {
      const slice = takeFirst(waiting, this.#size.cells);
      if (cells > 0 && cells + rows(slice) > this.#size.cells) {
        this.#write(() => this.#writer.correct(group));
        [group, cells] = [[], 0];
        await nextTurn();
      }
      group.push(slice);
      cells += rows(slice);
      corrected += rows(slice);
    }
    if (cells > 0) this.#write(() => this.#writer.correct(group));
    return { corrected };
  }

  async rebuild(videoId: string, fromMs: number, toMs: number): Promise<void> {
    this.#write(() => this.#writer.rebuild(videoId, Math.floor(fromMs / HOUR_MS), Math.ceil(toMs / HOUR_MS)));
  }

  async totals(videoId: string): Promise<Map<string, Total>> {
    return this.#reads.totals(videoId);
  }
  async read(...asked: Parameters<CounterStore["read"]>): Promise<Cell[]> {
    return this.#reads.read(...asked);
  }
  async top(eventType: string, startMs: number, endMs: number, limit: number): Promise<VideoCount[]> {
    return this.#reads.top(eventType, startMs, endMs, limit);
  }
  async rising(eventType: string, startMs: number, endMs: number, limit: number): Promise<VideoGrowth[]> {
    return this.#reads.rising(eventType, startMs, endMs, limit);
  }
  async videoIds(text: string, afterId: string, limit: number): Promise<string[]> {
    return this.#reads.videoIds(text, afterId, limit);
  }

  async videosSeen(after: number, limit: number): Promise<{ videoIds: string[]; last: number }> {
    return this.#reads.videosSeen(after, limit);
  }
  /** The cells of an hour are adjacent, so reading a part of the videos would cost as much as reading all. */
  readonly videoParts = 1;
  partOf(): number {
    return 0;
  }
  minuteCells(fromMinute: number, toMinute: number): AsyncIterable<MinuteCounts> {
    return this.#reads.minuteCells(fromMinute, toMinute);
  }
  storedHours(fromHour: number, toHour: number): AsyncIterable<number> {
    return this.#reads.storedHours(fromHour, toHour);
  }
  levels(videoIds: readonly string[], hour: number): AsyncIterable<LevelSums> {
    return this.#reads.levels(videoIds, hour);
  }
  totalLevels(): AsyncIterable<LevelSums> {
    return this.#reads.totalLevels();
  }
  derivedCells(...asked: Parameters<CounterStore["derivedCells"]>): ReturnType<CounterStore["derivedCells"]> {
    return this.#reads.derivedCells(...asked);
  }
  allTotals(): AsyncIterable<{ videoId: string; eventType: string } & Total> {
    return this.#reads.allTotals();
  }

  /** Returns the hours since 1970 that are not folded whole. Their answers are added up from minutes. */
  openHours(): number[] {
    return this.#writer.openHours();
  }

  /** Finishes the applies made so far. */
  async close(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
    if (this.#db.isOpen) this.#db.close();
  }

  async #run(): Promise<void> {
    await nextTurn();
    while (this.#calls.length > 0) {
      this.#applyNext();
      await nextTurn();
    }
    this.#running = undefined;
  }

  /** Runs one transaction: the first waiting slices, up to the bound. */
  #applyNext(): void {
    const taken: { call: Call; slice: MinuteSlice }[] = [];
    let cells = 0;
    gather: for (const [index, call] of this.#calls.entries()) {
      while (call.slices.length > 0) {
        if (cells > 0 && cells + rows(call.slices[0]!) > this.#size.cells) break gather;
        const slice = takeFirst(call.slices, this.#size.cells);
        taken.push({ call, slice: { ...slice, call: index } });
        cells += rows(slice);
      }
    }
    const startedMs = threadCpuMs();
    try {
      const written = this.#write(() => this.#writer.write(taken.map((one) => one.slice)));
      this.#size.took(cells, threadCpuMs() - startedMs);
      for (const { call, slice } of taken) call.unchanged += rows(slice);
      for (const [index, cellsWritten] of written) {
        const call = this.#calls[index]!;
        call.written += cellsWritten;
        call.unchanged -= cellsWritten;
      }
    } catch (error) {
      const failed = new Set(taken.map((one) => one.call));
      for (const call of failed) call.reject(error);
      this.#calls = this.#calls.filter((call) => !failed.has(call));
      return;
    }
    const done = this.#calls.filter((call) => call.slices.length === 0);
    this.#calls = this.#calls.filter((call) => call.slices.length > 0);
    for (const { written, unchanged, resolve } of done) resolve({ written, unchanged });
  }

  #write<T>(work: () => T): T {
    try {
      return inTransaction(this.#db, work);
    } catch (error) {
      this.#writer.forget();
      throw error;
    }
  }
}

function rows(slice: MinuteSlice): number {
  return slice.toRow - slice.fromRow;
}

/** Returns a slice for each minute; none is empty. */
function wholeSlices(counts: readonly MinuteCounts[], options: ApplyOptions): MinuteSlice[] {
  const followCorrections = options.followCorrections ?? false;
  const asked = options.finalBeforeMinute ?? Number.NEGATIVE_INFINITY;
  const finalBeforeMinute = Math.max(-MAX_MINUTE, Math.min(MAX_MINUTE, Math.ceil(asked)));
  return counts
    .filter((minute) => minute.counts.length > 0)
    .map((minute) => {
      const all = { fromRow: 0, toRow: minute.counts.length };
      return { call: 0, counts: minute, ...all, followCorrections, finalBeforeMinute };
    });
}

/** Takes the first slice, or its first `maxCells` rows: the others stay. */
function takeFirst(slices: MinuteSlice[], maxCells: number): MinuteSlice {
  const first = slices[0]!;
  const toRow = Math.min(first.fromRow + maxCells, first.toRow);
  if (toRow === first.toRow) slices.shift();
  else slices[0] = { ...first, fromRow: toRow };
  return { ...first, toRow };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
