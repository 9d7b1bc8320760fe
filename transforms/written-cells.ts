// SPDX-License-Identifier: Apache-2.0
import { CellTable } from "../domain/columns/cell-table";
import type { MinuteCounts } from "../domain/columns/minute-counts";
import { grown, textSpans } from "../domain/columns/name-table";
import { PaneNames } from "../domain/columns/pane-names";
import { hashSeed } from "./hash-seed";

/** Rows of `counts` of which more came since they were last written, repeats included. */
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
 * All that orders the states of a cell, whatever the store: `received` too. A job that went back to a checkpoint, or a
 * second one, counts the same events in another order; where its state of a cell received more and has fewer distinct
 * events than what was written here, it may stand in the store, and only the larger `received` of a later state here
 * takes its place.
 */
const VERSION_NUMBERS = 6;

/** What was last written of a minute's cells, by column: no text and no object a cell. */
class WrittenMinute {
  /** Cells that were written. */
  cells = 0;
  private readonly names = new PaneNames(hashSeed);
  private readonly table = new CellTable(hashSeed[2]!);
  /** VERSION_NUMBERS a cell, of which the first is NaN where nothing was written of it. */
  private versions = new Float64Array(64 * VERSION_NUMBERS).fill(Number.NaN);

  /** `take` gets each row, and whether exactly this was written of its cell. */
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

  /** `take` gets each row, and where its cell's version is. */
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
 * What this process last wrote of each cell, bounded: the minutes written longest ago are forgotten (and then written
 * again).
 */
export class WrittenCells {
  private readonly minutes = new Map<number, WrittenMinute>();
  private cells = 0;

  constructor(private readonly maxCells: number) {}

  /** Rows of which something else was written, or nothing. */
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
