// SPDX-License-Identifier: Apache-2.0
/** The files of one range of roll-ups. roll-up.ts calls it before it deletes the range's cells from the store. */
import { hash } from "node:crypto";
import { CELLS_A_PART } from "../../domain/rules/roll-ups";
import { DAY_MS, HOUR_MS } from "../../domain/rules/time";
import type { CellColumns, TimedCell } from "../../io/formats/parquet/cell-columns";
import { CellFile, encodeCells } from "../../io/formats/parquet/cell-file";
import type { CounterStore, RolledLevel, RollUp, RollUpFolder } from "../../io/ports";
import { cellParts, type IsWanted, storedCells } from "./cell-parts";

interface Sources {
  counters: Pick<CounterStore, "minuteCells" | "derivedCells">;
  folder: RollUpFolder;
}

export interface CellRange {
  level: RolledLevel;
  fromMs: number;
  toMs: number;
}

/**
 * Thrown when a written file does not have the cells that it was made from. The store's cells must not be deleted then.
 */
class RollUpDiffersError extends Error {
  override readonly name = "RollUpDiffersError";
}

/**
 * Writes the store's cells of a range to files, reads each file back and compares every cell. The cells must not change
 * meanwhile. `generation` is the range's, so that files which somebody reads already keep their names. Writing a range
 * again gives the same files.
 */
export async function writeRollUps(
  { counters, folder }: Sources,
  range: CellRange,
  { generation, cellsAPart = CELLS_A_PART }: { generation: number; cellsAPart?: number },
): Promise<RollUp[]> {
  const written: RollUp[] = [];
  const cells = (isWanted: IsWanted) => storedCells(counters, range.level, range, isWanted);
  for await (const { part, parts, columns } of cellParts(cells, cellsAPart)) {
    const content = await encodeCells(columns);
    const name = `${folderOf(range)}/cells-${part}-of-${parts}.${generation}.parquet`;
    await folder.write(name, content);
    await compare(folder, name, columns, content);
    const sha256 = hash("sha256", content, "hex");
    const file = { name, ...range, part, parts, cells: columns.length, sizeBytes: content.length, sha256 };
    written.push(range.level === "minute" ? { ...file, hours: hoursOf(columns) } : file);
  }
  return written;
}

/**
 * Returns the folder of a range under Hive's names of partitions, which DuckDB, BigQuery and Spark turn into a column.
 */
export function folderOf({ level, fromMs, toMs }: CellRange): string {
  const date = new Date(fromMs).toISOString();
  return toMs - fromMs <= DAY_MS ? `${level}/date=${date.slice(0, 10)}` : `${level}/month=${date.slice(0, 7)}`;
}

async function compare(folder: RollUpFolder, name: string, cells: CellColumns, content: Uint8Array): Promise<void> {
  const bytes = await folder.open(name);
  if (bytes === undefined) throw new RollUpDiffersError(`${name} was written, and is not there`);
  const digest = hash("sha256", new Uint8Array(await bytes.slice(0)), "hex");
  if (digest !== hash("sha256", content, "hex"))
    throw new RollUpDiffersError(`${name} has other bytes than were written`);
  const stored = await (await CellFile.open(bytes)).all();
  if (stored.length !== cells.length)
    throw new RollUpDiffersError(`${name} has ${stored.length} cells and not ${cells.length}`);
  for (const [at, row] of cells.sorted().entries()) {
    if (!isSame(stored.cell(at), cells.cell(row)))
      throw new RollUpDiffersError(`${name}: row ${at} is not the cell that was written`);
  }
}

const isSame = (a: TimedCell, b: TimedCell): boolean =>
  a.videoId === b.videoId &&
  a.eventType === b.eventType &&
  a.startMs === b.startMs &&
  a.count === b.count &&
  a.valued === b.valued &&
  a.sum === b.sum &&
  a.revision === b.revision;

function hoursOf({ startMs, length }: CellColumns): number[] {
  const hours = new Set<number>();
  for (let row = 0; row < length; row++) hours.add(Math.floor(startMs[row]! / HOUR_MS));
  return [...hours].sort((a, b) => a - b);
}
