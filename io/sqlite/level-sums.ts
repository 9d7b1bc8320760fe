// SPDX-License-Identifier: Apache-2.0
/**
 * The levels above the minutes, each cell beside the sum of the cells below it, for the audit of derived levels. An
 * open hour (hour-folds.ts) is the sum of its minutes, and adds that sum to its day. The counter store reads with it.
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { NO_SUMS, type Sums } from "../../domain/rules/cell-sums";
import { DAY_MS, HOUR_MS, HOURS_A_DAY } from "../../domain/rules/time";
import type { LevelSums } from "../ports";
import type { BlockNames } from "./block-names";
import { type BlockReader, bucketOf, rowName, timeOf } from "./block-tables";
import { Block, COUNT, decodeBlock, KEY, VALUED, VIDEOS_A_BLOCK, WIDTH } from "./cell-block";
import { onSnapshot, orUnavailable } from "./connection";
import { COUNTERS_FILE } from "./counter-file";
import { DaySums } from "./day-sums";
import { NameDictionary } from "./name-dictionary";
import { sumOfMinutes } from "./open-hours";

const CACHED_VIDEOS = 50_000;

type Level = LevelSums["level"];
type Insides = ReadonlySet<number>;

export class LevelReader {
  readonly #videos: NameDictionary;
  readonly #lastVideo: StatementSync;
  readonly #days: DaySums;
  /** The video that `#following` found last. */
  #lastFound = -1;

  constructor(
    private readonly db: DatabaseSync,
    private readonly blocks: BlockReader,
    private readonly names: BlockNames,
  ) {
    this.#videos = new NameDictionary(db, "videos", CACHED_VIDEOS);
    this.#lastVideo = db.prepare("SELECT MAX(id) AS id FROM videos");
    this.#days = new DaySums(db, blocks);
  }

  *levels(videoIds: readonly string[], hour: number): Generator<LevelSums> {
    for (const [bucket, insides] of this.#places(videoIds)) {
      yield* this.#snapshot(() => {
        const of = new BucketReads(this.blocks, bucket, insides);
        return [...this.#hour(of, hour), ...this.#day(of, Math.floor(hour / HOURS_A_DAY)), ...this.#total(of)];
      });
    }
  }

  /** Every total, and every sum of days without one. */
  *totals(): Generator<LevelSums> {
    const last = this.#snapshot(() => bucketOf(Number(this.#lastVideo.get()?.id ?? -1)));
    for (let bucket = 0; bucket <= last; bucket++)
      yield* this.#snapshot(() => this.#total(new BucketReads(this.blocks, bucket)));
  }

  #snapshot<T>(work: () => T): T {
    return orUnavailable(COUNTERS_FILE, () => onSnapshot(this.db, work));
  }

  #places(videoIds: readonly string[]): Map<number, Set<number>> {
    const places = new Map<number, Set<number>>();
    const unknown: string[] = [];
    const place = (video: number) => {
      const bucket = bucketOf(video);
      const insides = places.get(bucket) ?? new Set();
      places.set(bucket, insides.add(video % VIDEOS_A_BLOCK));
    };
    for (const videoId of videoIds) {
      const video = this.#following(videoId);
      if (video === undefined) unknown.push(videoId);
      else place(video);
    }
    this.#videos.expect(unknown);
    for (const videoId of unknown) {
      const video = this.#videos.known(videoId);
      if (video === undefined) continue;
      place(video);
      this.#lastFound = video;
    }
    return places;
  }

  /**
   * The video, where it is among those that follow the one found last: an audit asks in the order in which it has read
   * the cells, and the names of their blocks are at hand.
   */
  #following(videoId: string): number | undefined {
    const next = this.#lastFound + 1;
    for (let bucket = bucketOf(next); bucket <= bucketOf(next) + 1; bucket++) {
      const names = this.names.videos(bucket);
      const from = bucket === bucketOf(next) ? next % VIDEOS_A_BLOCK : 0;
      for (let inside = from; inside < VIDEOS_A_BLOCK; inside++) {
        if (names[inside] !== videoId) continue;
        this.#lastFound = bucket * VIDEOS_A_BLOCK + inside;
        return this.#lastFound;
      }
    }
    return undefined;
  }

  #hour(of: BucketReads, hour: number): LevelSums[] {
    const below = of.minutes(hour);
    const stored = of.isUnfolded(hour) ? below : of.stored("hour", hour);
    return this.#joined("hour", hour * HOUR_MS, of.bucket, stored, below);
  }

  #day(of: BucketReads, day: number): LevelSums[] {
    const stored = of.stored("day", day);
    const below = new Block();
    for (const [hour, sums] of of.storedHours(day)) if (!of.isUnfolded(hour)) below.add(sums, 0);
    for (const hour of of.openHours()) {
      if (Math.floor(hour / HOURS_A_DAY) !== day || !of.isUnfolded(hour)) continue;
      below.add(of.minutes(hour), 0);
      stored.add(of.minutes(hour), 0);
    }
    return this.#joined("day", day * DAY_MS, of.bucket, stored, below);
  }

  #total(of: BucketReads): LevelSums[] {
    const stored = of.stored("total", 0);
    stored.add(of.stored("recent", 0), 0);
    const below = new Block();
    this.#days.addTo(below, of.bucket, of.insides);
    for (const hour of of.openHours()) if (of.isUnfolded(hour)) below.add(of.minutes(hour), 0);
    return this.#joined("total", 0, of.bucket, stored, below);
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

const scratch = new Block();

/** One bucket on one snapshot: what several levels are compared with is read once. */
class BucketReads {
  readonly #open: Map<number, number>;
  readonly #unfolded = new Map<number, boolean>();
  readonly #minutes = new Map<number, Block>();

  /** `insides`: the videos of the bucket; absent: all of them. */
  constructor(
    private readonly blocks: BlockReader,
    readonly bucket: number,
    readonly insides?: Insides,
  ) {
    this.#open = blocks.openHours();
  }

  openHours(): Iterable<number> {
    return this.#open.keys();
  }

  isUnfolded(hour: number): boolean {
    const next = this.#open.get(hour);
    if (next === undefined || this.bucket < next) return false;
    let unfolded = this.#unfolded.get(hour);
    if (unfolded === undefined) {
      unfolded = this.blocks.bytes("hour", hour, this.bucket) === undefined;
      this.#unfolded.set(hour, unfolded);
    }
    return unfolded;
  }

  /** The sums of an hour's minutes. Must not be changed. */
  minutes(hour: number): Block {
    let sums = this.#minutes.get(hour);
    if (sums === undefined) {
      sums = new Block();
      sumOfMinutes(this.blocks, hour, this.bucket, sums, this.insides);
      this.#minutes.set(hour, sums);
    }
    return sums;
  }

  stored(level: "hour" | "day" | "total" | "recent", time: number): Block {
    const own = new Block();
    const block = this.blocks.read(level, time, this.bucket, scratch);
    if (block !== undefined) own.add(block, 0, this.insides);
    return own;
  }

  /** The hours of a day that have a row. */
  *storedHours(day: number): Generator<[hour: number, sums: Block]> {
    const first = day * HOURS_A_DAY;
    for (const [id, bytes] of this.blocks.run("hour", first, first + HOURS_A_DAY, this.bucket)) {
      const sums = new Block();
      sums.add(
        decodeBlock(bytes, scratch, () => rowName("hour", id)),
        0,
        this.insides,
      );
      yield [timeOf(id), sums];
    }
  }
}

function sumsOf(block: Block, key: number): Sums {
  const at = block.find(key) * WIDTH;
  return at < 0 ? NO_SUMS : { count: block.data[at + COUNT]!, sum: block.sum(at), valued: block.data[at + VALUED]! };
}
