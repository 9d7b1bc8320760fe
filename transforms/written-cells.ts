// SPDX-License-Identifier: Apache-2.0
/**
 * The memory of the last step of the stream, so that a pane that fires again writes the changed rows alone. A worker of
 * a cluster keeps one for all its bundles.
 */
import { CellTable } from "../domain/columns/cell-table";
import type { MinuteCounts } from "../domain/columns/minute-counts";
import { grown, textSpans } from "../domain/columns/name-table";
import { PaneNames } from "../domain/columns/pane-names";
import { hashSeed } from "./hash-seed";

/** Selects the rows whose received count grew since the last write. */
export function unwrittenCells(written: WrittenCells, counts: MinuteCounts): MinuteCounts {
  const rows = written.grown(counts);
  if (rows.length === counts.counts.length) return counts;
  const pick = Uint32Array.from(rows);
  return {
    minute: counts.minute,
    videos: counts.videos,
    types: counts.types,
    videoIndex: pick.map((row) => counts.videoIndex[row]!),
    typeIndex: Uint32Array.from(pick, (row) => counts.typeIndex[row]!),
    counts: Float64Array.from(pick, (row) => counts.counts[row]!),
    valued: Float64Array.from(pick, (row) => counts.valued[row]!),
    sumHigh: Float64Array.from(pick, (row) => counts.sumHigh[row]!),
    sumLow: Float64Array.from(pick, (row) => counts.sumLow[row]!),
    lastMsInMinute: Uint16Array.from(pick, (row) => counts.lastMsInMinute[row]!),
    ...(counts.received === undefined ? {} : { received: Float64Array.from(pick, (row) => counts.received![row]!) }),
  };
}

/**
 * The numbers that order the states of a cell, whatever the store, `received` among them. A job that went back to a
 * checkpoint, or a second job, counts the same events in another order. Its state of a cell may have received more and
 * counted fewer distinct events than the state written here, and may stand in the store. Only the larger `received` of
 * a later state here takes its place.
 */
const VERSION_NUMBERS = 6;

/** The numbers last written for a minute's cells, by column: no text and no object for each cell. */
class WrittenMinute {
  /** The number of written cells. */
  cells = 0;
  private readonly names = new PaneNames(hashSeed);
  private readonly table = new CellTable(hashSeed[2]!);
  /** VERSION_NUMBERS numbers a cell; the first is NaN where the cell was never written. */
  private versions = new Float64Array(64 * VERSION_NUMBERS).fill(Number.NaN);

  /** Calls `take` for each row, with whether exactly this state of its cell was written. */
  eachRow(counts: MinuteCounts, take: (row: number, isWritten: boolean) => void): void {
    this.eachCell(counts, (row, at) => {
      const { versions } = this;
      take(
        row,
        versions[at] === receivedOf(counts, row) &&
          versions[at + 1] === counts.counts[row] &&
          versions[at + 2] === counts.valued[row] &&
          versions[at + 3] === counts.sumHigh[row] &&
          versions[at + 4] === counts.sumLow[row] &&
          versions[at + 5] === counts.lastMsInMinute[row],
      );
    });
  }

  write(counts: MinuteCounts): void {
    this.eachCell(counts, (row, at) => {
      const { versions } = this;
      if (Number.isNaN(versions[at])) this.cells++;
      versions[at] = receivedOf(counts, row);
      versions[at + 1] = counts.counts[row]!;
      versions[at + 2] = counts.valued[row]!;
      versions[at + 3] = counts.sumHigh[row]!;
      versions[at + 4] = counts.sumLow[row]!;
      versions[at + 5] = counts.lastMsInMinute[row]!;
    });
  }

  /** Calls `take` for each row, with the position of its cell's version. */
  private eachCell(counts: MinuteCounts, take: (row: number, at: number) => void): void {
    const { videos, types } = this.names.numbersOf(textSpans(counts.videos), textSpans(counts.types));
    for (let row = 0; row < counts.counts.length; row++) {
      const cell = this.table.cell(videos[counts.videoIndex[row]!]!, types[counts.typeIndex[row]!]!);
      const at = cell * VERSION_NUMBERS;
      if (at === this.versions.length) {
        this.versions = grown(this.versions, new Float64Array(this.versions.length * 2).fill(Number.NaN));
      }
      take(row, at);
    }
  }
}

/**
 * The state of each cell that this process wrote last, bounded: the minutes written longest ago are forgotten, and then
 * written again.
 */
export class WrittenCells {
  private readonly minutes = new Map<number, WrittenMinute>();
  private cells = 0;

  constructor(private readonly maxCells: number) {}

  /** Returns the rows whose state differs from the last written one, or that were never written. */
  grown(counts: MinuteCounts): number[] {
    const known = this.minutes.get(counts.minute);
    if (known === undefined) return Array.from(counts.counts, (_, row) => row);
    const rows: number[] = [];
    known.eachRow(counts, (row, isWritten) => {
      if (!isWritten) rows.push(row);
    });
    return rows;
  }

  remember(counts: MinuteCounts): void {
    const known = this.minutes.get(counts.minute) ?? new WrittenMinute();
    this.minutes.delete(counts.minute);
    this.minutes.set(counts.minute, known);
    this.cells -= known.cells;
    known.write(counts);
    this.cells += known.cells;
    for (const [minute, { cells }] of this.minutes) {
      if (this.cells <= this.maxCells) break;
      this.minutes.delete(minute);
      this.cells -= cells;
    }
  }
}

const receivedOf = ({ received, counts }: MinuteCounts, row: number): number => (received ?? counts)[row]!;
