// SPDX-License-Identifier: Apache-2.0
/**
 * The videos with the largest counts of a range, or with the largest growth from one range to another: exact, with the
 * ranking index (bucket-ranks.ts). Buckets are read in the order of their bounds, until no remaining bucket can hold a
 * video of the answer. Where counts are so alike that the bounds decide nothing, every block of the range is read. The
 * read API's rankings end here.
 */
import { dayOf, HOURS_A_DAY, hourOf, MINUTES_AN_HOUR } from "../../domain/rules/time";
import type { VideoCount, VideoGrowth } from "../ports";
import type { BlockNames } from "./block-names";
import { type BlockReader, bucketOfRow, MAX_TIME, rowName, TIMES_AT_ONCE } from "./block-tables";
import { BucketBounds, type RankedLevel, RankReader } from "./bucket-ranks";
import { Block, COUNT, KEY, scanBlock, VIDEOS_A_BLOCK, WIDTH } from "./cell-block";
import type { KeptPiece, KeptPieces } from "./kept-pieces";
import { sumOfMinutes, unfoldedSums } from "./open-hours";

/** A half-open range of epoch minutes. */
interface MinuteRange {
  from: number;
  to: number;
}

/** Times of one level. The pieces of a range cover it, apart from the unfolded part of open hours. */
interface Piece extends MinuteRange {
  level: RankedLevel;
  /** What is kept of the piece. */
  kept?: KeptPiece;
}

/** An open hour of the range, and the bucket from which on it may be unfolded. */
interface OpenHour {
  hour: number;
  unfoldedFrom: number;
  /** What is kept of its minutes. */
  kept?: KeptPiece;
}

interface Pieces {
  type: number;
  pieces: Piece[];
  open: OpenHour[];
}

interface Candidate {
  video: number;
  count: number;
  /** The count of the range before; 0 where the question has none. */
  previous: number;
}

/** Sums by bucket: a number for each video that has one. */
type Counts = Map<number, Float64Array>;

const scoreOf = ({ count, previous }: Candidate): number => count - previous;

/** The number of buckets after which bounds are compared with the answer. */
const BUCKETS_AT_ONCE = 8;
/**
 * Beyond this number of buckets, and this share of all buckets with a count, reading everything in order is cheaper.
 */
const MAX_BUCKETS_READ = 512;
const MAX_SHARE_READ = 1 / 8;
/** The last days of a range, which late events change, are read each time; where enough are before, these are kept. */
const YOUNG_DAYS = 2;
const LEAST_KEPT_DAYS = 3;

export class TopVideos {
  readonly #ranks: RankReader;

  constructor(
    db: ConstructorParameters<typeof RankReader>[0],
    private readonly blocks: BlockReader,
    private readonly names: BlockNames,
    /** Absent: nothing is kept from one ranking to the next. */
    private readonly kept?: KeptPieces,
  ) {
    this.#ranks = new RankReader(db);
  }

  /** Reads a snapshot. Returns videos by count descending, ties by videoId ascending. */
  largest(type: number, range: MinuteRange, limit: number): VideoCount[] {
    this.kept?.look();
    const found = this.#find(this.#piecesOf(type, range), undefined, limit);
    return this.#named(found, limit).map(({ videoId, count }) => ({ videoId, count }));
  }

  /**
   * Reads a snapshot. Returns the videos that grew from `before` to `range`, by growth descending, ties by videoId
   * ascending.
   */
  rising(type: number, range: MinuteRange, before: MinuteRange, limit: number): VideoGrowth[] {
    this.kept?.look();
    return this.#named(this.#find(this.#piecesOf(type, range), this.#piecesOf(type, before), limit), limit);
  }

  #find(pieces: Pieces, before: Pieces | undefined, limit: number): Candidate[] {
    const { most } = this.#bounds(pieces);
    const order = new BoundOrder(most);
    let found: Candidate[] = [];
    let least = 0;
    for (let read = 0; ; read += BUCKETS_AT_ONCE) {
      const buckets = order.next(BUCKETS_AT_ONCE).filter((bucket) => most[bucket]! >= least);
      if (buckets.length === 0) return found;
      if (read > MAX_BUCKETS_READ && read > order.size * MAX_SHARE_READ) return this.#findAmongAll(pieces, before);
      for (const bucket of buckets) this.#readBucket(found, bucket, pieces, before);
      found.sort((a, b) => scoreOf(b) - scoreOf(a));
      if (found.length < limit) continue;
      least = scoreOf(found[limit - 1]!);
      found = found.filter((one) => scoreOf(one) >= least);
    }
  }

  #bounds({ type, pieces, open }: Pieces): BucketBounds {
    const bounds = new BucketBounds();
    for (const { level, from, to, kept } of pieces) {
      if (kept === undefined) this.#ranks.addBounds(bounds, level, type, from, to);
      else bounds.add(0, kept.most);
    }
    for (const { hour, kept } of open) {
      const from = hour * MINUTES_AN_HOUR;
      if (kept === undefined) this.#ranks.addBounds(bounds, "minute", type, from, from + MINUTES_AN_HOUR);
      else bounds.add(0, kept.most);
    }
    return bounds;
  }

  #readBucket(found: Candidate[], bucket: number, pieces: Pieces, before: Pieces | undefined): void {
    const counts = this.#countsOf(bucket, pieces);
    const previous = before === undefined ? NO_COUNTS : this.#countsOf(bucket, before);
    addCandidates(found, bucket, counts, previous);
  }

  #countsOf(bucket: number, { type, pieces, open }: Pieces): Float64Array {
    const counts = new Float64Array(VIDEOS_A_BLOCK);
    for (const piece of pieces)
      this.#addKept(counts, bucket, piece.kept, (into) => this.#addPiece(into, bucket, type, piece));
    for (const { hour, unfoldedFrom, kept } of open) {
      if (bucket < unfoldedFrom || this.blocks.bytes("hour", hour, bucket) !== undefined) continue;
      this.#addKept(counts, bucket, kept, (into) => this.#addMinutes(into, bucket, type, hour));
    }
    return counts;
  }

  /** Adds what `add` adds, from memory where it is kept. */
  #addKept(
    counts: Float64Array,
    bucket: number,
    piece: KeptPiece | undefined,
    add: (into: Float64Array) => Float64Array,
  ): void {
    if (piece === undefined) {
      add(counts);
      return;
    }
    const kept = this.kept!.counts(piece, bucket, () => add(new Float64Array(VIDEOS_A_BLOCK)));
    for (let inside = 0; inside < VIDEOS_A_BLOCK; inside++) counts[inside] = counts[inside]! + kept[inside]!;
  }

  #addMinutes(counts: Float64Array, bucket: number, type: number, hour: number): Float64Array {
    const block = new Block();
    sumOfMinutes(this.blocks, hour, bucket, block);
    for (let at = 0; at < block.cells * WIDTH; at += WIDTH) addCell(counts, type, block.data, at);
    return counts;
  }

  #addPiece(counts: Float64Array, bucket: number, type: number, { level, from, to }: Piece): Float64Array {
    for (let time = from; time < to; time += TIMES_AT_ONCE) {
      for (const [id, bytes] of this.blocks.run(level, time, Math.min(time + TIMES_AT_ONCE, to), bucket)) {
        scanBlock(
          bytes,
          () => rowName(level, id),
          (cell) => addCell(counts, type, cell, 0),
        );
      }
    }
    return counts;
  }

  #piecesOf(type: number, range: MinuteRange): Pieces {
    const from = Math.max(range.from, 1 - MAX_TIME);
    const to = Math.min(range.to, MAX_TIME);
    const fromHour = Math.ceil(from / MINUTES_AN_HOUR);
    const toHour = hourOf(to);
    if (fromHour > toHour) return { type, pieces: [{ level: "minute", from, to }], open: [] };
    const fromDay = Math.ceil(fromHour / HOURS_A_DAY);
    const toDay = Math.max(fromDay, dayOf(toHour));
    const firstHours = Math.min(fromDay * HOURS_A_DAY, toHour);
    const pieces: Piece[] = [
      { level: "minute", from, to: fromHour * MINUTES_AN_HOUR },
      { level: "hour", from: fromHour, to: firstHours },
      { level: "day", from: fromDay, to: toDay },
      { level: "hour", from: Math.max(toDay * HOURS_A_DAY, firstHours), to: toHour },
      { level: "minute", from: toHour * MINUTES_AN_HOUR, to },
    ];
    return {
      type,
      pieces: pieces.flatMap((piece) => this.#withRows(piece)).flatMap((piece) => this.#withKept(type, piece)),
      open: [...this.blocks.openHours()]
        .filter(([hour]) => hour >= fromHour && hour < toHour)
        .map(([hour, unfoldedFrom]) => this.#openHour(type, hour, unfoldedFrom)),
    };
  }

  #openHour(type: number, hour: number, unfoldedFrom: number): OpenHour {
    const from = hour * MINUTES_AN_HOUR;
    const minutes = { level: "minute" as const, type, from, to: from + MINUTES_AN_HOUR };
    const kept = this.kept?.of(minutes, () => this.#mostOf(minutes));
    return { hour, unfoldedFrom, ...(kept && { kept }) };
  }

  #mostOf({ level, type, from, to }: Piece & { type: number }): Float64Array {
    const bounds = new BucketBounds();
    this.#ranks.addBounds(bounds, level, type, from, to);
    return bounds.most;
  }

  /** Cuts a piece to the first and the last time that has rows, because a range may begin in 1970. */
  #withRows({ level, from, to }: Piece): Piece[] {
    const first = this.blocks.nextTime(level, from, to);
    if (first === undefined) return [];
    return [{ level, from: first, to: this.blocks.lastTime(level, first, to)! + 1 }];
  }

  /** Cuts off the days that are kept, or will be. */
  #withKept(type: number, piece: Piece): Piece[] {
    const { level, from, to } = piece;
    const end = to - YOUNG_DAYS;
    if (this.kept === undefined || level !== "day" || end - from < LEAST_KEPT_DAYS) return [piece];
    const days = { level, type, from, to: end };
    const kept = this.kept.of(days, () => this.#mostOf(days));
    return [
      { level, from, to: end, kept },
      { level, from: end, to },
    ];
  }

  #findAmongAll(pieces: Pieces, before: Pieces | undefined): Candidate[] {
    const counts = this.#allCounts(pieces);
    const previous = before === undefined ? undefined : this.#allCounts(before);
    const found: Candidate[] = [];
    for (const [bucket, block] of counts) addCandidates(found, bucket, block, previous?.get(bucket) ?? NO_COUNTS);
    return found.sort((a, b) => scoreOf(b) - scoreOf(a));
  }

  #allCounts({ type, pieces, open }: Pieces): Counts {
    const counts: Counts = new Map();
    for (const { level, from, to } of pieces) this.#level(counts, type, level, from, to);
    for (const { hour, unfoldedFrom } of open) {
      for (const [bucket, block] of unfoldedSums(this.blocks, hour, unfoldedFrom).sums) {
        const into = countsIn(counts, bucket);
        for (let at = 0; at < block.cells * WIDTH; at += WIDTH) addCell(into, type, block.data, at);
      }
    }
    return counts;
  }

  #level(counts: Counts, type: number, level: RankedLevel, from: number, to: number): void {
    for (let time = this.blocks.nextTime(level, from, to); time !== undefined; ) {
      for (const [id, bytes] of this.blocks.rows(level, time)) {
        const into = countsIn(counts, bucketOfRow(id));
        scanBlock(
          bytes,
          () => rowName(level, id),
          (cell) => addCell(into, type, cell, 0),
        );
      }
      time = this.blocks.nextTime(level, time + 1, to);
    }
  }

  /**
   * Looks up the names of those videos alone that reach the score of the last place. `found` is by score, descending.
   */
  #named(found: readonly Candidate[], limit: number): VideoGrowth[] {
    if (found.length === 0) return [];
    const least = scoreOf(found[Math.min(limit, found.length) - 1]!);
    return found
      .filter((one) => scoreOf(one) >= least)
      .map(({ video, count, previous }) => ({ videoId: this.names.video(video), count, previous }))
      .sort((a, b) => b.count - b.previous - (a.count - a.previous) || (a.videoId < b.videoId ? -1 : 1))
      .slice(0, limit);
  }
}

const NO_COUNTS = new Float64Array(VIDEOS_A_BLOCK);

function addCandidates(found: Candidate[], bucket: number, counts: Float64Array, before: Float64Array): void {
  for (let inside = 0; inside < VIDEOS_A_BLOCK; inside++) {
    const [count, previous] = [counts[inside]!, before[inside]!];
    if (count > previous) found.push({ video: bucket * VIDEOS_A_BLOCK + inside, count, previous });
  }
}

function countsIn(counts: Counts, bucket: number): Float64Array {
  let block = counts.get(bucket);
  if (block === undefined) {
    block = new Float64Array(VIDEOS_A_BLOCK);
    counts.set(bucket, block);
  }
  return block;
}

/** Adds a cell of the type; returns true where no cell of the type can follow. */
function addCell(counts: Float64Array, type: number, data: Float64Array, at: number): boolean {
  const inside = data[at + KEY]! - type * VIDEOS_A_BLOCK;
  if (inside >= 0 && inside < VIDEOS_A_BLOCK) counts[inside] = counts[inside]! + data[at + COUNT]!;
  return inside >= VIDEOS_A_BLOCK - 1;
}

/** Buckets by descending bound, sorted a part at a time, because most answers need few. */
class BoundOrder {
  /** The number of buckets with a bound. */
  readonly size: number;
  readonly #ascending: Float64Array;
  #sorted: number[] = [];
  #at = 0;
  #taken = 0;

  constructor(private readonly most: Float64Array) {
    this.#ascending = most.filter((bound) => bound > 0).sort();
    this.size = this.#ascending.length;
  }

  next(buckets: number): number[] {
    while (this.#at + buckets > this.#sorted.length && this.#taken < this.size) this.#sortMore();
    const next = this.#sorted.slice(this.#at, this.#at + buckets);
    this.#at += next.length;
    return next;
  }

  /** Sorts four times as many each time; equal bounds are sorted together. */
  #sortMore(): void {
    const above = this.#taken === 0 ? Number.POSITIVE_INFINITY : this.#ascending[this.size - this.#taken]!;
    const wanted = Math.min(this.size, Math.max(64, this.#taken * 4));
    const from = this.#ascending[this.size - wanted]!;
    const more: number[] = [];
    for (let bucket = 0; bucket < this.most.length; bucket++) {
      const bound = this.most[bucket]!;
      if (bound >= from && (this.#taken === 0 || bound < above)) more.push(bucket);
    }
    more.sort((a, b) => (this.most[a]! < this.most[b]! ? 1 : -1));
    this.#sorted = this.#sorted.concat(more);
    this.#taken += more.length;
  }
}
