// SPDX-License-Identifier: Apache-2.0
/** The cells of a range as Parquet files, for `viewmill export`. */
import { CELLS_A_PART } from "../../domain/rules/roll-ups";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../domain/rules/time";
import type { TimedCell } from "../../io/formats/parquet/cell-columns";
import { encodeCells } from "../../io/formats/parquet/cell-file";
import {
  type CellTiers,
  type CounterStore,
  type Granularity,
  type RollUpFolder,
  StoreUnavailableError,
} from "../../io/ports";
import { cellParts, type IsWanted, storedCells } from "../tier/cell-parts";

interface ExportDependencies {
  counters: Pick<CounterStore, "minuteCells" | "derivedCells" | "rolledCells">;
  out: RollUpFolder;
  /** Tells when cells leave the store. Absent where they never do. */
  tiers?: Pick<CellTiers, "tiers"> | undefined;
  /** Returns the states of the buckets between these edges. The caller reads them before the counters. */
  statesOf(edges: readonly number[]): Promise<readonly string[]>;
}

interface ExportRange {
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

/** A file of an export, whole or, after a crash, begun. Other files of the folder are somebody else's. */
const OWN_NAME = /\/counters-\d+-of-\d+\.parquet(\.[0-9a-f-]+\.tmp)?$/;
/** How often a day is written anew. The tiering process changes the state four times for each range. */
const ATTEMPTS = 20;
const BUCKET_MS: Readonly<Record<Granularity, number>> = { minute: MINUTE_MS, hour: HOUR_MS, day: DAY_MS };

/**
 * Writes the cells of a range as Parquet, files for each day of UTC, with the state and the revision of each cell. The
 * numbers of the store and of its roll-ups are added up. A day of which cells left the store meanwhile is written
 * again. A second run over the same range replaces the files of the first, and no others.
 */
export async function* exportCells(
  deps: ExportDependencies,
  { granularity, fromMs, toMs, cellsAPart = CELLS_A_PART }: ExportRange,
): AsyncGenerator<ExportedFile, void, undefined> {
  for (let dayMs = Math.floor(fromMs / DAY_MS) * DAY_MS; dayMs < toMs; dayMs += DAY_MS) {
    const range = { granularity, fromMs: Math.max(dayMs, fromMs), toMs: Math.min(dayMs + DAY_MS, toMs), cellsAPart };
    const folder = `granularity=${granularity}/date=${new Date(dayMs).toISOString().slice(0, 10)}`;
    const files = await steadyDay(deps, folder, range);
    const written = new Set(files.map(({ name }) => name));
    // An earlier export, or an attempt of this one, may have had more parts.
    for (const name of await deps.out.names(folder))
      if (!written.has(name) && OWN_NAME.test(name)) await deps.out.remove(name);
    yield* files;
  }
}

/** Writes a day until no cell has left the store while it was read: what moves is neither lost nor there twice. */
async function steadyDay(
  deps: ExportDependencies,
  folder: string,
  range: Required<ExportRange>,
): Promise<ExportedFile[]> {
  const version = async () => (await deps.tiers?.tiers())?.version;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const before = await version();
    const files = await writeDay(deps, folder, range);
    if ((await version()) === before) return files;
  }
  throw new StoreUnavailableError(`cells keep leaving the store while ${folder} is written: export again later`);
}

async function writeDay(
  deps: ExportDependencies,
  folder: string,
  range: Required<ExportRange>,
): Promise<ExportedFile[]> {
  const bucketMs = BUCKET_MS[range.granularity];
  const edges: number[] = [];
  for (let atMs = range.fromMs; atMs <= range.toMs; atMs += bucketMs) edges.push(atMs);
  const states = await deps.statesOf(edges);
  const cells = (isWanted: IsWanted) => cellsOf(deps.counters, range, isWanted);
  const files: ExportedFile[] = [];
  for await (const { part, parts, columns } of cellParts(cells, range.cellsAPart)) {
    const whole = columns.merged();
    const stateOf = (startMs: number) => states[(startMs - range.fromMs) / bucketMs] ?? "provisional";
    const content = await encodeCells(whole, stateOf);
    const name = `${folder}/counters-${part}-of-${parts}.parquet`;
    await deps.out.write(name, content);
    files.push({ name, cells: whole.length, sizeBytes: content.length });
  }
  return files;
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
