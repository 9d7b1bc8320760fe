// SPDX-License-Identifier: Apache-2.0
/**
 * Blocks in the memory of a writer, by level, time and bucket. Most blocks of a pass are written again with the next
 * one, and a block that is held is neither read nor checked again. The tables of blocks (block-tables.ts) keep them
 * from one transaction to the next.
 */
import { type Block, type CellBytes, CRC_BYTES } from "./cell-block";

export interface HeldBlock extends CellBytes {
  time: number;
  bucket: number;
  /** Where the block is decoded, it has the cells, and the bytes may be older. */
  block: Block | undefined;
  isStored: boolean;
  /** Whether it waits to be written. */
  isDirty: boolean;
}

/** The bytes of all held blocks, by estimate, with which a transaction may end. */
const MAX_BYTES = 8 << 20;
/** An entry, its place in a map, and the array around the bytes. */
const ENTRY_BYTES = 250;
const CHUNK_BYTES = 256 << 10;
const NO_BYTES = new Uint8Array(0);

export class HeldBlocks {
  readonly #times = new Map<number, Map<number, HeldBlock>>();
  /** The blocks of one time are asked for one after the other. */
  #time = Number.NaN;
  #buckets = new Map<number, HeldBlock>();
  readonly #space: HeldSpace;

  /** Several levels share a space, and are cleared together. */
  constructor(space: HeldSpace) {
    this.#space = space;
  }

  get(time: number, bucket: number): HeldBlock | undefined {
    return this.#of(time).get(bucket);
  }

  /** Holds a block that is stored as `bytes`, whose cells end at `length`; without bytes one that has no cell. */
  hold(time: number, bucket: number, bytes: Uint8Array = NO_BYTES, length = 0): HeldBlock {
    const held: HeldBlock = { time, bucket, bytes, length, block: undefined, isStored: length > 0, isDirty: false };
    this.#of(time).set(bucket, held);
    this.#space.used += ENTRY_BYTES + bytes.length;
    return held;
  }

  clear(): void {
    this.#times.clear();
    this.#time = Number.NaN;
  }

  #of(time: number): Map<number, HeldBlock> {
    if (time === this.#time) return this.#buckets;
    let buckets = this.#times.get(time);
    if (buckets === undefined) {
      buckets = new Map();
      this.#times.set(time, buckets);
    }
    this.#time = time;
    this.#buckets = buckets;
    return buckets;
  }
}

/** The memory of bytes that change. A block has a piece of it with some room to grow. */
export class HeldSpace {
  /** The bytes that are held, by estimate. */
  used = 0;
  #chunks: Uint8Array[] = [];
  #chunk = -1;
  #at = CHUNK_BYTES;

  get isFull(): boolean {
    return this.used > MAX_BYTES;
  }

  /** Gives a block a copy of these bytes, with room for a checksum. */
  put(held: HeldBlock, { bytes, length }: CellBytes): void {
    if (held.bytes.length < length + CRC_BYTES) held.bytes = this.#piece(length + (length >> 2) + CRC_BYTES);
    held.bytes.set(bytes.subarray(0, length));
    held.length = length;
  }

  /** All blocks are forgotten, and their memory is given to others. */
  clear(): void {
    this.used = 0;
    this.#chunk = -1;
    this.#at = CHUNK_BYTES;
  }

  #piece(size: number): Uint8Array {
    this.used += size;
    if (size > CHUNK_BYTES) return new Uint8Array(size);
    if (this.#at + size > CHUNK_BYTES) {
      this.#at = 0;
      if (++this.#chunk === this.#chunks.length) this.#chunks.push(new Uint8Array(CHUNK_BYTES));
    }
    this.#at += size;
    return this.#chunks[this.#chunk]!.subarray(this.#at - size, this.#at);
  }
}
