// SPDX-License-Identifier: Apache-2.0
/**
 * Cells of single videos that a reader has read and keeps in memory. Those of times that a writer has changed since
 * (cell-changes.ts) are read again, and no others: of the hours of a quarter only the last one or two. CounterReads
 * answers `read` from it.
 */
import type { DatabaseSync } from "node:sqlite";
import type { Cell } from "../ports";
import { UNIT_MS } from "./block-tables";
import { CellChangesReader, type TimeLevel } from "./cell-changes";
import { CommitsOfOthers } from "./commits-of-others";
import { COUNTERS_FILE } from "./counter-file";

/** The times of a chunk. */
const TIMES = 64;
/** An object, its numbers, and its place in a map. */
const CHUNK_BYTES = TIMES * 8 + 400;
const FULL_CELL_BYTES = 250;
/** The chunks of time whose changes are remembered: two days of minutes, and some years of hours, have less. */
const MOST_CHANGED = 2_048;
/** Longer reads are not kept. */
const MOST_TIMES = 4_096;
/** Known cells between two missing ones are read again with them where they are few: it is one statement less. */
const JOINED_GAP = 8;

const UNKNOWN = Number.NaN;
const IN_FULL = -1;

/** Some cells of one video and type: nearly all have a count alone. */
class Chunk {
  /** The count; 0: no cell; NaN: unknown; -1: the cell is in `full`. */
  readonly counts = new Float64Array(TIMES).fill(UNKNOWN);
  full: Map<number, Cell> | undefined;

  /** `mark`: of the newest transaction that the numbers know of. */
  constructor(public mark: number) {}
}

/** The marks of the last transactions that changed the times of a chunk. */
interface Changed {
  marks: Float64Array;
  latest: number;
}

export interface TimeRange {
  level: TimeLevel;
  /** The video and its type. */
  key: string;
  from: number;
  to: number;
}

export class KeptCells {
  readonly #changes: CellChangesReader;
  readonly #commits: CommitsOfOthers;
  /** SQLite's version of the file at the last look; undefined: never looked, or the look has failed. */
  #version: number | undefined;
  #mark = -1;
  #tiers = -1;
  #timesForgotten = 0;
  #changed = new Map<string, Changed>();
  #young = new Map<string, Chunk>();
  #old = new Map<string, Chunk>();
  #youngBytes = 0;
  /** The reads under way: one may read another level on its way. */
  #reading = 0;

  /** `maxBytes`: of all kept cells, by estimate. */
  constructor(
    db: DatabaseSync,
    private readonly maxBytes: number,
  ) {
    this.#changes = new CellChangesReader(db);
    this.#commits = new CommitsOfOthers(db, COUNTERS_FILE);
  }

  /** The newest transaction that is known. */
  get mark(): number {
    return this.#mark;
  }

  /** Grows when the changes since are not known, and nothing that was read before may be used. */
  get timesForgotten(): number {
    return this.#timesForgotten;
  }

  /** Returns whether a time was changed by a later transaction than this one. */
  hasChanged(level: TimeLevel, time: number, mark: number): boolean {
    const index = Math.floor(time / TIMES);
    const changed = mark === this.#mark ? undefined : this.#changed.get(`${level} ${index}`);
    return changed !== undefined && changed.latest > mark && changed.marks[time - index * TIMES]! > mark;
  }

  /**
   * Returns the cells of a range where all are kept and nothing was committed since the last look: they are what the
   * file holds now. Needs no snapshot.
   */
  now(range: TimeRange): Cell[] | undefined {
    if (range.to - range.from > MOST_TIMES || this.#version === undefined) return undefined;
    if (this.#commits.count() !== this.#version) return undefined;
    const cells: Cell[] = [];
    let known = true;
    this.#eachChunk(range, (index, from, to) => {
      const chunk = this.#kept(nameOf(range, index));
      known = known && chunk !== undefined && this.#isKnown(range.level, chunk, index, from, to);
      if (known) addCells(cells, range.level, chunk!, index, from, to);
    });
    return known ? cells : undefined;
  }

  /**
   * Learns what has changed, on a snapshot that begins with it. `tiers`: the version of the roll-ups' state; with it
   * cells appear and disappear that no writer has changed.
   */
  look(tiers: number): void {
    this.#version = undefined;
    const version = this.#commits.count();
    const mark = this.#mark < 0 || tiers !== this.#tiers ? undefined : this.#newest();
    if (mark === undefined || this.#changed.size > MOST_CHANGED) this.#forget();
    this.#mark = mark ?? this.#changes.last();
    this.#tiers = tiers;
    this.#version = version;
  }

  #newest(): number | undefined {
    return this.#changes.since(this.#mark, (level, time, mark) => {
      const index = Math.floor(time / TIMES);
      const name = `${level} ${index}`;
      let changed = this.#changed.get(name);
      if (changed === undefined) {
        changed = { marks: new Float64Array(TIMES), latest: mark };
        this.#changed.set(name, changed);
      }
      changed.marks[time - index * TIMES] = mark;
      changed.latest = mark;
    });
  }

  /**
   * Returns the cells of a range, of which `read` reads those that are missing, perhaps with what is kept of another
   * level. The caller has looked before.
   */
  read(range: TimeRange, read: (from: number, to: number) => Cell[]): Cell[] {
    if (range.to - range.from > MOST_TIMES) return read(range.from, range.to);
    this.#reading++;
    try {
      return this.#read(range, read);
    } finally {
      // The chunks of a read under way stay.
      if (--this.#reading === 0) this.#makeRoom();
    }
  }

  #read(range: TimeRange, read: (from: number, to: number) => Cell[]): Cell[] {
    const missing: { from: number; to: number }[] = [];
    this.#eachChunk(range, (index, from, to) => {
      const chunk = this.#chunkOf(range, index);
      this.#refresh(range.level, chunk, index);
      for (let inside = from; inside < to; inside++) {
        if (!Number.isNaN(chunk.counts[inside])) continue;
        const time = index * TIMES + inside;
        const last = missing.at(-1);
        if (last !== undefined && time - last.to <= JOINED_GAP) last.to = time + 1;
        else missing.push({ from: time, to: time + 1 });
      }
    });
    for (const { from, to } of missing) this.#fill({ ...range, from, to }, read(from, to));
    const cells: Cell[] = [];
    this.#eachChunk(range, (index, from, to) => {
      addCells(cells, range.level, this.#chunkOf(range, index), index, from, to);
    });
    return cells;
  }

  #fill(range: TimeRange, cells: readonly Cell[]): void {
    const unitMs = UNIT_MS[range.level];
    this.#eachChunk(range, (index, from, to) => this.#chunkOf(range, index).counts.fill(0, from, to));
    for (const cell of cells) {
      const time = cell.startMs / unitMs;
      const index = Math.floor(time / TIMES);
      const chunk = this.#chunkOf(range, index);
      const inside = time - index * TIMES;
      const { count, sum, valued, revision } = cell;
      const isPlain = sum === 0n && valued === 0 && revision === 0;
      chunk.counts[inside] = isPlain ? count : IN_FULL;
      if (isPlain) continue;
      chunk.full ??= new Map();
      if (!chunk.full.has(inside)) this.#youngBytes += FULL_CELL_BYTES;
      chunk.full.set(inside, cell);
    }
  }

  /** Forgets the cells of a chunk that have changed since they were read. */
  #refresh(level: TimeLevel, chunk: Chunk, index: number): void {
    const changed = this.#changed.get(`${level} ${index}`);
    if (changed !== undefined && changed.latest > chunk.mark)
      for (let inside = 0; inside < TIMES; inside++)
        if (changed.marks[inside]! > chunk.mark) chunk.counts[inside] = UNKNOWN;
    chunk.mark = this.#mark;
  }

  #isKnown(level: TimeLevel, chunk: Chunk, index: number, from: number, to: number): boolean {
    this.#refresh(level, chunk, index);
    for (let inside = from; inside < to; inside++) if (Number.isNaN(chunk.counts[inside])) return false;
    return true;
  }

  #eachChunk({ from, to }: TimeRange, visit: (index: number, from: number, to: number) => void): void {
    for (let index = Math.floor(from / TIMES); index * TIMES < to; index++) {
      const first = index * TIMES;
      visit(index, Math.max(from - first, 0), Math.min(to - first, TIMES));
    }
  }

  /** The chunk as the young generation has it. */
  #kept(name: string): Chunk | undefined {
    const young = this.#young.get(name);
    if (young !== undefined) return young;
    const old = this.#old.get(name);
    if (old === undefined) return undefined;
    this.#old.delete(name);
    this.#add(name, old);
    return old;
  }

  #chunkOf(range: TimeRange, index: number): Chunk {
    const name = nameOf(range, index);
    const kept = this.#kept(name);
    if (kept !== undefined) return kept;
    const chunk = new Chunk(this.#mark);
    this.#add(name, chunk);
    return chunk;
  }

  #add(name: string, chunk: Chunk): void {
    this.#young.set(name, chunk);
    this.#youngBytes += CHUNK_BYTES + (chunk.full?.size ?? 0) * FULL_CELL_BYTES;
  }

  /** Chunks that were asked for neither now nor in the generation before are forgotten. */
  #makeRoom(): void {
    if (this.#youngBytes <= this.maxBytes / 2) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngBytes = 0;
  }

  #forget(): void {
    this.#young.clear();
    this.#old.clear();
    this.#changed.clear();
    this.#youngBytes = 0;
    this.#timesForgotten++;
  }
}

const nameOf = ({ level, key }: TimeRange, index: number): string => `${level} ${key} ${index}`;

function addCells(into: Cell[], level: TimeLevel, chunk: Chunk, index: number, from: number, to: number): void {
  const unitMs = UNIT_MS[level];
  for (let inside = from; inside < to; inside++) {
    const count = chunk.counts[inside]!;
    if (count === 0) continue;
    if (count === IN_FULL) into.push(chunk.full!.get(inside)!);
    else into.push({ startMs: (index * TIMES + inside) * unitMs, count, sum: 0n, valued: 0, revision: 0 });
  }
}
