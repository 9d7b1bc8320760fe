// SPDX-License-Identifier: Apache-2.0
/** The cells of many videos and times as columns, from which roll-ups and exports are written. */
import type { MinuteCounts } from "../../../domain/columns/minute-counts";
import { type Sums, sumOf } from "../../../domain/rules/cell-sums";
import { MINUTE_MS } from "../../../domain/rules/time";

/** One cell, in the form in which it is added and read. */
export interface TimedCell extends Sums {
  videoId: string;
  eventType: string;
  startMs: number;
  revision: number;
}

const FIRST_ROWS = 1_024;

/** The columns grow by doubling: about 60 bytes per cell, and each video's name once. */
export class CellColumns {
  readonly videos: string[] = [];
  readonly types: string[] = [];
  length = 0;
  videoIndex = new Uint32Array(FIRST_ROWS);
  typeIndex = new Uint32Array(FIRST_ROWS);
  startMs = new Float64Array(FIRST_ROWS);
  counts = new Float64Array(FIRST_ROWS);
  valued = new Float64Array(FIRST_ROWS);
  /** sum = sumHigh * 2^64 + sumLow. */
  sumLow = new BigInt64Array(FIRST_ROWS);
  sumHigh = new BigInt64Array(FIRST_ROWS);
  revisions = new Float64Array(FIRST_ROWS);
  private readonly videoOf = new Map<string, number>();
  private readonly typeOf = new Map<string, number>();

  add(cell: TimedCell): void {
    const row = this.length++;
    if (row === this.counts.length) this.grow();
    this.videoIndex[row] = indexOf(cell.videoId, this.videos, this.videoOf);
    this.typeIndex[row] = indexOf(cell.eventType, this.types, this.typeOf);
    this.startMs[row] = cell.startMs;
    this.counts[row] = cell.count;
    this.valued[row] = cell.valued;
    const low = BigInt.asIntN(64, cell.sum);
    this.sumLow[row] = low;
    this.sumHigh[row] = (cell.sum - low) >> 64n;
    this.revisions[row] = cell.revision;
  }

  cell(row: number): TimedCell {
    return {
      videoId: this.videos[this.videoIndex[row]!]!,
      eventType: this.types[this.typeIndex[row]!]!,
      startMs: this.startMs[row]!,
      count: this.counts[row]!,
      valued: this.valued[row]!,
      sum: (this.sumHigh[row]! << 64n) + this.sumLow[row]!,
      revision: this.revisions[row]!,
    };
  }

  /** Returns the rows by videoId, event type and time. */
  sorted(): Uint32Array {
    const videoRank = ranks(this.videos);
    const typeRank = ranks(this.types);
    return Uint32Array.from({ length: this.length }, (_, row) => row).sort(
      (a, b) =>
        videoRank[this.videoIndex[a]!]! - videoRank[this.videoIndex[b]!]! ||
        typeRank[this.typeIndex[a]!]! - typeRank[this.typeIndex[b]!]! ||
        this.startMs[a]! - this.startMs[b]!,
    );
  }

  /** Returns the cells with one row each: rows of the same video, type and time are added up. */
  merged(): CellColumns {
    const whole = new CellColumns();
    let last: TimedCell | undefined;
    for (const row of this.sorted()) {
      const cell = this.cell(row);
      const isSame =
        last?.startMs === cell.startMs && last.eventType === cell.eventType && last.videoId === cell.videoId;
      if (last !== undefined && !isSame) whole.add(last);
      last = last === undefined || !isSame ? cell : joined(last, cell);
    }
    if (last !== undefined) whole.add(last);
    return whole;
  }

  private grow(): void {
    const doubled = <A extends Uint32Array | Float64Array | BigInt64Array>(from: A, into: A): A => {
      (into as { set(values: unknown): void }).set(from);
      return into;
    };
    const rows = this.counts.length * 2;
    this.videoIndex = doubled(this.videoIndex, new Uint32Array(rows));
    this.typeIndex = doubled(this.typeIndex, new Uint32Array(rows));
    this.startMs = doubled(this.startMs, new Float64Array(rows));
    this.counts = doubled(this.counts, new Float64Array(rows));
    this.valued = doubled(this.valued, new Float64Array(rows));
    this.sumLow = doubled(this.sumLow, new BigInt64Array(rows));
    this.sumHigh = doubled(this.sumHigh, new BigInt64Array(rows));
    this.revisions = doubled(this.revisions, new Float64Array(rows));
  }
}

type Summed = Pick<TimedCell, "count" | "valued" | "sum" | "revision">;

/** Adds a cell of a roll-up and the cell's later events; every other field is the roll-up's. */
export const joined = <C extends Summed>(base: C, later: Summed): C => ({
  ...base,
  ...sumOf(base, later),
  revision: base.revision + later.revision,
});

function indexOf(name: string, names: string[], known: Map<string, number>): number {
  let index = known.get(name);
  if (index === undefined) {
    index = names.push(name) - 1;
    known.set(name, index);
  }
  return index;
}

/** Returns each name's rank among all names. Names are ASCII, so the order of UTF-16 is that of bytes. */
function ranks(names: readonly string[]): Uint32Array {
  const order = names.map((_, index) => index).sort((a, b) => (names[a]! < names[b]! ? -1 : 1));
  const ranked = new Uint32Array(names.length);
  for (const [rank, index] of order.entries()) ranked[index] = rank;
  return ranked;
}

/** Yields the cells of a minute for the wanted videos. */
export function* cellsOfMinute(
  minute: MinuteCounts,
  isWanted: (videoId: string) => boolean,
): Generator<TimedCell, void, undefined> {
  const wanted = minute.videos.map(isWanted);
  for (let row = 0; row < minute.counts.length; row++) {
    if (!wanted[minute.videoIndex[row]!] || minute.counts[row] === 0) continue;
    yield {
      videoId: minute.videos[minute.videoIndex[row]!]!,
      eventType: minute.types[minute.typeIndex[row]!]!,
      startMs: minute.minute * MINUTE_MS,
      count: minute.counts[row]!,
      valued: minute.valued[row]!,
      sum: (BigInt(minute.sumHigh[row]!) << 32n) + BigInt(minute.sumLow[row]!),
      revision: minute.revisions?.[row] ?? 0,
    };
  }
}
