// SPDX-License-Identifier: Apache-2.0
/**
 * Recomputes hours from minutes, days from hours and totals from days, whatever the levels hold. It works on the cells
 * of single videos, because their neighbours in a block must not change. An hour or a day keeps its revision, which
 * grows where its value changes. An hour whose minutes are in roll-ups, or a day whose hours are, is more than the sum
 * of the stored cells below it, and stays as it is. An audit with `--repair` calls it through the counter store.
 */
import { HOURS_A_DAY, hourOf, MINUTES_AN_HOUR } from "../../domain/rules/time";
import { type BlockTables, type Level, UNIT_MS } from "./block-tables";
import { Block, COUNT, KEY, LAST, REVISION, TOP, VIDEOS_A_BLOCK, WIDTH } from "./cell-block";
import type { HourFolds } from "./hour-folds";
import { sumOfMinutes } from "./open-hours";
import type { TierGuard } from "./tier-guard";

interface Touched {
  insides: Set<number>;
  hours: Set<number>;
  days: Set<number>;
}

export class DerivedRebuild {
  #touched = new Map<number, Touched>();
  readonly #scratch = new Block();
  readonly #sums = new Block();

  constructor(
    private readonly tables: BlockTables,
    private readonly folds: HourFolds,
    private readonly tiers: Pick<TierGuard, "hasRolledMinutes" | "hasRolledHours">,
  ) {}

  /** Notes a video (its place in the bucket) and an hour for `run`. */
  touch(bucket: number, hour: number, inside: number): void {
    const touched = this.#of(bucket);
    touched.insides.add(inside);
    touched.hours.add(hour);
    touched.days.add(Math.floor(hour / HOURS_A_DAY));
  }

  /** Recomputes the noted hours, their days, and the totals of their videos. */
  run(): void {
    for (const [bucket, { insides, hours, days }] of this.#touched) {
      for (const hour of hours) this.#hour(hour, bucket, insides);
      for (const day of days) this.#day(day, bucket, insides);
      this.#total(bucket, insides);
    }
    this.#touched.clear();
  }

  /** Recomputes the stored hours of [fromHour, toHour), the days that touch it, and the video's totals. */
  range(bucket: number, inside: number, fromHour: number, toHour: number): void {
    const { insides, hours, days } = this.#of(bucket);
    insides.add(inside);
    for (const hour of this.#times("hour", fromHour, toHour)) hours.add(hour);
    for (const minute of this.#times("minute", fromHour * MINUTES_AN_HOUR, toHour * MINUTES_AN_HOUR))
      hours.add(hourOf(minute));
    for (const hour of hours) days.add(Math.floor(hour / HOURS_A_DAY));
    const [fromDay, toDay] = [Math.floor(fromHour / HOURS_A_DAY), Math.ceil(toHour / HOURS_A_DAY)];
    for (const day of this.#times("day", fromDay, toDay)) days.add(day);
    this.run();
  }

  forget(): void {
    this.#touched.clear();
  }

  #of(bucket: number): Touched {
    let touched = this.#touched.get(bucket);
    if (touched === undefined) {
      touched = { insides: new Set(), hours: new Set(), days: new Set() };
      this.#touched.set(bucket, touched);
    }
    return touched;
  }

  #hour(hour: number, bucket: number, insides: ReadonlySet<number>): void {
    if (this.folds.isUnfolded(hour, bucket) || this.tiers.hasRolledMinutes(hour)) return;
    this.#sums.clear();
    sumOfMinutes(this.tables, hour, bucket, this.#sums, insides);
    this.#replace("hour", hour, bucket, insides);
  }

  #day(day: number, bucket: number, insides: ReadonlySet<number>): void {
    if (this.tiers.hasRolledHours(day)) return;
    this.#sums.clear();
    for (let n = 0; n < HOURS_A_DAY; n++) {
      const hour = this.tables.look("hour", day * HOURS_A_DAY + n, bucket, this.#scratch);
      if (hour !== undefined) this.#sums.add(hour, n * UNIT_MS.hour, insides);
    }
    this.#replace("day", day, bucket, insides);
  }

  #total(bucket: number, insides: ReadonlySet<number>): void {
    this.tables.settled(bucket);
    this.tables.flush();
    this.#sums.clear();
    for (const day of this.#times("day", Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY)) {
      const block = this.tables.look("day", day, bucket, this.#scratch);
      if (block !== undefined) this.#sums.add(block, day * UNIT_MS.day, insides);
    }
    for (const hour of this.folds.openHours()) {
      if (!this.folds.isUnfolded(hour, bucket)) continue;
      const minutes = new Block();
      sumOfMinutes(this.tables, hour, bucket, minutes, insides);
      this.#sums.add(minutes, hour * UNIT_MS.hour);
    }
    this.#replace("total", 0, bucket, insides);
  }

  /** Yields the times of [from, to) at which the level has rows, waiting ones included. */
  *#times(level: Level, from: number, to: number): Generator<number> {
    this.tables.flush();
    for (let time = this.tables.nextTime(level, from, to); time !== undefined; ) {
      yield time;
      time = this.tables.nextTime(level, time + 1, to);
    }
  }

  /** Replaces the cells of these videos by those of `#sums`. */
  #replace(level: "hour" | "day" | "total", time: number, bucket: number, insides: ReadonlySet<number>): void {
    const block = this.tables.load(level, time, bucket);
    const sums = this.#sums;
    for (let at = 0; at < sums.cells * WIDTH; at += WIDTH) block.cell(sums.data[at + KEY]!);
    for (let at = 0; at < block.cells * WIDTH; at += WIDTH) {
      const { data } = block;
      if (!insides.has(data[at + KEY]! % VIDEOS_A_BLOCK)) continue;
      const found = sums.find(data[at + KEY]!);
      let changed = false;
      for (let column = COUNT; column <= LAST; column++) {
        const value = found < 0 ? 0 : sums.data[found * WIDTH + column]!;
        if (data[at + column] !== value && column <= TOP) changed = true;
        data[at + column] = value;
      }
      if (!changed || level === "total" || block.revised?.has(data[at + KEY]!) === true) continue;
      data[at + REVISION] = data[at + REVISION]! + 1;
    }
    this.tables.touch(level, time, bucket);
  }
}
