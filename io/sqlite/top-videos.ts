/** The videos with the largest counts of a range: whole days, whole hours around them, and the minutes at the edges. */
import type { VideoCount } from "../ports";
import type { BlockNames } from "./block-names";
import { type BlockReader, bucketOfRow, MAX_TIME, rowName } from "./block-tables";
import { COUNT, KEY, scanBlock, VIDEOS_A_BLOCK, WIDTH } from "./cell-block";
import { unfoldedSums } from "./open-hours";

/** Sums by bucket: a number a video that has any. */
type Counts = Map<number, Float64Array>;

export class TopVideos {
  constructor(
    private readonly blocks: BlockReader,
    private readonly names: BlockNames,
  ) {}

  /** On a snapshot. By count descending, ties by videoId ascending; [fromMinute, toMinute). */
  largest(type: number, fromMinute: number, toMinute: number, limit: number): VideoCount[] {
    const counts: Counts = new Map();
    const from = Math.max(fromMinute, 1 - MAX_TIME);
    const to = Math.min(toMinute, MAX_TIME);
    const fromHour = Math.ceil(from / 60);
    const toHour = Math.floor(to / 60);
    if (fromHour > toHour) this.#minutes(counts, type, from, to);
    else {
      this.#minutes(counts, type, from, fromHour * 60);
      this.#hoursAndDays(counts, type, fromHour, toHour);
      this.#minutes(counts, type, toHour * 60, to);
    }
    return this.#named(counts, limit);
  }

  #hoursAndDays(counts: Counts, type: number, fromHour: number, toHour: number): void {
    const fromDay = Math.ceil(fromHour / 24);
    const toDay = Math.max(fromDay, Math.floor(toHour / 24));
    this.#level(counts, type, "hour", fromHour, Math.min(fromDay * 24, toHour));
    this.#level(counts, type, "day", fromDay, toDay);
    this.#level(counts, type, "hour", Math.max(toDay * 24, Math.min(fromDay * 24, toHour)), toHour);
    for (const [hour, unfoldedFrom] of this.blocks.openHours()) {
      if (hour < fromHour || hour >= toHour) continue;
      for (const [bucket, block] of unfoldedSums(this.blocks, hour, unfoldedFrom).sums) {
        for (let at = 0; at < block.cells * WIDTH; at += WIDTH) add(counts, type, bucket, block.data, at);
      }
    }
  }

  #minutes(counts: Counts, type: number, from: number, to: number): void {
    this.#level(counts, type, "minute", from, to);
  }

  #level(counts: Counts, type: number, level: "minute" | "hour" | "day", from: number, to: number): void {
    for (let time = this.blocks.nextTime(level, from, to); time !== undefined; ) {
      for (const [id, bytes] of this.blocks.rows(level, time)) {
        const bucket = bucketOfRow(id);
        const where = () => rowName(level, id);
        scanBlock(bytes, where, (cell) => {
          add(counts, type, bucket, cell, 0);
          return cell[KEY]! >= (type + 1) * VIDEOS_A_BLOCK;
        });
      }
      time = this.blocks.nextTime(level, time + 1, to);
    }
  }

  /** Only the videos that reach the count of the last place are looked up by name. */
  #named(counts: Counts, limit: number): VideoCount[] {
    const all: { video: number; count: number }[] = [];
    for (const [bucket, block] of counts) {
      for (let inside = 0; inside < VIDEOS_A_BLOCK; inside++) {
        if (block[inside]! > 0) all.push({ video: bucket * VIDEOS_A_BLOCK + inside, count: block[inside]! });
      }
    }
    all.sort((a, b) => b.count - a.count);
    const least = all[Math.min(limit, all.length) - 1]?.count ?? 0;
    return all
      .filter(({ count }) => count >= least)
      .map(({ video, count }) => ({ videoId: this.names.video(video), count }))
      .sort((a, b) => b.count - a.count || (a.videoId < b.videoId ? -1 : 1))
      .slice(0, limit);
  }
}

function add(counts: Counts, type: number, bucket: number, cell: Float64Array, at: number): void {
  const inside = cell[at + KEY]! % VIDEOS_A_BLOCK;
  if (cell[at + KEY] !== type * VIDEOS_A_BLOCK + inside) return;
  let block = counts.get(bucket);
  if (block === undefined) {
    block = new Float64Array(VIDEOS_A_BLOCK);
    counts.set(bucket, block);
  }
  block[inside] = block[inside]! + cell[at + COUNT]!;
}
