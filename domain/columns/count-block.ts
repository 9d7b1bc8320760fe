// SPDX-License-Identifier: Apache-2.0
/**
 * Counts of a pane, packed for the shuffle on a cluster: the dedup step packs them by video shard, and the step that
 * counts per video opens and adds them up.
 */
import type { CellTable } from "./cell-table";
import type { MinuteCounts } from "./minute-counts";
import { grown, type NameTable, packedSpans, spanTexts } from "./name-table";
import type { Pane } from "./pane";
import { PaneNames, TYPE_SPAN } from "./pane-names";

/**
 * A count block: the counts one partition's pane has for the videos of one shard, packed. Count blocks cross the second
 * shuffle. Layout as in event-block.ts: header 8 x uint32 (cells, videos, types, 0...) | counts, valued, sum high, sum
 * low, received float64 x n | video index uint32 x n | type index uint32 x n | last ms uint16 x n | the videos' lengths
 * and names | the types'.
 */
const HEADER_BYTES = 32;
const CELL_BYTES = 8 * 5 + 4 * 2 + 2;

/**
 * The largest number of rows of a block or of a chunk of MinuteCounts. Elements stay well below 1 MB for names of usual
 * length.
 */
export const MAX_CELLS = 16_384;

interface PackedCounts {
  shard: number;
  bytes: Uint8Array;
  /** Reused ids of the pane that belong to these cells. */
  reusedIds: number;
}

/** Packs a pane's counts into blocks by video shard. A pane without cells gives no block. */
export function* packPane(pane: Pane, shards: number): Generator<PackedCounts> {
  const { cells } = pane;
  for (const [shard, its] of cellsByShard(pane, shards, false).entries()) {
    for (let from = 0; from < its.length; from += MAX_CELLS) {
      const packed = its.subarray(from, from + MAX_CELLS);
      yield { shard, bytes: packCells(pane, packed), reusedIds: reusedOf(cells, packed) };
    }
  }
}

/**
 * Returns the numbers of a pane's cells by video shard. With `changed`, only cells that received events since `fired`
 * was set.
 */
export function cellsByShard(pane: Pane, shards: number, changed: boolean): Uint32Array[] {
  const { video, received, fired, size } = pane.cells;
  const chosen = new Uint32Array(size);
  let n = 0;
  for (let cell = 0; cell < size; cell++) if (!changed || received[cell] !== fired[cell]) chosen[n++] = cell;
  if (shards === 1) return [chosen.subarray(0, n)];
  const byShard: number[][] = Array.from({ length: shards }, () => []);
  for (let i = 0; i < n; i++) byShard[pane.videos.shard(video[chosen[i]!]!, shards)]!.push(chosen[i]!);
  return byShard.map((cells) => Uint32Array.from(cells));
}

export function reusedOf({ reused }: CellTable, cells: Uint32Array): number {
  if (reused.size === 0) return 0;
  return cells.reduce((sum, cell) => sum + (reused.get(cell) ?? 0), 0);
}

/** Returns the columns counts, valued, sum high, sum low and received of these cells, one after the other. */
export function cellNumbers({ received, duplicates, values }: CellTable, cells: Uint32Array): Float64Array {
  const n = cells.length;
  const numbers = new Float64Array(n * 5);
  for (let i = 0; i < n; i++) {
    const cell = cells[i]!;
    numbers[i] = received[cell]! - duplicates[cell]!;
    numbers[4 * n + i] = received[cell]!;
  }
  if (values === undefined) return numbers;
  for (let i = 0; i < n; i++) {
    const cell = cells[i]!;
    numbers[n + i] = values.valued[cell]!;
    numbers[2 * n + i] = values.high[cell]!;
    numbers[3 * n + i] = values.low[cell]!;
  }
  return numbers;
}

function packCells(pane: Pane, packed: Uint32Array): Uint8Array {
  const { cells } = pane;
  const n = packed.length;
  const numbers = cellNumbers(cells, packed);
  const videos = new Renumbering(pane.videos.size);
  const types = new Renumbering(pane.types.size);
  const indexes = new Uint32Array(n * 2);
  for (let i = 0; i < n; i++) {
    indexes[i] = videos.number(cells.video[packed[i]!]!);
    indexes[n + i] = types.number(cells.type[packed[i]!]!);
  }
  const lastMs = Uint16Array.from(packed, (cell) => cells.lastMs[cell]!);
  const nameBytes = pane.videos.packedSize(videos.order) + pane.types.packedSize(types.order);
  const bytes = new Uint8Array(HEADER_BYTES + n * CELL_BYTES + nameBytes);
  new Uint32Array(bytes.buffer, 0, 8).set([n, videos.order.length, types.order.length]);
  let at = HEADER_BYTES;
  for (const column of [numbers, indexes, lastMs]) {
    bytes.set(new Uint8Array(column.buffer), at);
    at += column.byteLength;
  }
  pane.types.packNames(types.order, bytes, pane.videos.packNames(videos.order, bytes, at));
  return bytes;
}

/** Maps old numbers to 0, 1, 2, ... in the order in which they are first asked for. */
class Renumbering {
  readonly order: number[] = [];
  private readonly known: Int32Array;

  constructor(size: number) {
    this.known = new Int32Array(size);
  }

  number(old: number): number {
    if (this.known[old] === 0) {
      this.order.push(old);
      this.known[old] = this.order.length;
    }
    return this.known[old]! - 1;
  }
}

/** Opens a packed count block as counts of `minute`: the columns are views over the bytes. */
export function openCounts(packed: Uint8Array, minute: number): MinuteCounts {
  // Not slice(): a Buffer's slice is a view, as badly aligned as the Buffer.
  const bytes = packed.byteOffset % 8 === 0 ? packed : new Uint8Array(packed);
  const { buffer, byteOffset } = bytes;
  const [n, videoCount, typeCount] = new Uint32Array(buffer, byteOffset, 8) as unknown as [number, number, number];
  const start = byteOffset + HEADER_BYTES;
  const videos = packedSpans(bytes, HEADER_BYTES + n * CELL_BYTES, videoCount);
  const types = packedSpans(bytes, videoCount === 0 ? 0 : videos.ends[videoCount - 1]!, typeCount);
  return {
    minute,
    videos: spanTexts(videos),
    types: spanTexts(types),
    counts: new Float64Array(buffer, start, n),
    valued: new Float64Array(buffer, start + n * 8, n),
    sumHigh: new Float64Array(buffer, start + n * 16, n),
    sumLow: new Float64Array(buffer, start + n * 24, n),
    received: new Float64Array(buffer, start + n * 32, n),
    videoIndex: new Uint32Array(buffer, start + n * 40, n),
    typeIndex: new Uint32Array(buffer, start + n * 44, n),
    lastMsInMinute: new Uint16Array(buffer, start + n * 48, n),
  };
}

const TWO_32 = 2 ** 32;

/** Adds up the counts of several partitions, video by video. */
export class CountsBuilder {
  private readonly videos: NameTable;
  private readonly types: NameTable;
  private readonly cellByName = new Map<number, number>();
  private rows = 0;
  private video = new Uint32Array(64);
  private type = new Uint32Array(64);
  private count = new Float64Array(64);
  private valued = new Float64Array(64);
  private sumHigh = new Float64Array(64);
  private sumLow = new Float64Array(64);
  private received = new Float64Array(64);
  private lastMs = new Uint16Array(64);

  /** `seed` has at least two random words, as for a Pane. */
  constructor(seed: Uint32Array) {
    ({ videos: this.videos, types: this.types } = new PaneNames(seed));
  }

  add(part: MinuteCounts): void {
    const videos = Uint32Array.from(part.videos, (video) => this.videos.indexText(video));
    const types = Uint32Array.from(part.types, (type) => this.types.indexText(type));
    for (let i = 0; i < part.counts.length; i++) {
      const row = this.row(videos[part.videoIndex[i]!]!, types[part.typeIndex[i]!]!);
      this.count[row] = this.count[row]! + part.counts[i]!;
      this.valued[row] = this.valued[row]! + part.valued[i]!;
      this.received[row] = this.received[row]! + (part.received ?? part.counts)[i]!;
      const low = this.sumLow[row]! + part.sumLow[i]!;
      const carry = Math.floor(low / TWO_32);
      this.sumLow[row] = low - carry * TWO_32;
      this.sumHigh[row] = this.sumHigh[row]! + part.sumHigh[i]! + carry;
      if (part.lastMsInMinute[i]! > this.lastMs[row]!) this.lastMs[row] = part.lastMsInMinute[i]!;
    }
  }

  private row(video: number, type: number): number {
    const name = video * TYPE_SPAN + type;
    let row = this.cellByName.get(name);
    if (row === undefined) {
      row = this.rows++;
      if (row === this.video.length) this.grow();
      this.video[row] = video;
      this.type[row] = type;
      this.cellByName.set(name, row);
    }
    return row;
  }

  private grow(): void {
    const capacity = this.video.length * 2;
    this.video = grown(this.video, new Uint32Array(capacity));
    this.type = grown(this.type, new Uint32Array(capacity));
    this.count = grown(this.count, new Float64Array(capacity));
    this.valued = grown(this.valued, new Float64Array(capacity));
    this.sumHigh = grown(this.sumHigh, new Float64Array(capacity));
    this.sumLow = grown(this.sumLow, new Float64Array(capacity));
    this.received = grown(this.received, new Float64Array(capacity));
    this.lastMs = grown(this.lastMs, new Uint16Array(capacity));
  }

  /** Yields the sums in pieces of at most MAX_CELLS rows. */
  *build(minute: number): Generator<MinuteCounts> {
    for (let from = 0; from < this.rows; from += MAX_CELLS) {
      const to = Math.min(from + MAX_CELLS, this.rows);
      const videos = new Renumbering(this.videos.size);
      const types = new Renumbering(this.types.size);
      yield {
        minute,
        videoIndex: this.video.slice(from, to).map((video) => videos.number(video)),
        typeIndex: this.type.slice(from, to).map((type) => types.number(type)),
        videos: videos.order.map((video) => this.videos.text(video)),
        types: types.order.map((type) => this.types.text(type)),
        counts: this.count.slice(from, to),
        valued: this.valued.slice(from, to),
        sumHigh: this.sumHigh.slice(from, to),
        sumLow: this.sumLow.slice(from, to),
        received: this.received.slice(from, to),
        lastMsInMinute: this.lastMs.slice(from, to),
      };
    }
  }
}
