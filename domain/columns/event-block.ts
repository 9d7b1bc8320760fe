// SPDX-License-Identifier: Apache-2.0
import { ID_BYTES } from "../event-identity";
import { MINUTE_MS } from "../rules/time";
import { grown, type NameSpans, type NameTable, packedSpans } from "./name-table";

/**
 * A block: the events of one minute and one dedup partition, packed into one byte array. Blocks, not events, cross the
 * first shuffle, because an element costs a runner far more than an event does.
 *
 * Layout, little-endian, every column aligned to its width from the start:
 * header 8 x uint32 (events, videos, types, has values, 0, 0, 0, 0) | ids 16 x n | values float64 x n (only with
 * values; NaN: none) | video index uint32 x n | ms in minute uint16 x n | type index uint16 x n | the videos' lengths
 * uint8 and names ASCII | the types' likewise.
 */
export interface EventBlock {
  count: number;
  /** Four words an event. */
  ids: Uint32Array;
  values: Float64Array | undefined;
  videoIndex: Uint32Array;
  msInMinute: Uint16Array;
  typeIndex: Uint16Array;
  videos: NameSpans;
  types: NameSpans;
}

/** The size that a sealed block stays below, so that elements stay below 1 MB. */
export const MAX_BLOCK_BYTES = 900_000;
const HEADER_BYTES = 32;
const MANY_NAMES = 256;
const FIRST_ROWS = 16;
const EVENT_BYTES = ID_BYTES + 8 + 4 + 2 + 2;
/** The type index has 16 bits. `full` seals a block long before: MAX_BLOCK_BYTES / EVENT_BYTES is 28,125 rows. */
const MAX_TYPES = 2 ** 16;

/** The largest number of rows that a block takes in one call. */
export const MAX_TAKEN = 512;
/** The bytes of a row whose video and type are new to the block, with the longest names that the contract allows. */
const MAX_ROW_BYTES = EVENT_BYTES + 129 + 33;

/** Rows of a batch; videos and types by their numbers in the bundle's NameTables. */
export interface BlockRows {
  ids: Uint32Array;
  videos: Uint32Array;
  videoIndex: Uint32Array;
  types: Uint32Array;
  typeIndex: Uint32Array;
  timesMs: Float64Array;
  values: Float64Array | undefined;
}

/**
 * Fills one block. Video and type numbers are those of the bundle's NameTables; the sealed block carries only the names
 * it uses.
 */
export class EventBlockBuilder {
  count = 0;
  /** The number of rows that the next `take` takes. */
  pending = 0;
  readonly pendingRows = new Uint32Array(MAX_TAKEN);
  private readonly startMs: number;
  private nameBytes = 0;
  private ids = new Uint32Array(FIRST_ROWS * 4);
  private values: Float64Array | undefined;
  private videoIndex = new Uint32Array(FIRST_ROWS);
  private msInMinute = new Uint16Array(FIRST_ROWS);
  private typeIndex = new Uint16Array(FIRST_ROWS);
  private readonly localVideos = new LocalNames();
  private readonly localTypes = new LocalNames();

  constructor(
    private readonly videos: NameTable,
    private readonly types: NameTable,
    minute: number,
  ) {
    this.startMs = minute * MINUTE_MS;
  }

  /** Whether the next rows might not fit; the caller seals the block first. */
  get full(): boolean {
    return HEADER_BYTES + this.count * EVENT_BYTES + this.nameBytes + MAX_TAKEN * MAX_ROW_BYTES > MAX_BLOCK_BYTES;
  }

  /** Takes the pending rows, column by column: a call with eight arguments for each row took twice as long. */
  take({ ids, videos, videoIndex, types, typeIndex, timesMs, values }: BlockRows): void {
    const { pending, pendingRows } = this;
    const first = this.count;
    this.pending = 0;
    this.count += pending;
    while (this.count > this.videoIndex.length) this.grow();
    const own = this.ids;
    for (let i = 0; i < pending; i++) {
      const at = pendingRows[i]! * 4;
      const to = (first + i) * 4;
      own[to] = ids[at]!;
      own[to + 1] = ids[at + 1]!;
      own[to + 2] = ids[at + 2]!;
      own[to + 3] = ids[at + 3]!;
    }
    const { videoIndex: ownVideos, typeIndex: ownTypes, msInMinute } = this;
    for (let i = 0; i < pending; i++) {
      const row = pendingRows[i]!;
      const video = videos[videoIndex[row]!]!;
      let local = this.localVideos.find(video);
      if (local < 0) {
        local = this.localVideos.add(video);
        this.nameBytes += this.videos.lengthOf(video) + 1;
      }
      ownVideos[first + i] = local;
      msInMinute[first + i] = timesMs[row]! - this.startMs;
      const type = types[typeIndex[row]!]!;
      let localType = this.localTypes.find(type);
      if (localType < 0) {
        localType = this.localTypes.add(type);
        this.nameBytes += this.types.lengthOf(type) + 1;
      }
      ownTypes[first + i] = localType;
    }
    if (values !== undefined) this.takeValues(values, first, pending);
  }

  private takeValues(values: Float64Array, first: number, taken: number): void {
    for (let i = 0; i < taken; i++) {
      const value = values[this.pendingRows[i]!]!;
      if (Number.isNaN(value)) continue;
      this.values ??= new Float64Array(this.videoIndex.length).fill(Number.NaN);
      this.values[first + i] = value;
    }
  }

  private grow(): void {
    const capacity = this.videoIndex.length * 2;
    this.ids = grown(this.ids, new Uint32Array(capacity * 4));
    this.videoIndex = grown(this.videoIndex, new Uint32Array(capacity));
    this.msInMinute = grown(this.msInMinute, new Uint16Array(capacity));
    this.typeIndex = grown(this.typeIndex, new Uint16Array(capacity));
    if (this.values !== undefined) this.values = grown(this.values, new Float64Array(capacity).fill(Number.NaN));
  }

  /** Returns the packed block. The builder must not be used afterwards. */
  seal(): Uint8Array {
    const n = this.count;
    const videos = this.localVideos.order;
    const types = this.localTypes.order;
    if (types.length > MAX_TYPES) throw new RangeError(`a block holds at most ${MAX_TYPES} event types`);
    const hasValues = this.values !== undefined;
    const columnBytes = n * (hasValues ? EVENT_BYTES : EVENT_BYTES - 8);
    const bytes = new Uint8Array(
      HEADER_BYTES + columnBytes + this.videos.packedSize(videos) + this.types.packedSize(types),
    );
    new Uint32Array(bytes.buffer, 0, 8).set([n, videos.length, types.length, hasValues ? 1 : 0]);
    let at = HEADER_BYTES;
    const put = (column: Uint32Array | Uint16Array | Float64Array, length: number) => {
      bytes.set(new Uint8Array(column.buffer, column.byteOffset, length * column.BYTES_PER_ELEMENT), at);
      at += length * column.BYTES_PER_ELEMENT;
    };
    put(this.ids, n * 4);
    if (this.values !== undefined) put(this.values, n);
    put(this.videoIndex, n);
    put(this.msInMinute, n);
    put(this.typeIndex, n);
    this.types.packNames(types, bytes, this.videos.packNames(videos, bytes, at));
    return bytes;
  }
}

/**
 * Maps a number of the bundle to a number of the block. The map is a Map while it is small, because a bundle can hold a
 * block for each of many minutes, and an array afterwards.
 */
class LocalNames {
  private readonly few = new Map<number, number>();
  private many: Int32Array | undefined;
  readonly order: number[] = [];

  find(bundleNumber: number): number {
    if (this.many === undefined) return this.few.get(bundleNumber) ?? -1;
    return bundleNumber < this.many.length ? this.many[bundleNumber]! : -1;
  }

  add(bundleNumber: number): number {
    const local = this.order.length;
    this.order.push(bundleNumber);
    if (this.many === undefined && local < MANY_NAMES) {
      this.few.set(bundleNumber, local);
      return local;
    }
    this.many ??= this.spread();
    if (bundleNumber >= this.many.length) {
      this.many = grown(this.many, new Int32Array(Math.max(this.many.length * 2, bundleNumber + 1)).fill(-1));
    }
    this.many[bundleNumber] = local;
    return local;
  }

  private spread(): Int32Array {
    const many = new Int32Array(Math.max(...this.few.keys()) + 1).fill(-1);
    for (const [bundleNumber, local] of this.few) many[bundleNumber] = local;
    this.few.clear();
    return many;
  }
}

/**
 * Opens a packed block as column views, and copies only bytes that are not aligned. Throws RangeError where the bytes
 * are no block.
 */
export function openBlock(packed: Uint8Array): EventBlock {
  // Not slice(): a Buffer's slice is a view, as badly aligned as the Buffer.
  const bytes = packed.byteOffset % 8 === 0 ? packed : new Uint8Array(packed);
  const { buffer, byteOffset } = bytes;
  const [count, videoCount, typeCount, hasValues] = new Uint32Array(buffer, byteOffset, 8) as unknown as [
    number,
    number,
    number,
    number,
  ];
  let at = byteOffset + HEADER_BYTES;
  const ids = new Uint32Array(buffer, at, count * 4);
  at += count * ID_BYTES;
  let values: Float64Array | undefined;
  if (hasValues === 1) {
    values = new Float64Array(buffer, at, count);
    at += count * 8;
  }
  const videoIndex = new Uint32Array(buffer, at, count);
  at += count * 4;
  const msInMinute = new Uint16Array(buffer, at, count);
  at += count * 2;
  const typeIndex = new Uint16Array(buffer, at, count);
  at += count * 2;
  const videos = packedSpans(bytes, at - byteOffset, videoCount);
  const typesAt = videoCount === 0 ? at - byteOffset : videos.ends[videoCount - 1]!;
  return {
    count,
    ids,
    values,
    videoIndex,
    msInMinute,
    typeIndex,
    videos,
    types: packedSpans(bytes, typesAt, typeCount),
  };
}
