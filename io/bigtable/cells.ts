/**
 * The value of a counter cell, at every level: 32 bytes, big-endian: count (int64), sum (int128), time of the last event in epoch
 * milliseconds (int64). And how the cells of a level add up to one above them.
 */
import { checkedVersion } from "./versions";

export interface CounterCell {
  /** Of a minute: of its write. Above: the sum of the children's versions. 0: never written. */
  version: number;
  /** 0: the cell does not exist (an audit took it away). */
  count: number;
  sum: bigint;
  lastMs: number;
}

const CELL_BYTES = 32;
const MASK_64 = 2n ** 64n - 1n;

export const NO_CELL: CounterCell = { version: 0, count: 0, sum: 0n, lastMs: 0 };

export function encodeCell({ count, sum, lastMs }: CounterCell): Buffer {
  const value = Buffer.alloc(CELL_BYTES);
  writeInt64(value, 0, count);
  if (sum !== 0n) {
    value.writeBigInt64BE(sum >> 64n, 8);
    value.writeBigUInt64BE(sum & MASK_64, 16);
  }
  writeInt64(value, 24, lastMs);
  return value;
}

/** A value that is none of ours reads as a cell that does not exist, so that an audit finds and replaces it. */
export function decodeCell(version: number, value: Buffer): CounterCell {
  if (value.length !== CELL_BYTES) return { version, count: 0, sum: 0n, lastMs: 0 };
  const high = value.readInt32BE(8);
  const isSmall = high === 0 && value.readUInt32BE(12) === 0 && value.readUInt32BE(16) < 2 ** 21;
  const sum = isSmall
    ? BigInt(value.readUInt32BE(16) * 2 ** 32 + value.readUInt32BE(20))
    : (value.readBigInt64BE(8) << 64n) + value.readBigUInt64BE(16);
  return { version, count: readInt64(value, 0), sum, lastMs: readInt64(value, 24) };
}

export function isSameCell(a: CounterCell, b: CounterCell): boolean {
  return a.version === b.version && a.count === b.count && a.sum === b.sum && a.lastMs === b.lastMs;
}

/** The cell above these. Throws a RangeError when the version or the count is beyond what can be stored exactly. */
export function rollUp(children: Iterable<CounterCell>): CounterCell {
  let version = 0;
  let count = 0;
  let sum = 0n;
  let lastMs = Number.NEGATIVE_INFINITY;
  for (const child of children) {
    version += child.version;
    if (child.count === 0) continue;
    count += child.count;
    if (child.sum !== 0n) sum += child.sum;
    if (child.lastMs > lastMs) lastMs = child.lastMs;
  }
  return { version: checkedVersion(version), count, sum: count === 0 ? 0n : sum, lastMs: count === 0 ? 0 : lastMs };
}

function writeInt64(value: Buffer, at: number, integer: number): void {
  const high = Math.floor(integer / 2 ** 32);
  value.writeInt32BE(high, at);
  value.writeUInt32BE(integer - high * 2 ** 32, at + 4);
}

function readInt64(value: Buffer, at: number): number {
  return value.readInt32BE(at) * 2 ** 32 + value.readUInt32BE(at + 4);
}
