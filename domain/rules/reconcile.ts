// SPDX-License-Identifier: Apache-2.0
/**
 * The comparison of an audit: two sets of cells, in both directions. The audit's three comparisons use it: of hours, of
 * levels and of totals.
 */
import { addTo, type Sums } from "./cell-sums";

export interface ComparedCell extends Sums {
  videoId: string;
  eventType: string;
}

export interface CellDifference {
  videoId: string;
  eventType: string;
  expectedCount: number;
  expectedSum: bigint;
  expectedValued: number;
  storedCount: number;
  storedSum: bigint;
  storedValued: number;
}

/** The key of a cell within one minute, hour or day. Neither part can contain a space. */
export const cellKey = (videoId: string, eventType: string): string => `${videoId} ${eventType}`;

function isDifferent(d: CellDifference): boolean {
  return d.expectedCount !== d.storedCount || d.expectedSum !== d.storedSum || d.expectedValued !== d.storedValued;
}

/**
 * Returns the cells that differ in count, sum or valued count. A cell that one side lacks counts as zero on that side.
 */
export function differences(
  expected: ReadonlyMap<string, ComparedCell>,
  stored: ReadonlyMap<string, ComparedCell>,
): CellDifference[] {
  const found: CellDifference[] = [];
  const compare = (cell: ComparedCell, want: ComparedCell | undefined, have: ComparedCell | undefined) => {
    const difference: CellDifference = {
      videoId: cell.videoId,
      eventType: cell.eventType,
      expectedCount: want?.count ?? 0,
      expectedSum: want?.sum ?? 0n,
      expectedValued: want?.valued ?? 0,
      storedCount: have?.count ?? 0,
      storedSum: have?.sum ?? 0n,
      storedValued: have?.valued ?? 0,
    };
    if (isDifferent(difference)) found.push(difference);
  };
  for (const [key, cell] of expected) compare(cell, cell, stored.get(key));
  for (const [key, cell] of stored) if (!expected.has(key)) compare(cell, undefined, cell);
  return found;
}

/** Adds the numbers to a cell of `cells`, and makes the cell where it is missing. */
export function addToCell(
  cells: Map<string, ComparedCell>,
  videoId: string,
  eventType: string,
  count: number,
  sum: bigint,
  valued: number,
): void {
  const key = cellKey(videoId, eventType);
  const cell = cells.get(key);
  if (cell === undefined) cells.set(key, { videoId, eventType, count, sum, valued });
  else {
    addTo(cell, { count, sum, valued });
  }
}
