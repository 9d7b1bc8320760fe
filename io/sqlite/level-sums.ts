// SPDX-License-Identifier: Apache-2.0
/**
 * The levels above the minutes, each cell beside the sum of the cells below it, for the audit of derived levels. An
 * open hour (hour-folds.ts) is the sum of its minutes, and adds that sum to its day.
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { NO_SUMS, type Sums } from "../../domain/rules/cell-sums";
import { DAY_MS, HOUR_MS, HOURS_A_DAY } from "../../domain/rules/time";
import type { LevelSums } from "../ports";
import type { BlockNames } from "./block-names";
import { type BlockReader, bucketOf, MAX_TIME } from "./block-tables";
import { Block, COUNT, KEY, VALUED, VIDEOS_A_BLOCK, WIDTH } from "./cell-block";
import { onSnapshot, orUnavailable } from "./connection";
import { COUNTERS_FILE } from "./counter-file";
import { NameDictionary } from "./name-dictionary";
import { sumOfMinutes } from "./open-hours";

const CACHED_VIDEOS = 50_000;

type Level = LevelSums["level"];
type Insides = ReadonlySet<number>;

export class LevelReader {
  readonly #videos: NameDictionary;
  readonly #lastVideo: StatementSync;
  readonly #scratch = new Block();

  constructor(
    private readonly db: DatabaseSync,
    private readonly blocks: BlockReader,
    private readonly names: BlockNames,
  ) {
    this.#videos = new NameDictionary(db, "videos", CACHED_VIDEOS);
    this.#lastVideo = db.prepare("SELECT MAX(id) AS id FROM videos");
  }

  *levels(videoIds: readonly string[], hour: number): Generator<LevelSums> {
    for (const [bucket, insides] of this.#places(videoIds)) {
      yield* this.#snapshot(() => {
        const day = Math.floor(hour / HOURS_A_DAY);
        return [
          ...this.#hour(bucket, insides, hour),
          ...this.#day(bucket, insides, day),
          ...this.#total(bucket, insides),
        ];
      });
    }
  }

  /** Every total, and every sum of days without one. */
  *totals(): Generator<LevelSums> {
    const last = this.#snapshot(() => bucketOf(Number(this.#lastVideo.get()?.id ?? -1)));
    for (let bucket = 0; bucket <= last; bucket++) yield* this.#snapshot(() => this.#total(bucket));
  }

  #snapshot<T>(work: () => T): T {
    return orUnavailable(COUNTERS_FILE, () => onSnapshot(this.db, work));
  }

  #places(videoIds: readonly string[]): Map<number, Set<number>> {
    const places = new Map<number, Set<number>>();
    this.#videos.expect(videoIds);
    for (const videoId of videoIds) {
      const video = this.#videos.known(videoId);
      if (video === undefined) continue;
      const bucket = bucketOf(video);
      const insides = places.get(bucket) ?? new Set();
      places.set(bucket, insides.add(video % VIDEOS_A_BLOCK));
    }
    return places;
  }

  #hour(bucket: number, insides: Insides, hour: number): LevelSums[] {
    const below = this.#minutes(bucket, insides, hour);
    const stored = this.#isUnfolded(bucket, hour) ? below : this.#stored("hour", bucket, insides, hour);
    return this.#joined("hour", hour * HOUR_MS, bucket, stored, below);
  }

  #day(bucket: number, insides: Insides, day: number): LevelSums[] {
    const stored = this.#dayAnswer(bucket, insides, day);
    const below = new Block();
    for (let hour = day * HOURS_A_DAY; hour < (day + 1) * HOURS_A_DAY; hour++) {
      const unfolded = this.#isUnfolded(bucket, hour);
      below.add(unfolded ? this.#minutes(bucket, insides, hour) : this.#stored("hour", bucket, insides, hour), 0);
    }
    return this.#joined("day", day * DAY_MS, bucket, stored, below);
  }

  #total(bucket: number, insides?: Insides): LevelSums[] {
    const stored = this.#stored("total", bucket, insides, 0);
    stored.add(this.#stored("recent", bucket, insides, 0), 0);
    const below = new Block();
    for (let day: number | undefined = 1 - MAX_TIME; ; day++) {
      day = this.blocks.nextTime("day", day, MAX_TIME);
      if (day === undefined) break;
      below.add(this.#stored("day", bucket, insides, day), 0);
    }
    for (const hour of this.blocks.openHours().keys()) {
      if (this.#isUnfolded(bucket, hour)) below.add(this.#minutes(bucket, insides, hour), 0);
    }
    return this.#joined("total", 0, bucket, stored, below);
  }

  /** The rows of a day: its own, and those of its hours that are not in it yet. */
  #dayAnswer(bucket: number, insides: Insides, day: number): Block {
    const answer = this.#stored("day", bucket, insides, day);
    for (const hour of this.blocks.openHours().keys()) {
      const ofDay = Math.floor(hour / HOURS_A_DAY) === day;
      if (ofDay && this.#isUnfolded(bucket, hour)) answer.add(this.#minutes(bucket, insides, hour), 0);
    }
    return answer;
  }

  #stored(
    level: "hour" | "day" | "total" | "recent",
    bucket: number,
    insides: Insides | undefined,
    time: number,
  ): Block {
    const own = new Block();
    const block = this.blocks.read(level, time, bucket, this.#scratch);
    if (block !== undefined) own.add(block, 0, insides);
    return own;
  }

  #minutes(bucket: number, insides: Insides | undefined, hour: number): Block {
    const sums = new Block();
    sumOfMinutes(this.blocks, hour, bucket, sums, insides);
    return sums;
  }

  #isUnfolded(bucket: number, hour: number): boolean {
    const next = this.blocks.openHours().get(hour);
    return next !== undefined && bucket >= next && this.blocks.bytes("hour", hour, bucket) === undefined;
  }

  #joined(level: Level, startMs: number, bucket: number, stored: Block, below: Block): LevelSums[] {
    const keys = new Set<number>();
    for (const block of [stored, below]) {
      for (let at = 0; at < block.cells * WIDTH; at += WIDTH) keys.add(block.data[at + KEY]!);
    }
    return [...keys].map((key) => {
      const inside = key % VIDEOS_A_BLOCK;
      return {
        level,
        startMs,
        videoId: this.names.video(bucket * VIDEOS_A_BLOCK + inside),
        eventType: this.names.type((key - inside) / VIDEOS_A_BLOCK),
        stored: sumsOf(stored, key),
        below: sumsOf(below, key),
      };
    });
  }
}

function sumsOf(block: Block, key: number): Sums {
  const at = block.find(key) * WIDTH;
  return at < 0 ? NO_SUMS : { count: block.data[at + COUNT]!, sum: block.sum(at), valued: block.data[at + VALUED]! };
}
