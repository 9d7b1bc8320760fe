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
 * cell, so they and today's may write the same rows: docs/decisions/0006-bigtable-rows.md. Every file of this folder
 * that reads or writes counters goes through it.
 */

import { assumedValued } from "../../domain/columns/minute-counts";
import { addTo } from "../../domain/rules/cell-sums";
import { correctionOf } from "../../domain/rules/cell-version";
import { type CounterCell, decodeCell, encodeCell, encodeDetail, takeDetail } from "./codec";
import { deleteColumn, type Mutation, setCell } from "./requests";
import type { RowCell } from "./rows";
import { checkedVersion } from "./versions";

const DETAIL_SUFFIX = "+";
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

function isDetailOf(column: RowCell, { family, qualifier, version }: RowCell): boolean {
  return column.version === version && column.family === family && column.qualifier === qualifier + DETAIL_SUFFIX;
}
