// SPDX-License-Identifier: Apache-2.0
import type { ArchiveRow } from "./archive-rows";
import { ByteTable, grownTo } from "./byte-table";

const FIRST_PAIRS = 256;
const FIRST_TYPES = 16;
/** The largest number of types over all videos of a minute: a pair is one number below 2^53. */
const MAX_TYPES = 2 ** 21;

/** Numbers the (video, type) pairs of a minute in the order in which they appear. */
export class PairTable {
  size = 0;
  private readonly videos: ByteTable;
  private readonly types: ByteTable;
  /** For each video, its last type and that pair, because most videos have few types. */
  private lastType: Int32Array<ArrayBuffer>;
  private lastPair: Int32Array<ArrayBuffer>;
  private readonly pairs = new Map<number, number>();
  private readonly videoOf: number[] = [];
  private readonly typeOf: number[] = [];
  /** One string a name, whose hash is computed once. */
  private readonly videoTexts: string[] = [];
  private readonly typeTexts: string[] = [];

  constructor(seed: number, expectedEvents: number) {
    const pairs = Math.min(FIRST_PAIRS, expectedEvents);
    this.videos = new ByteTable(seed, pairs);
    this.types = new ByteTable(seed, FIRST_TYPES);
    this.lastType = new Int32Array(pairs).fill(-1);
    this.lastPair = new Int32Array(pairs);
  }

  pairOf({ bytes, videoFrom, videoTo, typeFrom, typeTo }: ArchiveRow): number {
    const video = this.videos.numberOf(bytes, videoFrom, videoTo);
    const type = this.types.numberOf(bytes, typeFrom, typeTo);
    if (type >= MAX_TYPES) throw new RangeError(`a minute has more than ${MAX_TYPES} event types`);
    if (video === this.lastType.length) {
      this.lastType = grownTo(this.lastType, new Int32Array(video * 2).fill(-1));
      this.lastPair = grownTo(this.lastPair, new Int32Array(video * 2));
    }
    if (this.lastType[video] === type) return this.lastPair[video]!;
    const key = video * MAX_TYPES + type;
    let pair = this.pairs.get(key);
    if (pair === undefined) {
      pair = this.size++;
      this.pairs.set(key, pair);
      this.videoOf.push(video);
      this.typeOf.push(type);
    }
    this.lastType[video] = type;
    this.lastPair[video] = pair;
    return pair;
  }

  text(pair: number): { videoId: string; eventType: string } {
    const video = this.videoOf[pair]!;
    const type = this.typeOf[pair]!;
    this.videoTexts[video] ??= this.videos.text(video);
    this.typeTexts[type] ??= this.types.text(type);
    return { videoId: this.videoTexts[video], eventType: this.typeTexts[type] };
  }
}

/** Counts and exact sums by pair. A sum is a number while it is safe; the excess is a bigint. */
export class CellSums {
  private counts: Float64Array<ArrayBuffer>;
  private valued: Float64Array<ArrayBuffer>;
  private sums: Float64Array<ArrayBuffer>;
  private lastMs: Uint16Array<ArrayBuffer>;
  private readonly beyond = new Map<number, bigint>();

  constructor(expectedEvents: number) {
    const pairs = Math.min(FIRST_PAIRS, expectedEvents);
    this.counts = new Float64Array(pairs);
    this.valued = new Float64Array(pairs);
    this.sums = new Float64Array(pairs);
    this.lastMs = new Uint16Array(pairs);
  }

  /** Notes an event of the pair, repeated or not, at this time within the minute. */
  seen(pair: number, msInMinute: number): void {
    if (pair >= this.counts.length) this.grow();
    if (msInMinute > this.lastMs[pair]!) this.lastMs[pair] = msInMinute;
  }

  count(pair: number): void {
    this.counts[pair]!++;
  }

  /** Notes the value of one of the pair's events: its first value, or a larger one than `before`. */
  change(pair: number, before: number, value: number, isFirst: boolean): void {
    if (isFirst) this.valued[pair]!++;
    this.add(pair, value);
    if (before !== 0) this.add(pair, -before);
  }

  private add(pair: number, amount: number): void {
    const sum = this.sums[pair]! + amount;
    if (Number.isSafeInteger(sum)) {
      this.sums[pair] = sum;
      return;
    }
    this.beyond.set(pair, (this.beyond.get(pair) ?? 0n) + BigInt(this.sums[pair]!));
    this.sums[pair] = amount;
  }

  cell(pair: number): { count: number; sum: bigint; valued: number; lastMsInMinute: number } {
    return {
      count: this.counts[pair]!,
      sum: BigInt(this.sums[pair]!) + (this.beyond.get(pair) ?? 0n),
      valued: this.valued[pair]!,
      lastMsInMinute: this.lastMs[pair]!,
    };
  }

  private grow(): void {
    const size = this.counts.length * 2;
    this.counts = grownTo(this.counts, new Float64Array(size));
    this.valued = grownTo(this.valued, new Float64Array(size));
    this.sums = grownTo(this.sums, new Float64Array(size));
    this.lastMs = grownTo(this.lastMs, new Uint16Array(size));
  }
}
