// SPDX-License-Identifier: Apache-2.0
/**
 * Writes the minute cells of one transaction: merges them into the blocks of their minutes, and adds the differences to
 * the totals, and to hours and days where these are folded (hour-folds.ts). The counter store applies the writes of the
 * stream and of audits with it.
 */

import type { DatabaseSync } from "node:sqlite";
import type { MinuteCounts } from "../../domain/columns/minute-counts";
import { type CellState, isLaterCell } from "../../domain/rules/cell-version";
import { HOURS_A_DAY, MINUTE_MS, MINUTES_A_DAY, MINUTES_AN_HOUR } from "../../domain/rules/time";
import { BlockTables, bucketOf } from "./block-tables";
import {
  Block,
  type CellBytes,
  CORRECTION,
  COUNT,
  decodeCells,
  KEY,
  LAST,
  LOW,
  MID,
  REVISION,
  TOP,
  VALUED,
  VIDEOS_A_BLOCK,
  WIDTH,
} from "./cell-block";
import { CellChanges } from "./cell-changes";
import { CellMerge } from "./cell-merge";
import { type SortedCells, sortCells } from "./cell-order";
import { DerivedRebuild } from "./derived-rebuild";
import { type Folding, HourFolds } from "./hour-folds";
import { GivenNames } from "./name-dictionary";
import { TierGuard } from "./tier-guard";

/** Rows [fromRow, toRow) of a minute, written for the call with this number. */
export interface MinuteSlice {
  call: number;
  counts: MinuteCounts;
  fromRow: number;
  toRow: number;
  followCorrections: boolean;
  /** Minutes before this one are final. */
  finalBeforeMinute: number;
}

const CACHED_VIDEOS = 250_000;
/** About 40 cells of RECENT_CELL_BYTES. */
const MAX_RECENT_BYTES = 512;
const RECENT_CELL_BYTES = 12;

const NO_CELLS: CellBytes = { bytes: new Uint8Array(0), length: 0 };

export class MinuteWriter {
  readonly #videos: GivenNames;
  readonly #types: GivenNames;
  readonly #tables: BlockTables;
  readonly #folds: HourFolds;
  readonly #rebuild: DerivedRebuild;
  readonly #tiers: TierGuard;
  /** The differences of one bucket as the cells of a block, whose parts of the sum may have any sign. */
  #moves = new Float64Array(WIDTH * 64);
  #moved = 0;
  #written = 0;
  readonly #merge = new CellMerge();
  readonly #settling = new Block();
  /** The stored cell that a write is compared with: one object, filled anew for every cell. */
  readonly #stored: CellState = { correction: 0, count: 0, valued: 0, low: 0, mid: 0, top: 0, last: 0 };

  /** `db` is a connection for writing. */
  constructor(db: DatabaseSync, folding: Partial<Folding> = {}) {
    db.exec("PRAGMA temp_store = MEMORY");
    this.#videos = new GivenNames(db, "videos", CACHED_VIDEOS);
    this.#types = new GivenNames(db, "types", 1000);
    this.#tables = new BlockTables(db, new CellChanges(db));
    this.#folds = new HourFolds(db, this.#tables, folding);
    this.#tiers = new TierGuard(db);
    this.#rebuild = new DerivedRebuild(this.#tables, this.#folds, this.#tiers);
  }

  /**
   * Writes the slices and changes every level, inside a transaction. Returns the number of written cells of each call.
   */
  write(slices: readonly MinuteSlice[]): Map<number, number> {
    const written = new Map<number, number>();
    let cells = 0;
    this.#begin();
    this.#tables.begin(this.#tiers.version);
    for (const slice of slices) {
      this.#written = 0;
      this.#eachBucket(slice, (sorted, from, to) => this.#writeBucket(slice, sorted, from, to));
      if (this.#written > 0) written.set(slice.call, (written.get(slice.call) ?? 0) + this.#written);
      cells += slice.toRow - slice.fromRow;
    }
    this.#flush();
    this.#folds.foldAfter(cells);
    this.#tables.end();
    return written;
  }

  /**
   * Sets the cells to these values at the stored correction + 1, and rebuilds the levels above them, inside a
   * transaction.
   */
  correct(slices: readonly MinuteSlice[]): void {
    this.#begin();
    this.#tables.beginAnew();
    for (const slice of slices) {
      this.#eachBucket(slice, (sorted, from, to) => {
        const { minute } = slice.counts;
        const hour = Math.floor(minute / MINUTES_AN_HOUR);
        const bucket = sorted.bucket(from);
        this.#tiers.refuse(hour);
        this.#folds.isFolded(hour, bucket, true);
        this.#moved = 0;
        const block = this.#tables.load("minute", minute, bucket);
        for (let i = from; i < to; i++) {
          const at = block.cell(sorted.key(i)) * WIDTH;
          const { data } = block;
          const [correction, revision] = [data[at + CORRECTION]! + 1, data[at + REVISION]! + 1];
          this.#note(data, at, sorted.numbers(i));
          putNumbers(data, at, sorted.numbers(i));
          if (data[at + COUNT] === 0) data.fill(0, at + COUNT, at + WIDTH);
          data[at + CORRECTION] = correction;
          data[at + REVISION] = revision;
          this.#rebuild.touch(bucket, hour, sorted.key(i) % VIDEOS_A_BLOCK);
        }
        this.#tables.touch("minute", minute, bucket);
        this.#moveRolled(minute, bucket);
      });
    }
    this.#flush();
    this.#tables.end();
  }

  /**
   * Adds the difference of minutes to an hour that is not the sum of the stored minutes, because these arrived after
   * its roll-up; likewise to such a day.
   */
  #moveRolled(minute: number, bucket: number): void {
    const hour = Math.floor(minute / MINUTES_AN_HOUR);
    const day = Math.floor(hour / HOURS_A_DAY);
    if (!this.#tiers.hasRolledMinutes(hour)) return;
    this.#move("hour", hour, bucket, (minute - hour * MINUTES_AN_HOUR) * MINUTE_MS, true, hour);
    if (this.#tiers.hasRolledHours(day))
      this.#move("day", day, bucket, (minute - day * MINUTES_A_DAY) * MINUTE_MS, true, hour);
  }

  /** Recomputes hours and days that touch [fromHour, toHour), and the total, inside a transaction. */
  rebuild(videoId: string, fromHour: number, toHour: number): void {
    const video = this.#videos.known(videoId);
    if (video === undefined) return;
    this.#tables.beginAnew();
    this.#folds.begin();
    this.#tiers.begin();
    this.#tiers.refuse(fromHour, toHour);
    this.#rebuild.range(bucketOf(video), video % VIDEOS_A_BLOCK, fromHour, toHour);
    this.#tables.flush();
    this.#tables.end();
  }

  /** Folds about `cells` cells of minutes of hours of any age, and settles every total, inside a transaction. */
  fold(cells: number): void {
    this.#tables.beginAnew();
    this.#folds.begin();
    this.#tiers.begin();
    this.#folds.fold(cells, 0);
    for (const [id] of [...this.#tables.rows("recent", 0)]) this.#tables.settled(id);
    this.#tables.flush();
    this.#tables.end();
  }

  openHours(): number[] {
    return [...this.#tables.openHours().keys()];
  }

  /** Forgets the transaction's state after a rollback. */
  forget(): void {
    this.#videos.forget();
    this.#types.forget();
    this.#rebuild.forget();
    this.#tables.forget();
  }

  #begin(): void {
    this.#videos.begin();
    this.#types.begin();
    this.#folds.begin();
    this.#tiers.begin();
  }

  #flush(): void {
    this.#videos.flush();
    this.#types.flush();
    this.#rebuild.run();
    this.#tables.flush();
  }

  #eachBucket(slice: MinuteSlice, take: (sorted: SortedCells, from: number, to: number) => void): void {
    const sorted = sortCells(slice, this.#videos, this.#types);
    for (let from = 0; from < sorted.length; ) {
      const bucket = sorted.bucket(from);
      let to = from + 1;
      while (to < sorted.length && sorted.bucket(to) === bucket) to++;
      take(sorted, from, to);
      from = to;
    }
  }

  #writeBucket(slice: MinuteSlice, sorted: SortedCells, from: number, to: number): void {
    const { minute } = slice.counts;
    const bucket = sorted.bucket(from);
    const hour = Math.floor(minute / MINUTES_AN_HOUR);
    const day = Math.floor(hour / HOURS_A_DAY);
    this.#tiers.refuse(hour);
    const isHourFinal = (hour + 1) * MINUTES_AN_HOUR <= slice.finalBeforeMinute;
    const isFolded = this.#folds.isFolded(hour, bucket, isHourFinal);
    if (minute < slice.finalBeforeMinute || !this.#mergeStates(slice, sorted, from, to)) {
      const block = this.#tables.load("minute", minute, bucket);
      this.#moved = 0;
      this.#mergeMinute(block, slice, sorted, from, to);
      if (this.#moved > 0) this.#tables.touch("minute", minute, bucket);
    }
    if (this.#moved === 0) return;
    this.#moveTotal(bucket, minute * MINUTE_MS, hour);
    if (!isFolded) return;
    this.#move("hour", hour, bucket, (minute - hour * MINUTES_AN_HOUR) * MINUTE_MS, isHourFinal, hour);
    const isDayFinal = (day + 1) * MINUTES_A_DAY <= slice.finalBeforeMinute;
    this.#move("day", day, bucket, (minute - day * MINUTES_A_DAY) * MINUTE_MS, isDayFinal, hour);
  }

  /** Merges into the bytes of a block. Returns false where its cells must be looked at one by one. */
  #mergeStates({ counts, followCorrections }: MinuteSlice, sorted: SortedCells, from: number, to: number): boolean {
    const bucket = sorted.bucket(from);
    const held = this.#tables.held("minute", counts.minute, bucket);
    if (held.block !== undefined) return false;
    const merge = this.#merge;
    const states = sorted.states(from, to, followCorrections);
    if (!merge.states(held, states, to - from)) return false;
    this.#moves = merge.moves;
    this.#moved = merge.moved;
    this.#written += merge.moved;
    if (merge.moved > 0) this.#tables.putGrown(held, merge, states, to - from);
    return true;
  }

  #mergeMinute(block: Block, slice: MinuteSlice, sorted: SortedCells, from: number, to: number): void {
    const isFinal = slice.counts.minute < slice.finalBeforeMinute;
    const hour = Math.floor(slice.counts.minute / MINUTES_AN_HOUR);
    let hint = 0;
    for (let i = from; i < to; i++) {
      const key = sorted.key(i);
      const next = sorted.numbers(i);
      const found = block.find(key, hint);
      const stored = found * WIDTH;
      if (slice.followCorrections) next.correction = found < 0 ? 0 : block.data[stored + CORRECTION]!;
      const { correction } = next;
      if (found < 0) {
        if (next.count === 0 && correction === 0) continue;
      } else if (!isLaterCell(next, putState(this.#stored, block.data, stored))) continue;
      hint = found < 0 ? block.cell(key, hint) : found;
      const at = hint * WIDTH;
      const { data } = block;
      const isLowered = data[at + COUNT]! > 0 && (next.count === 0 || next.last < data[at + LAST]!);
      const isChanged = this.#note(data, at, next);
      if (isLowered) this.#rebuild.touch(sorted.bucket(from), hour, key % VIDEOS_A_BLOCK);
      putNumbers(data, at, next);
      data[at + CORRECTION] = correction;
      if (isFinal && isChanged) raise(block, at);
      this.#written++;
    }
  }

  /** Notes the difference of the cell at `at`; returns whether its value changes. */
  #note(data: Float64Array, at: number, next: CellState): boolean {
    const move = this.#moved++ * WIDTH;
    if (move + WIDTH > this.#moves.length) {
      const grown = new Float64Array(this.#moves.length * 2);
      grown.set(this.#moves);
      this.#moves = grown;
    }
    const moves = this.#moves;
    moves[move + KEY] = data[at + KEY]!;
    moves[move + COUNT] = next.count - data[at + COUNT]!;
    moves[move + VALUED] = next.valued - data[at + VALUED]!;
    moves[move + LOW] = next.low - data[at + LOW]!;
    moves[move + MID] = next.mid - data[at + MID]!;
    moves[move + TOP] = next.top - data[at + TOP]!;
    moves[move + LAST] = next.count === 0 ? Number.NEGATIVE_INFINITY : next.last;
    for (let column = COUNT; column <= TOP; column++) if (moves[move + column] !== 0) return true;
    return false;
  }

  /**
   * Adds to a total. A pass changes few cells of most buckets, and a total's block is large. So the difference goes to
   * a small block beside the total's, which is merged when it is not small any more.
   */
  #moveTotal(bucket: number, offsetMs: number, hour: number): void {
    if (this.#addRecent(bucket, offsetMs)) return;
    this.#tables.settled(bucket);
    this.#move("total", 0, bucket, offsetMs, false, hour);
  }

  /** Adds to the bytes of a total. Returns false where its cells must be looked at one by one. */
  #addRecent(bucket: number, offsetMs: number): boolean {
    const merge = this.#merge;
    const recent = this.#tables.held("recent", 0, bucket);
    if (recent.block !== undefined) return false;
    const isLarge = recent.length === 0 && this.#moved * RECENT_CELL_BYTES > MAX_RECENT_BYTES;
    if (!isLarge) {
      if (!merge.sums(recent, this.#moves, this.#moved, offsetMs)) return false;
      if (merge.length <= MAX_RECENT_BYTES) {
        this.#tables.put("recent", recent, merge);
        return true;
      }
      decodeCells(merge.bytes, merge.length, this.#settling);
    }
    const total = this.#tables.held("total", 0, bucket);
    if (total.block !== undefined) return false;
    const { data, cells } = this.#settling;
    const isAdded = isLarge ? merge.sums(total, this.#moves, this.#moved, offsetMs) : merge.sums(total, data, cells, 0);
    if (!isAdded) return false;
    this.#tables.put("total", total, merge);
    if (recent.length > 0) this.#tables.put("recent", recent, NO_CELLS);
    return true;
  }

  #move(
    level: "hour" | "day" | "total",
    time: number,
    bucket: number,
    offsetMs: number,
    isFinal: boolean,
    hour: number,
  ): void {
    const held = this.#tables.held(level, time, bucket);
    if (!isFinal && held.block === undefined && this.#merge.sums(held, this.#moves, this.#moved, offsetMs)) {
      this.#tables.put(level, held, this.#merge);
      return;
    }
    const block = this.#tables.load(level, time, bucket);
    const moves = this.#moves;
    let hint = 0;
    let changed = false;
    for (let i = 0; i < this.#moved; i++) {
      const move = i * WIDTH;
      const key = moves[move + KEY]!;
      hint = block.cell(key, hint);
      const at = hint * WIDTH;
      const lastMs = moves[move + LAST]! + offsetMs;
      const { data } = block;
      if (lastMs !== Number.NEGATIVE_INFINITY && (data[at + COUNT] === 0 || data[at + LAST]! < lastMs)) {
        data[at + LAST] = lastMs;
        changed = true;
      }
      const [count, valued] = [moves[move + COUNT]!, moves[move + VALUED]!];
      const [low, mid, top] = [moves[move + LOW]!, moves[move + MID]!, moves[move + TOP]!];
      if (count === 0 && valued === 0 && low === 0 && mid === 0 && top === 0) continue;
      changed = true;
      block.move(at, count, valued, low, mid, top);
      if (isFinal) raise(block, at);
      // Only a damaged level falls below the subtracted number.
      if (data[at + COUNT]! < 0 || data[at + VALUED]! < 0) data.fill(0, at + COUNT, at + LAST);
      if (data[at + COUNT] === 0) this.#rebuild.touch(bucket, hour, key % VIDEOS_A_BLOCK);
    }
    if (changed) this.#tables.touch(level, time, bucket);
  }
}

function putState(state: CellState, data: Float64Array, at: number): CellState {
  state.correction = data[at + CORRECTION]!;
  state.count = data[at + COUNT]!;
  state.valued = data[at + VALUED]!;
  state.low = data[at + LOW]!;
  state.mid = data[at + MID]!;
  state.top = data[at + TOP]!;
  state.last = data[at + LAST]!;
  return state;
}

function putNumbers(data: Float64Array, at: number, cell: CellState): void {
  data[at + COUNT] = cell.count;
  data[at + VALUED] = cell.valued;
  data[at + LOW] = cell.low;
  data[at + MID] = cell.mid;
  data[at + TOP] = cell.top;
  data[at + LAST] = cell.last;
}

/** Raises a revision once a transaction. */
function raise(block: Block, at: number): void {
  const key = block.data[at + KEY]!;
  block.revised ??= new Set();
  if (block.revised.has(key)) return;
  block.revised.add(key);
  block.data[at + REVISION] = block.data[at + REVISION]! + 1;
}
