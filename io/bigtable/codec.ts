// SPDX-License-Identifier: Apache-2.0
/**
 * What the bytes of a counter cell are; cells.ts says which columns they are in. Only the files of this folder that
 * handle cells decode them.
 */
import { assumedValued } from "../../domain/columns/minute-counts";
import { correctionOf } from "../../domain/rules/cell-version";

export interface CounterCell {
  /** The version of a minute's write. Above the minutes, the sum of the children's versions. 0: never written. */
  version: number;
  /** 0: the cell does not exist, because an audit removed it. */
  count: number;
  sum: bigint;
  /** Events that have a value; at most `count`. */
  valued: number;
  /** The corrections of a minute. Above the minutes, the sum of the children's. */
  revision: number;
  lastMs: number;
}

const CELL_BYTES = 32;
const DETAIL_BYTES = 33;
const DETAIL_FORMAT = 1;
const MASK_64 = 2n ** 64n - 1n;
/** The bound of a cell's sum: no number of events that a count can hold exceeds it. */
const SUM_LIMIT = 2n ** 106n;

export function encodeCell({ count, sum, lastMs }: Pick<CounterCell, "count" | "sum" | "lastMs">): Buffer {
  const value = Buffer.alloc(CELL_BYTES);
  writeInt64(value, 0, count);
  if (sum !== 0n) {
    value.writeBigInt64BE(sum >> 64n, 8);
    value.writeBigUInt64BE(sum & MASK_64, 16);
  }
  writeInt64(value, 24, lastMs);
  return value;
}

/**
 * Decodes a cell as its first column implies it. A foreign value, or one that no events can produce, reads as a missing
 * cell, so that an audit finds and replaces it.
 */
export function decodeCell(version: number, value: Buffer): CounterCell {
  const none = { version, count: 0, sum: 0n, valued: 0, revision: correctionOf(version), lastMs: 0 };
  if (value.length !== CELL_BYTES) return none;
  const count = readInt64(value, 0);
  const high = value.readInt32BE(8);
  const isSmall = high === 0 && value.readUInt32BE(12) === 0 && value.readUInt32BE(16) < 2 ** 21;
  const sum = isSmall
    ? BigInt(value.readUInt32BE(16) * 2 ** 32 + value.readUInt32BE(20))
    : (value.readBigInt64BE(8) << 64n) + value.readBigUInt64BE(16);
  const lastMs = readInt64(value, 24);
  const isPossible =
    isCount(count) && Number.isSafeInteger(lastMs) && (isSmall || (sum < SUM_LIMIT && -sum < SUM_LIMIT));
  if (!isPossible || count === 0) return none;
  return { version, count, sum, valued: assumedValued(count, sum === 0n), revision: none.revision, lastMs };
}

export function encodeDetail({ count, sum, valued, revision }: CounterCell): Buffer {
  const value = Buffer.alloc(DETAIL_BYTES);
  value[0] = DETAIL_FORMAT;
  writeInt64(value, 1, count);
  value.writeBigUInt64BE(sum & MASK_64, 9);
  writeInt64(value, 17, valued);
  writeInt64(value, 25, revision);
  return value;
}

/** Applies a detail, unless it belongs to another state of the cell, or no events can produce it. */
export function takeDetail(cell: CounterCell, value: Buffer): void {
  if (value.length !== DETAIL_BYTES || value[0] !== DETAIL_FORMAT) return;
  const valued = readInt64(value, 17);
  const revision = readInt64(value, 25);
  const isSameState = readInt64(value, 1) === cell.count && value.readBigUInt64BE(9) === (cell.sum & MASK_64);
  if (!isSameState || !isCount(valued) || valued > cell.count || !isCount(revision)) return;
  cell.valued = valued;
  cell.revision = revision;
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function writeInt64(value: Buffer, at: number, integer: number): void {
  const high = Math.floor(integer / 2 ** 32);
  value.writeInt32BE(high, at);
  value.writeUInt32BE(integer - high * 2 ** 32, at + 4);
}

function readInt64(value: Buffer, at: number): number {
  return value.readInt32BE(at) * 2 ** 32 + value.readUInt32BE(at + 4);
}
