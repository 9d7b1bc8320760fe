// SPDX-License-Identifier: Apache-2.0
/**
 * A counter cell, at every level, and how the cells of a level add up to one above them. It is stored in one or two
 * columns, which are written together:
 *   the cell's column            32 bytes, big-endian: count (int64), sum (int128), last event time in epoch
 *                                milliseconds (int64)
 *   the same with a `+` behind   33 bytes: format (1), count, the low 64 bits of the sum, events with a value, revision
 *                                (int64 each)
 * The second column is written only where its numbers are not what the first one implies, and is valid only for the
 * same version, count and sum. Programs before 2026-12 know the first column alone and take any other value for no
 * cell, so they and today's may write the same rows: docs/decisions/0006-bigtable-rows.md.
 */
import { assumedValued } from "../../domain/columns/minute-counts";
import { addTo } from "../../domain/rules/cell-sums";
import { correctionOf } from "../../domain/rules/cell-version";
import { deleteColumn, type Mutation, type RowCell, setCell } from "./rows";
import { checkedVersion } from "./versions";

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
const DETAIL_SUFFIX = "+";
const MASK_64 = 2n ** 64n - 1n;
/** The bound of a cell's sum: no number of events that a count can hold exceeds it. */
const SUM_LIMIT = 2n ** 106n;

export const NO_CELL: CounterCell = { version: 0, count: 0, sum: 0n, valued: 0, revision: 0, lastMs: 0 };

/**
 * Writes the cell at its version. With `isExplicit` the second column is written in any case, because it may hold other
 * numbers of that version.
 */
export function cellMutations(family: string, qualifier: string, cell: CounterCell, isExplicit = false): Mutation[] {
  const mutations = [setCell(family, qualifier, cell.version, encodeCell(cell))];
  if (isExplicit || !isImplied(cell)) mutations.push(detailMutation(family, qualifier, cell));
  return mutations;
}

/** Writes the numbers that the cell's first column does not imply. */
export function detailMutation(family: string, qualifier: string, cell: CounterCell): Mutation {
  return setCell(family, qualifier + DETAIL_SUFFIX, cell.version, encodeDetail(cell));
}

/** Deletes the cell, whatever its version. */
export function deleteCell(family: string, qualifier: string): Mutation[] {
  return [deleteColumn(family, qualifier), deleteColumn(family, qualifier + DETAIL_SUFFIX)];
}

interface StoredCell {
  family: string;
  qualifier: string;
  cell: CounterCell;
}

/** Returns the counter cells among the columns of a row, which are ascending within a family. */
export function storedCells(columns: readonly RowCell[]): StoredCell[] {
  const stored: StoredCell[] = [];
  for (let at = 0; at < columns.length; at++) {
    const { family, qualifier, version, value } = columns[at]!;
    if (qualifier.endsWith(DETAIL_SUFFIX)) continue;
    const cell = decodeCell(version, value);
    const next = columns[at + 1];
    if (next !== undefined && next.qualifier.length === qualifier.length + 1 && isDetailOf(next, columns[at]!))
      takeDetail(cell, next.value);
    stored.push({ family, qualifier, cell });
  }
  return stored;
}

/** Returns the name of the cell that a column belongs to. */
export function cellName(qualifier: string): string {
  return qualifier.endsWith(DETAIL_SUFFIX) ? qualifier.slice(0, -1) : qualifier;
}

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

export function isSameCell(a: CounterCell, b: CounterCell): boolean {
  return a.version === b.version && isSameCount(a, b) && a.valued === b.valued && a.revision === b.revision;
}

/** Returns whether a cell adds the valued count to a cell that was stored without one. */
export function completes(cell: CounterCell, stored: CounterCell): boolean {
  if (cell.version !== stored.version || !isSameCount(cell, stored)) return false;
  return cell.valued !== stored.valued && stored.valued === assumedValued(stored.count, stored.sum === 0n);
}

/**
 * Returns the cell above these cells. Throws a RangeError when the version or the count is beyond what can be stored
 * exactly.
 */
export function rollUp(children: Iterable<CounterCell>): CounterCell {
  const above = { ...NO_CELL, lastMs: Number.NEGATIVE_INFINITY };
  for (const child of children) {
    above.version += child.version;
    above.revision += child.revision;
    if (child.count === 0) continue;
    addTo(above, child);
    if (child.lastMs > above.lastMs) above.lastMs = child.lastMs;
  }
  checkedVersion(above.version);
  if (!Number.isSafeInteger(above.count)) throw new RangeError(`${above.count} events of one cell are beyond 2^53`);
  if (above.count === 0) above.lastMs = 0;
  return above;
}

function isSameCount(a: CounterCell, b: CounterCell): boolean {
  return a.count === b.count && a.sum === b.sum && a.lastMs === b.lastMs;
}

function isImplied({ version, count, sum, valued, revision }: CounterCell): boolean {
  return valued === assumedValued(count, sum === 0n) && revision === correctionOf(version);
}

function encodeDetail({ count, sum, valued, revision }: CounterCell): Buffer {
  const value = Buffer.alloc(DETAIL_BYTES);
  value[0] = DETAIL_FORMAT;
  writeInt64(value, 1, count);
  value.writeBigUInt64BE(sum & MASK_64, 9);
  writeInt64(value, 17, valued);
  writeInt64(value, 25, revision);
  return value;
}

function isDetailOf(column: RowCell, { family, qualifier, version }: RowCell): boolean {
  return column.version === version && column.family === family && column.qualifier === qualifier + DETAIL_SUFFIX;
}

/** Applies a detail, unless it belongs to another state of the cell, or no events can produce it. */
function takeDetail(cell: CounterCell, value: Buffer): void {
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
