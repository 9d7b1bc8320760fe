// SPDX-License-Identifier: Apache-2.0
/** Bounds the memory of a run over many cells: roll-ups and exports take the cells of a range part by part. */
import { rollUpPart } from "../../domain/rules/roll-ups";
import { MINUTE_MS } from "../../domain/rules/time";
import { CellColumns, cellsOfMinute, type TimedCell } from "../../io/formats/parquet/cell-columns";
import type { CounterStore, Granularity } from "../../io/ports";

export type IsWanted = (videoId: string) => boolean;

interface CellPart {
  part: number;
  parts: number;
  columns: CellColumns;
}

/**
 * Yields cells in parts of about `cellsAPart`, each with whole videos; parts without a cell are left out. `cells` is
 * called once to count the cells, and once more for each part.
 */
export async function* cellParts(
  cells: (isWanted: IsWanted) => AsyncIterable<TimedCell>,
  cellsAPart: number,
): AsyncGenerator<CellPart, void, undefined> {
  let count = 0;
  for await (const _ of cells(() => true)) count++;
  const parts = Math.max(1, Math.ceil(count / cellsAPart));
  for (let part = 0; part < parts; part++) {
    const columns = new CellColumns();
    for await (const cell of cells((videoId) => rollUpPart(videoId, parts) === part)) columns.add(cell);
    if (columns.length > 0) yield { part, parts, columns };
  }
}

/** Yields the store's own cells of the wanted videos, in any order. */
export async function* storedCells(
  counters: Pick<CounterStore, "minuteCells" | "derivedCells">,
  granularity: Granularity,
  { fromMs, toMs }: { fromMs: number; toMs: number },
  isWanted: IsWanted,
): AsyncGenerator<TimedCell, void, undefined> {
  if (granularity !== "minute") {
    for await (const cell of counters.derivedCells(granularity, fromMs, toMs)) if (isWanted(cell.videoId)) yield cell;
    return;
  }
  for await (const minute of counters.minuteCells(fromMs / MINUTE_MS, toMs / MINUTE_MS)) {
    yield* cellsOfMinute(minute, isWanted);
  }
}
