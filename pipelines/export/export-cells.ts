// SPDX-License-Identifier: Apache-2.0
import { CELLS_A_PART } from "../../domain/rules/roll-ups";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../domain/rules/time";
import type { TimedCell } from "../../io/formats/parquet/cell-columns";
import { encodeCells } from "../../io/formats/parquet/cell-file";
import type { CounterStore, Granularity, RollUpFolder } from "../../io/ports";
import { cellParts, type IsWanted, storedCells } from "../tier/cell-parts";

export interface ExportDependencies {
  counters: Pick<CounterStore, "minuteCells" | "derivedCells" | "rolledCells">;
  out: RollUpFolder;
  /** Returns the states of the buckets between these edges. The caller reads them before the counters. */
  statesOf(edges: readonly number[]): Promise<readonly string[]>;
}

export interface ExportRange {
  granularity: Granularity;
  /** The range, whole buckets of UTC. */
  fromMs: number;
  toMs: number;
  cellsAPart?: number;
}

export interface ExportedFile {
  name: string;
  cells: number;
  sizeBytes: number;
}

const BUCKET_MS: Readonly<Record<Granularity, number>> = { minute: MINUTE_MS, hour: HOUR_MS, day: DAY_MS };

/**
 * Writes the cells of a range as Parquet, files for each day of UTC, with the state and the revision of each cell. The
 * numbers of the store and of its roll-ups are added up. A second run over the same range replaces the files of the
 * first.
 */
export async function* exportCells(
  deps: ExportDependencies,
  { granularity, fromMs, toMs, cellsAPart = CELLS_A_PART }: ExportRange,
): AsyncGenerator<ExportedFile, void, undefined> {
  for (let dayMs = Math.floor(fromMs / DAY_MS) * DAY_MS; dayMs < toMs; dayMs += DAY_MS) {
    const range = { granularity, fromMs: Math.max(dayMs, fromMs), toMs: Math.min(dayMs + DAY_MS, toMs) };
    const edges: number[] = [];
    for (let atMs = range.fromMs; atMs <= range.toMs; atMs += BUCKET_MS[granularity]) edges.push(atMs);
    const states = await deps.statesOf(edges);
    const cells = (isWanted: IsWanted) => cellsOf(deps.counters, range, isWanted);
    for await (const { part, parts, columns } of cellParts(cells, cellsAPart)) {
      const whole = columns.merged();
      const stateOf = (startMs: number) => states[(startMs - range.fromMs) / BUCKET_MS[granularity]] ?? "provisional";
      const content = await encodeCells(whole, stateOf);
      const date = new Date(dayMs).toISOString().slice(0, 10);
      const name = `granularity=${granularity}/date=${date}/counters-${part}-of-${parts}.parquet`;
      await deps.out.write(name, content);
      yield { name, cells: whole.length, sizeBytes: content.length };
    }
  }
}

/**
 * Yields the cells in any order. A cell that is in a roll-up and, because of later events, in the store, is yielded
 * twice.
 */
async function* cellsOf(
  counters: ExportDependencies["counters"],
  range: ExportRange,
  isWanted: IsWanted,
): AsyncGenerator<TimedCell, void, undefined> {
  const { granularity, fromMs, toMs } = range;
  for await (const cell of storedCells(counters, granularity, range, isWanted)) if (cell.count > 0) yield cell;
  if (granularity === "day" || counters.rolledCells === undefined) return;
  for await (const cell of counters.rolledCells(granularity, fromMs, toMs)) if (isWanted(cell.videoId)) yield cell;
}
