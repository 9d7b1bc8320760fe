// SPDX-License-Identifier: Apache-2.0
/**
 * Writes hours and days when an hour is over, not with every minute. Until then an hour is open: its content is the sum
 * of its minutes, which readers add up (open-hours.ts). A bucket of an hour is folded when the hour has a row for the
 * bucket. Its sums are then in the rows of the hour and of the day, and every later write of a minute changes both.
 * `open_hours` lists the hours that may have unfolded buckets, all of them at `next_bucket` or behind it. Totals are
 * never open: every write changes them. The writer of minutes asks it at every write, and the store folds finished
 * hours with it.
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { dayOf, HOUR_MS, HOURS_A_DAY, MINUTES_AN_HOUR } from "../../domain/rules/time";
import type { BlockTables } from "./block-tables";
import { Block, WIDTH } from "./cell-block";
import { firstUnfolded, sumOfMinutes, unfoldedSums } from "./open-hours";

export interface Folding {
  /**
   * A transaction folds at least this many cells of minutes, and twice as many as it writes, so that folding keeps up
   * with writing. Default 4,000.
   */
  leastFoldedCells: number;
  /** The buckets folded at a time. Default 64. */
  foldedBuckets: number;
  /** The newest hours stay open, because most late events are late by minutes. Default 2. */
  hoursKeptOpen: number;
}

const USUAL: Folding = { leastFoldedCells: 4_000, foldedBuckets: 64, hoursKeptOpen: 2 };

export class HourFolds {
  readonly #open: StatementSync;
  readonly #advance: StatementSync;
  readonly #close: StatementSync;
  readonly #folding: Folding;
  #next = new Map<number, number>();

  constructor(
    db: DatabaseSync,
    private readonly tables: BlockTables,
    folding: Partial<Folding> = {},
  ) {
    this.#folding = { ...USUAL, ...folding };
    this.#open = db.prepare("INSERT INTO open_hours (hour, next_bucket) VALUES (?, 0)");
    this.#advance = db.prepare("UPDATE open_hours SET next_bucket = ?2 WHERE hour = ?1");
    this.#close = db.prepare("DELETE FROM open_hours WHERE hour = ?");
  }

  /** Called at the start of a write transaction: another process may have folded. */
  begin(): void {
    this.#next = this.tables.openHours();
  }

  /**
   * Returns whether a write to this bucket changes the hour and the day as well. The caller asks before the minute
   * changes: a bucket of a final hour is folded here, because its revision needs a row.
   */
  isFolded(hour: number, bucket: number, isFinal: boolean): boolean {
    const next = this.#next.get(hour);
    if (next === undefined) {
      if (isFinal || this.#hasRows(hour)) return true;
      this.#open.run(hour);
      this.#next.set(hour, 0);
      return false;
    }
    if (!this.isUnfolded(hour, bucket)) return true;
    if (!isFinal) return false;
    this.foldBucket(hour, bucket);
    return true;
  }

  isUnfolded(hour: number, bucket: number): boolean {
    const next = this.#next.get(hour);
    return next !== undefined && bucket >= next && !this.tables.has("hour", hour, bucket);
  }

  openHours(): Iterable<number> {
    return this.#next.keys();
  }

  foldBucket(hour: number, bucket: number): void {
    const sums = new Block();
    sumOfMinutes(this.tables, hour, bucket, sums);
    this.#put(hour, bucket, sums);
  }

  /** Folds hours that are over, after a transaction that wrote `cells`. Every touched block must be flushed. */
  foldAfter(cells: number): void {
    this.fold(Math.max(this.#folding.leastFoldedCells, cells * 2), this.#folding.hoursKeptOpen);
  }

  /** Folds hours, oldest first, except the newest `keptOpen`, until about `budget` cells of minutes are added up. */
  fold(budget: number, keptOpen: number): void {
    const window = this.#folding.foldedBuckets;
    const hours = [...this.#next.keys()].sort((a, b) => a - b);
    const over = keptOpen === 0 ? hours : hours.filter((hour) => hour <= hours.at(-1)! - keptOpen);
    let left = budget;
    for (const hour of over) {
      while (left > 0) {
        const from = firstUnfolded(this.tables, hour, this.#next.get(hour)!);
        if (from === undefined) {
          this.#close.run(hour);
          this.#next.delete(hour);
          break;
        }
        const { sums, cells } = unfoldedSums(this.tables, hour, from, from + window);
        for (const [bucket, block] of sums) this.#put(hour, bucket, block);
        this.#advance.run(hour, from + window);
        this.#next.set(hour, from + window);
        left -= cells;
        this.tables.flush();
      }
      if (left <= 0) return;
    }
  }

  #put(hour: number, bucket: number, sums: Block): void {
    const day = dayOf(hour);
    const own = this.tables.load("hour", hour, bucket);
    own.clear();
    if (own.data.length < sums.cells * WIDTH) own.data = new Float64Array(sums.data.length);
    own.data.set(sums.data.subarray(0, sums.cells * WIDTH));
    own.cells = sums.cells;
    this.tables.touch("hour", hour, bucket);
    this.tables.load("day", day, bucket).add(sums, (hour - day * HOURS_A_DAY) * HOUR_MS);
    this.tables.touch("day", day, bucket);
  }

  #hasRows(hour: number): boolean {
    if (!this.tables.isEmpty("hour", hour)) return true;
    for (let minute = hour * MINUTES_AN_HOUR; minute < hour * MINUTES_AN_HOUR + MINUTES_AN_HOUR; minute++) {
      if (!this.tables.isEmpty("minute", minute)) return true;
    }
    return false;
  }
}
