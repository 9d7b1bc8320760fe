/** How the audit compares: two sets of cells, in both directions. */
export interface ComparedCell {
  videoId: string;
  eventType: string;
  count: number;
  sum: bigint;
}

export interface CellDifference {
  videoId: string;
  eventType: string;
  expectedCount: number;
  expectedSum: bigint;
  storedCount: number;
  storedSum: bigint;
}

/** Key of a cell within one minute, hour or day; neither part can hold a space. */
export const cellKey = (videoId: string, eventType: string): string => `${videoId} ${eventType}`;

/** Cells that differ in count or sum; one that is missing on a side is zero there. */
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
      storedCount: have?.count ?? 0,
      storedSum: have?.sum ?? 0n,
    };
    if (difference.expectedCount !== difference.storedCount || difference.expectedSum !== difference.storedSum)
      found.push(difference);
  };
  for (const [key, cell] of expected) compare(cell, cell, stored.get(key));
  for (const [key, cell] of stored) if (!expected.has(key)) compare(cell, undefined, cell);
  return found;
}

/** Adds to a cell of `cells`, making it where it is missing. */
export function addToCell(
  cells: Map<string, ComparedCell>,
  videoId: string,
  eventType: string,
  count: number,
  sum: bigint,
): void {
  const key = cellKey(videoId, eventType);
  const cell = cells.get(key);
  if (cell === undefined) cells.set(key, { videoId, eventType, count, sum });
  else {
    cell.count += count;
    cell.sum += sum;
  }
}
