// SPDX-License-Identifier: Apache-2.0
/** Tables of the recount (minute-recount.ts): the pairs of video and type of a minute, and the sums of each pair. */
import type { ArchiveRow } from "./archive-rows";
import { ByteTable, grownTo } from "./byte-table";
import type { CellColumns, Texts } from "./cell-columns";

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

  get videoCount(): number {
    return this.videos.size;
  }

  videoText(video: number): string {
    return this.videos.text(video);
  }

  videoOfPair(pair: number): number {
    return this.videoOf[pair]!;
  }

  typeOfPair(pair: number): number {
    return this.typeOf[pair]!;
  }

  get typeTexts(): string[] {
    return Array.from({ length: this.types.size }, (_, type) => this.types.text(type));
  }

  /** The texts of these videos; where absent, of all. */
  textsOf(chosen?: readonly number[]): Texts {
    const { bytes, ends } = this.videos.texts;
    if (chosen === undefined) return { bytes, ends };
    const parts = chosen.map((video) => bytes.subarray(video === 0 ? 0 : ends[video - 1]!, ends[video]!));
    let end = 0;
    const newEnds = Uint32Array.from(parts, ({ length }) => {
      end += length;
      return end;
    });
    return { bytes: Buffer.concat(parts), ends: newEnds };
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

  /** Writes the numbers of a pair into a row of columns. */
  into(pair: number, columns: CellColumns, row: number): void {
    columns.counts[row] = this.counts[pair]!;
    columns.valued[row] = this.valued[pair]!;
    columns.last[row] = this.lastMs[pair]!;
    columns.sums[row] = this.sums[pair]!;
    const beyond = this.beyond.size === 0 ? undefined : this.beyond.get(pair);
    if (beyond === undefined) return;
    const sum = beyond + BigInt(this.sums[pair]!);
    columns.sums[row] = Number(sum);
    if (!Number.isSafeInteger(columns.sums[row])) columns.beyond.set(row, sum);
  }

  private grow(): void {
    const size = this.counts.length * 2;
    this.counts = grownTo(this.counts, new Float64Array(size));
    this.valued = grownTo(this.valued, new Float64Array(size));
    this.sums = grownTo(this.sums, new Float64Array(size));
    this.lastMs = grownTo(this.lastMs, new Uint16Array(size));
  }
}

/** Returns the cells by part of the videos; `partOf` is asked once a video. */
export function cellsByPart(
  names: PairTable,
  sums: CellSums,
  parts: number,
  partOf: (videoId: string) => number,
): Map<number, CellColumns> {
  if (parts === 1) return new Map(names.size === 0 ? [] : [[0, columnsOf(names, sums)]]);
  const partOfVideo = Uint32Array.from({ length: names.videoCount }, (_, video) => partOf(names.videoText(video)));
  const pairs = new Map<number, number[]>();
  for (let pair = 0; pair < names.size; pair++) {
    const part = partOfVideo[names.videoOfPair(pair)]!;
    const known = pairs.get(part);
    if (known === undefined) pairs.set(part, [pair]);
    else known.push(pair);
  }
  return new Map([...pairs].map(([part, its]) => [part, columnsOf(names, sums, its)]));
}

/** The columns of these pairs; where absent, of all. */
function columnsOf(names: PairTable, sums: CellSums, pairs?: readonly number[]): CellColumns {
  const n = pairs?.length ?? names.size;
  const chosen: number[] = [];
  const local = new Map<number, number>();
  const localOf = (video: number) => {
    let known = local.get(video);
    if (known === undefined) {
      known = chosen.push(video) - 1;
      local.set(video, known);
    }
    return known;
  };
  const columns: CellColumns = {
    ...{ videos: NO_TEXTS, types: names.typeTexts, beyond: new Map() },
    ...{ videoIndex: new Uint32Array(n), typeIndex: new Uint32Array(n), last: new Uint16Array(n) },
    ...{ counts: new Float64Array(n), sums: new Float64Array(n), valued: new Float64Array(n) },
  };
  for (let row = 0; row < n; row++) {
    const pair = pairs === undefined ? row : pairs[row]!;
    const video = names.videoOfPair(pair);
    columns.videoIndex[row] = pairs === undefined ? video : localOf(video);
    columns.typeIndex[row] = names.typeOfPair(pair);
    sums.into(pair, columns, row);
  }
  columns.videos = names.textsOf(pairs === undefined ? undefined : chosen);
  return columns;
}

const NO_TEXTS: Texts = { bytes: new Uint8Array(0), ends: new Uint32Array(0) };
