// SPDX-License-Identifier: Apache-2.0
/**
 * A block: the cells of 64 neighbouring videos at one time (a minute, an hour, a day, or ever), packed into one blob.
 * Rows per transaction decide what a store costs, and a row per cell is 64 times as many.
 *
 * Bytes: a version byte (1) | cells by key, ascending | CRC-32 of all before it, little-endian.
 * A cell, in varints of 7 bits: (key - key before - 1) * 16 + flags | count | valued, with VALUED | low 32 bits of the
 * sum, with SUM | the middle 32 bits and the rest, zigzag, with WIDE | last event, zigzag, milliseconds from the
 * block's start (from 1970 in totals) | correction and revision, with META. Without VALUED the valued count is the
 * count where there is a sum, else 0. The tables of blocks store it, and every reader of counters in this folder
 * decodes it.
 */
import { crc32 } from "node:zlib";
import { StoreUnavailableError } from "../ports";

export const VIDEOS_A_BLOCK = 64;
/** The numbers of a cell in `Block.data`. */
export const WIDTH = 9;
export const KEY = 0;
export const COUNT = 1;
export const VALUED = 2;
/** sum = TOP * 2^64 + MID * 2^32 + LOW; all but TOP are in [0, 2^32). */
export const LOW = 3;
export const MID = 4;
export const TOP = 5;
export const LAST = 6;
export const CORRECTION = 7;
export const REVISION = 8;

export const FORMAT = 1;
export const CRC_BYTES = 4;
export const [HAS_SUM, HAS_WIDE, HAS_VALUED, HAS_META] = [1, 2, 4, 8] as const;
/** The bytes of eight varints of at most eight bytes each, with room. */
export const MAX_CELL_BYTES = 72;
const TWO_28 = 2 ** 28;
const TWO_32 = 2 ** 32;
const TWO_53 = 2 ** 53;

/**
 * Thrown for a block that cannot be read. The block stays until an operator deletes the row; an audit with repair then
 * counts its cells anew.
 */
export class DamagedBlockError extends StoreUnavailableError {}

/** Cells by ascending key = type * 64 + video % 64, `WIDTH` numbers each. */
export class Block {
  cells = 0;
  data = new Float64Array(16 * WIDTH);
  /** The keys whose revision has grown in this transaction. */
  revised: Set<number> | undefined;

  clear(): void {
    this.cells = 0;
    this.revised = undefined;
  }

  /** Returns the position of `key` among the cells from `from` on; -1 - (its place) when it is missing. */
  find(key: number, from = 0): number {
    const { data, cells } = this;
    // Cells are looked for in the order of keys, so that most are at the place where the search begins, or at the end.
    if (from < cells) {
      const first = data[from * WIDTH]!;
      if (first === key) return from;
      if (first > key) return -1 - from;
    }
    if (cells === 0 || data[(cells - 1) * WIDTH]! < key) return -1 - cells;
    let low = from;
    let high = cells;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (data[middle * WIDTH]! < key) low = middle + 1;
      else high = middle;
    }
    return low < cells && data[low * WIDTH] === key ? low : -1 - low;
  }

  /** Returns the position of `key`; a missing key gets an empty cell. */
  cell(key: number, from = 0): number {
    const found = this.find(key, from);
    if (found >= 0) return found;
    const at = -1 - found;
    if ((this.cells + 1) * WIDTH > this.data.length) {
      const data = new Float64Array(this.data.length * 2);
      data.set(this.data);
      this.data = data;
    }
    const start = at * WIDTH;
    if (at < this.cells) this.data.copyWithin(start + WIDTH, start, this.cells * WIDTH);
    this.data.fill(0, start, start + WIDTH);
    this.data[start] = key;
    this.cells++;
    return at;
  }

  /**
   * Adds the countable cells of another block (only those of `insides`, when given). `offsetMs` is the distance of its
   * start from this block's start. Corrections and revisions are a level's own.
   */
  add(other: Block, offsetMs: number, insides?: ReadonlySet<number>): void {
    const { data: from } = other;
    let hint = 0;
    for (let at = 0; at < other.cells * WIDTH; at += WIDTH) {
      if (from[at + COUNT] === 0 || (insides !== undefined && !insides.has(from[at]! % VIDEOS_A_BLOCK))) continue;
      hint = this.cell(from[at]!, hint);
      const to = hint * WIDTH;
      const lastMs = from[at + LAST]! + offsetMs;
      if (this.data[to + COUNT] === 0 || this.data[to + LAST]! < lastMs) this.data[to + LAST] = lastMs;
      this.move(to, from[at + COUNT]!, from[at + VALUED]!, from[at + LOW]!, from[at + MID]!, from[at + TOP]!);
    }
  }

  /** Changes the numbers of the cell at `to` by a difference, whose parts of the sum may have any sign. */
  move(to: number, count: number, valued: number, low: number, mid: number, top: number): void {
    const { data } = this;
    data[to + COUNT] = data[to + COUNT]! + count;
    data[to + VALUED] = data[to + VALUED]! + valued;
    if (low === 0 && mid === 0 && top === 0) return;
    const lowSum = data[to + LOW]! + low;
    const carry = Math.floor(lowSum / TWO_32);
    const midSum = data[to + MID]! + mid + carry;
    const carried = Math.floor(midSum / TWO_32);
    data[to + LOW] = lowSum - carry * TWO_32;
    data[to + MID] = midSum - carried * TWO_32;
    data[to + TOP] = data[to + TOP]! + top + carried;
  }

  sum(at: number): bigint {
    return sumOf(this.data[at + LOW]!, this.data[at + MID]!, this.data[at + TOP]!);
  }
}

export function sumOf(low: number, mid: number, top: number): bigint {
  if (top === 0 && mid < 2 ** 21) return BigInt(mid * TWO_32 + low);
  return (BigInt(top) << 64n) + (BigInt(mid) << 32n) + BigInt(low);
}

let scratch = Buffer.allocUnsafeSlow(1 << 16);
/** The place of the next number that is read or written. */
export const cursor = { at: 0 };

/** The bytes of a block up to its checksum; `length` is 0 where it has no cell. */
export interface CellBytes {
  bytes: Uint8Array;
  length: number;
}

/**
 * Returns a block's bytes, which are valid until the next block is encoded. Throws RangeError for a number beyond 53
 * bits or below 0.
 */
export function encodeCells({ cells, data }: Block): CellBytes {
  const most = 1 + cells * MAX_CELL_BYTES + CRC_BYTES;
  if (scratch.length < most) scratch = Buffer.allocUnsafeSlow(most * 2);
  scratch[0] = FORMAT;
  cursor.at = 1;
  let before = -1;
  for (let at = 0; at < cells * WIDTH; at += WIDTH) {
    const [count, correction, revision] = [data[at + COUNT]!, data[at + CORRECTION]!, data[at + REVISION]!];
    if (count === 0 && correction === 0 && revision === 0) continue;
    if (!putUsual(data, at, before)) putCell(data, at, before);
    before = data[at]!;
  }
  return { bytes: scratch, length: cursor.at === 1 ? 0 : cursor.at };
}

/**
 * Writes a cell as nearly all are: without a correction and a revision, either without a value or with one for each
 * event, and with a sum below 2^32. The bytes are those of `putCell`; false, and nothing is written, for any other.
 */
function putUsual(data: Float64Array, at: number, before: number): boolean {
  const count = data[at + COUNT]!;
  const low = data[at + LOW]!;
  if (data[at + MID] !== 0 || data[at + TOP] !== 0 || data[at + CORRECTION] !== 0 || data[at + REVISION] !== 0)
    return false;
  if (data[at + VALUED] !== (low === 0 ? 0 : count)) return false;
  const head = (data[at]! - before - 1) * 16 + (low === 0 ? 0 : HAS_SUM);
  const last = data[at + LAST]! * 2;
  if (!(head >= 0 && head < TWO_53 && count >= 0 && count < TWO_53 && low >= 0 && low < TWO_32)) return false;
  if (!(last >= 0 && last < TWO_53)) return false;
  const into = scratch;
  let to = putNumber(into, cursor.at, head);
  to = putNumber(into, to, count);
  if (low !== 0) to = putNumber(into, to, low);
  cursor.at = putNumber(into, to, last);
  return true;
}

function putCell(data: Float64Array, at: number, before: number): void {
  const [key, count, valued] = [data[at]!, data[at + COUNT]!, data[at + VALUED]!];
  const [low, mid, top] = [data[at + LOW]!, data[at + MID]!, data[at + TOP]!];
  const [correction, revision] = [data[at + CORRECTION]!, data[at + REVISION]!];
  const isWide = mid !== 0 || top !== 0;
  const hasSum = isWide || low !== 0;
  const hasMeta = correction !== 0 || revision !== 0;
  const saysValued = valued !== (hasSum ? count : 0);
  const flags =
    (hasSum ? HAS_SUM : 0) | (isWide ? HAS_WIDE : 0) | (saysValued ? HAS_VALUED : 0) | (hasMeta ? HAS_META : 0);
  put((key - before - 1) * 16 + flags);
  put(count);
  if (saysValued) put(valued);
  if (hasSum) put(low);
  if (isWide) {
    put(mid);
    put(zigzag(top));
  }
  put(zigzag(data[at + LAST]!));
  if (hasMeta) {
    put(correction);
    put(revision);
  }
}

const zigzag = (value: number): number => (value < 0 ? -value * 2 - 1 : value * 2);
const unzigzag = (value: number): number => (value % 2 === 0 ? value / 2 : -(value + 1) / 2);

function put(value: number): void {
  if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER)) throw new RangeError(`a cell cannot hold ${value}`);
  cursor.at = putNumber(scratch, cursor.at, value);
}

/** Writes an integer of [0, 2^53) as a varint; returns the place behind it. */
export function putNumber(into: Uint8Array, at: number, value: number): number {
  let to = at;
  let high = value;
  while (high >= TWO_28) {
    const above = Math.floor(high / TWO_28);
    const low = (high - above * TWO_28) | 0;
    into[to] = (low & 127) | 128;
    into[to + 1] = ((low >>> 7) & 127) | 128;
    into[to + 2] = ((low >>> 14) & 127) | 128;
    into[to + 3] = (low >>> 21) | 128;
    to += 4;
    high = above;
  }
  let rest = high | 0;
  for (; rest >= 128; rest >>>= 7) into[to++] = (rest & 127) | 128;
  into[to++] = rest;
  return to;
}

/** Reads a varint at the cursor. */
export function take(bytes: Uint8Array): number {
  let byte = bytes[cursor.at++]!;
  if (byte < 128) return byte;
  let value = byte & 127;
  byte = bytes[cursor.at++]!;
  value |= (byte & 127) << 7;
  if (byte < 128) return value;
  byte = bytes[cursor.at++]!;
  value |= (byte & 127) << 14;
  if (byte < 128) return value;
  let scale = 2 ** 21;
  do {
    byte = bytes[cursor.at++]!;
    value += (byte & 127) * scale;
    scale *= 128;
  } while (byte >= 128);
  return value;
}

/** Fills `into` with a block's cells. `where` names the row. Throws DamagedBlockError. */
export function decodeBlock(bytes: Uint8Array, into: Block, where: () => string): Block {
  return decodeCells(bytes, checkedEnd(bytes, where), into);
}

/** Fills `into` with the cells of the bytes up to the checksum at `end`, which is known to be right. */
export function decodeCells(bytes: Uint8Array, end: number, into: Block): Block {
  into.clear();
  cursor.at = 1;
  let key = -1;
  while (cursor.at < end) {
    if ((into.cells + 1) * WIDTH > into.data.length) {
      const grown = new Float64Array(into.data.length * 2);
      grown.set(into.data);
      into.data = grown;
    }
    key = takeCell(bytes, into.data, into.cells * WIDTH, key);
    into.cells++;
  }
  return into;
}

/** Calls `visit` with each type of the cells and the largest count among its cells. */
export function largestCounts({ bytes, length: end }: CellBytes, visit: (type: number, most: number) => void): void {
  cursor.at = 1;
  let [key, type, most] = [-1, 0, -1];
  while (cursor.at < end) {
    const head = take(bytes);
    const flags = head & 15;
    key += 1 + (head - flags) / 16;
    const count = take(bytes);
    if (key >= (type + 1) * VIDEOS_A_BLOCK) {
      if (most >= 0) visit(type, most);
      type = Math.floor(key / VIDEOS_A_BLOCK);
      most = 0;
    }
    if (count > most) most = count;
    let at = cursor.at;
    for (let left = VARINTS_AFTER_HEAD[flags]! - 1; left > 0 && at < end; at++) if (bytes[at]! < 128) left--;
    cursor.at = at;
  }
  if (most >= 0) visit(type, most);
}

/**
 * Calls `visit` with the block's decoded cells one after the other, until it returns true. Throws DamagedBlockError.
 */
export function scanBlock(bytes: Uint8Array, where: () => string, visit: (cell: Float64Array) => boolean): void {
  const end = checkedEnd(bytes, where);
  cursor.at = 1;
  let key = -1;
  while (cursor.at < end) {
    key = takeCell(bytes, scanned, 0, key);
    const after = cursor.at;
    if (visit(scanned)) return;
    cursor.at = after;
  }
}

/**
 * Calls `visit` with the decoded cells of one video of the block, by type: those whose key has this remainder, from the
 * type `fromType` on, until `visit` returns true. All other cells are stepped over, which costs a fifth of decoding
 * them. Throws DamagedBlockError.
 */
export function scanVideo(
  bytes: Uint8Array,
  where: () => string,
  inside: number,
  fromType: number,
  visit: (cell: Float64Array) => boolean,
): void {
  const end = checkedEnd(bytes, where);
  let wanted = fromType * VIDEOS_A_BLOCK + inside;
  let at = 1;
  let key = -1;
  while (at < end) {
    cursor.at = at;
    const head = take(bytes);
    const flags = head & 15;
    const next = key + 1 + (head - flags) / 16;
    if (wanted < next) wanted = inside + Math.ceil((next - inside) / VIDEOS_A_BLOCK) * VIDEOS_A_BLOCK;
    if (next === wanted) {
      cursor.at = at;
      key = takeCell(bytes, scanned, 0, key);
      at = cursor.at;
      if (visit(scanned)) return;
      continue;
    }
    key = next;
    at = cursor.at;
    // A varint ends with its first byte below 128.
    for (let left = VARINTS_AFTER_HEAD[flags]!; left > 0 && at < end; at++) if (bytes[at]! < 128) left--;
  }
}

/** The varints of a cell behind its first one, by the flags in it: count and last event at least. */
export const VARINTS_AFTER_HEAD = Uint8Array.from(
  { length: 16 },
  (_, flags) =>
    2 +
    ((flags & HAS_VALUED) !== 0 ? 1 : 0) +
    ((flags & HAS_SUM) !== 0 ? 1 : 0) +
    ((flags & HAS_WIDE) !== 0 ? 2 : 0) +
    ((flags & HAS_META) !== 0 ? 2 : 0),
);

const scanned = new Float64Array(WIDTH);

function takeCell(bytes: Uint8Array, data: Float64Array, at: number, before: number): number {
  const head = take(bytes);
  const flags = head % 16;
  const key = before + 1 + (head - flags) / 16;
  const count = take(bytes);
  const hasSum = (flags & HAS_SUM) !== 0;
  data[at] = key;
  data[at + COUNT] = count;
  data[at + VALUED] = (flags & HAS_VALUED) !== 0 ? take(bytes) : hasSum ? count : 0;
  data[at + LOW] = hasSum ? take(bytes) : 0;
  const isWide = (flags & HAS_WIDE) !== 0;
  data[at + MID] = isWide ? take(bytes) : 0;
  data[at + TOP] = isWide ? unzigzag(take(bytes)) : 0;
  data[at + LAST] = unzigzag(take(bytes));
  const hasMeta = (flags & HAS_META) !== 0;
  data[at + CORRECTION] = hasMeta ? take(bytes) : 0;
  data[at + REVISION] = hasMeta ? take(bytes) : 0;
  return key;
}

/** Writes the checksum of a block's bytes behind them. Returns both. */
export function sealed(bytes: Uint8Array, end: number): Uint8Array {
  const crc = crc32(bytes.subarray(0, end));
  bytes[end] = crc;
  bytes[end + 1] = crc >>> 8;
  bytes[end + 2] = crc >>> 16;
  bytes[end + 3] = crc >>> 24;
  return bytes.subarray(0, end + CRC_BYTES);
}

/** Returns the end of the cells. Throws DamagedBlockError. */
export function checkedEnd(bytes: Uint8Array, where: () => string): number {
  const end = bytes.length - CRC_BYTES;
  if (end < 1) throw new DamagedBlockError(`${where()} is damaged: ${bytes.length} bytes are no block`);
  if (bytes[0] !== FORMAT) throw new DamagedBlockError(`${where()} is damaged: format ${bytes[0]} is not known`);
  const stored = bytes[end]! + bytes[end + 1]! * 2 ** 8 + bytes[end + 2]! * 2 ** 16 + bytes[end + 3]! * 2 ** 24;
  if (crc32(bytes.subarray(0, end)) !== stored) {
    throw new DamagedBlockError(`${where()} is damaged: its checksum differs`);
  }
  return end;
}
