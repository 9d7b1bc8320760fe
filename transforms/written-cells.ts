import type { MinuteCounts } from "../domain/columns/minute-counts";

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
 * All that orders the states of a cell, whatever the store: `received` too. A job that went back to a checkpoint, or a second one, counts the same
 * events in another order; where its state of a cell received more and has fewer distinct events than what was written here, it may stand in the
 * store, and only the larger `received` of a later state here takes its place.
 */
interface Version {
  received: number;
  count: number;
  valued: number;
  sumHigh: number;
  sumLow: number;
  lastMs: number;
}

/** What this process last wrote of each cell, bounded: the minutes written longest ago are forgotten (and then written again). */
export class WrittenCells {
  private readonly minutes = new Map<number, Map<string, Version>>();
  private cells = 0;

  constructor(private readonly maxCells: number) {}

  grown(counts: MinuteCounts): number[] {
    const known = this.minutes.get(counts.minute);
    const rows: number[] = [];
    for (let row = 0; row < counts.counts.length; row++) {
      const version = known?.get(nameOf(counts, row));
      if (
        version === undefined ||
        version.received !== receivedOf(counts, row) ||
        version.count !== counts.counts[row] ||
        version.valued !== counts.valued[row] ||
        version.sumHigh !== counts.sumHigh[row] ||
        version.sumLow !== counts.sumLow[row] ||
        version.lastMs !== counts.lastMsInMinute[row]
      ) {
        rows.push(row);
      }
    }
    return rows;
  }

  remember(counts: MinuteCounts): void {
    const known = this.minutes.get(counts.minute) ?? new Map<string, Version>();
    this.minutes.delete(counts.minute);
    this.minutes.set(counts.minute, known);
    this.cells -= known.size;
    for (let row = 0; row < counts.counts.length; row++) {
      known.set(nameOf(counts, row), {
        received: receivedOf(counts, row),
        count: counts.counts[row]!,
        valued: counts.valued[row]!,
        sumHigh: counts.sumHigh[row]!,
        sumLow: counts.sumLow[row]!,
        lastMs: counts.lastMsInMinute[row]!,
      });
    }
    this.cells += known.size;
    for (const [minute, cells] of this.minutes) {
      if (this.cells <= this.maxCells) break;
      this.minutes.delete(minute);
      this.cells -= cells.size;
    }
  }

  /** Forgets minutes, as when the store behind them may have been changed. */
  forget(minutes: Iterable<number>): void {
    for (const minute of minutes) {
      this.cells -= this.minutes.get(minute)?.size ?? 0;
      this.minutes.delete(minute);
    }
  }
}

const receivedOf = ({ received, counts }: MinuteCounts, row: number): number => (received ?? counts)[row]!;

const nameOf = (counts: MinuteCounts, row: number): string =>
  `${counts.videos[counts.videoIndex[row]!]!} ${counts.types[counts.typeIndex[row]!]!}`;
