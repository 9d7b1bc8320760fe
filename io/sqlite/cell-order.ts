// SPDX-License-Identifier: Apache-2.0
/** The cells of a slice in the order of blocks: by bucket, type and video. The writer of minutes sorts with it. */
import type { MinuteCounts } from "../../domain/columns/minute-counts";
import type { CellState } from "../../domain/rules/cell-version";
import { BUCKETS, bucketOf } from "./block-tables";
import { CORRECTION, COUNT, KEY, LAST, LOW, MID, TOP, VALUED, VIDEOS_A_BLOCK, WIDTH } from "./cell-block";
import { type GivenNames, NOT_ASKED } from "./name-dictionary";

interface CellRows {
  counts: MinuteCounts;
  fromRow: number;
  toRow: number;
}

const TWO_32 = 2 ** 32;
const RADIX = 2048;

export class SortedCells {
  /** One object, filled anew by every call of `numbers`. */
  readonly #cell: CellState = { count: 0, valued: 0, low: 0, mid: 0, top: 0, last: 0, correction: 0 };

  constructor(
    private readonly counts: MinuteCounts,
    /** For each row, bucket * span + key. */
    private readonly places: Float64Array,
    private readonly rows: Uint32Array,
    private readonly fromRow: number,
    private readonly span: number,
    readonly length: number,
  ) {}

  bucket(i: number): number {
    return Math.floor(this.places[this.rows[i]!]! / this.span);
  }

  key(i: number): number {
    const place = this.places[this.rows[i]!]!;
    return place - Math.floor(place / this.span) * this.span;
  }

  /** Returns the cells [from, to) as the cells of a block. The answer is valid until the next call. */
  states(from: number, to: number, ignoresCorrections: boolean): Float64Array {
    const { counts, sumHigh, sumLow, valued, lastMsInMinute } = this.counts;
    const corrections = ignoresCorrections ? undefined : this.counts.corrections;
    if (states.length < (to - from) * WIDTH) states = new Float64Array((to - from) * WIDTH * 2);
    const into = states;
    const base = this.bucket(from) * this.span;
    for (let i = from, at = 0; i < to; i++, at += WIDTH) {
      const row = this.rows[i]!;
      const cell = row + this.fromRow;
      const high = sumHigh[cell]!;
      const top = high >= 0 && high < TWO_32 ? 0 : Math.floor(high / TWO_32);
      into[at + KEY] = this.places[row]! - base;
      into[at + COUNT] = counts[cell]!;
      into[at + VALUED] = valued[cell]!;
      into[at + LOW] = sumLow[cell]!;
      into[at + MID] = high - top * TWO_32;
      into[at + TOP] = top;
      into[at + LAST] = lastMsInMinute[cell]!;
      into[at + CORRECTION] = corrections === undefined ? 0 : corrections[cell]!;
    }
    return into;
  }

  numbers(i: number): CellState {
    const { counts } = this;
    const row = this.rows[i]! + this.fromRow;
    const cell = this.#cell;
    const high = counts.sumHigh[row]!;
    cell.count = counts.counts[row]!;
    cell.valued = counts.valued[row]!;
    cell.low = counts.sumLow[row]!;
    cell.top = Math.floor(high / TWO_32);
    cell.mid = high - cell.top * TWO_32;
    cell.last = counts.lastMsInMinute[row]!;
    cell.correction = counts.corrections?.[row] ?? 0;
    return cell;
  }
}

let states = new Float64Array(64 * WIDTH);
let places = new Float64Array(0);
let rowsA = new Uint32Array(0);
let rowsB = new Uint32Array(0);

/**
 * Gives every name its id; new names get theirs inside the running transaction. The answer is valid until the next
 * call.
 */
export function sortCells({ counts, fromRow, toRow }: CellRows, videos: GivenNames, types: GivenNames) {
  const n = toRow - fromRow;
  if (places.length < n) {
    places = new Float64Array(n * 2);
    rowsA = new Uint32Array(n * 2);
    rowsB = new Uint32Array(n * 2);
  }
  const typeIds = counts.types.map((type) => types.idFor(type));
  const span = 2 ** Math.ceil(Math.log2(Math.max(1, ...typeIds) + 1)) * VIDEOS_A_BLOCK;
  const videoIds = new VideoIds(counts, videos);
  let highest = 0;
  for (let i = 0; i < n; i++) {
    const video = videoIds.of(counts.videoIndex[fromRow + i]!);
    const bucket = bucketOf(video);
    const inside = video - bucket * VIDEOS_A_BLOCK;
    const place = bucket * span + typeIds[counts.typeIndex[fromRow + i]!]! * VIDEOS_A_BLOCK + inside;
    places[i] = place;
    rowsA[i] = i;
    if (place > highest) highest = place;
  }
  radixSort(n, highest);
  return new SortedCells(counts, places, rowsA, fromRow, span, n);
}

/** Ids of the videos of counts, by their index. Those of a space of names are remembered from one call to the next. */
class VideoIds {
  private readonly ids: Float64Array;
  private readonly numbers: Uint32Array | undefined;

  constructor(
    private readonly counts: MinuteCounts,
    private readonly videos: GivenNames,
  ) {
    const { named } = counts;
    this.numbers = named?.numbers;
    this.ids = named === undefined ? new Float64Array(counts.videos.length).fill(NOT_ASKED) : videos.idsOf(named.names);
  }

  of(index: number): number {
    const place = this.numbers === undefined ? index : this.numbers[index]!;
    let id = this.ids[place]!;
    if (id === NOT_ASKED) {
      id = checkedVideo(this.videos.idFor(this.counts.videos[index]!));
      this.ids[place] = id;
    }
    return id;
  }
}

/** Sorts `rowsA` by their places, 11 bits a pass; rows of one place keep their order. */
function radixSort(n: number, highest: number): void {
  const starts = new Uint32Array(RADIX + 1);
  for (let scale = 1; scale <= highest; scale *= RADIX) {
    starts.fill(0);
    for (let i = 0; i < n; i++) starts[digit(places[i]!, scale) + 1]!++;
    for (let i = 1; i <= RADIX; i++) starts[i] = starts[i]! + starts[i - 1]!;
    for (let i = 0; i < n; i++) {
      const row = rowsA[i]!;
      rowsB[starts[digit(places[row]!, scale)]!++] = row;
    }
    [rowsA, rowsB] = [rowsB, rowsA];
  }
}

/** As Math.floor(place / scale) % RADIX, which takes several times as long for numbers that are no 32-bit integers. */
function digit(place: number, scale: number): number {
  const scaled = Math.floor(place / scale);
  return scaled - Math.floor(scaled / RADIX) * RADIX;
}

function checkedVideo(id: number): number {
  if (id >= BUCKETS * VIDEOS_A_BLOCK) throw new RangeError("the store holds at most 2^31 videos");
  return id;
}
