// SPDX-License-Identifier: Apache-2.0
import type { DatabaseSync } from "node:sqlite";
import { BlockReader, type Level, rowId } from "./block-tables";
import type { KeptCells } from "./kept-cells";

/** An entry, its place in a map, and the array around the bytes. */
const ENTRY_BYTES = 300;

/** The bytes of a row; undefined: there is none. `mark`: of the newest transaction that they know of. */
interface Entry {
  bytes: Uint8Array | undefined;
  mark: number;
}

/**
 * Keeps rows of blocks: a video that nobody has asked for yet is in the same rows as its 63 neighbours, and videos that
 * are counted from the beginning, which are read most, are neighbours. `cells` tells what has changed since; it has
 * looked on the snapshot of the caller. CounterReads reads single videos with it.
 */
export class KeptBlocks extends BlockReader {
  #young = new Map<string, Map<number, Entry>>();
  #old = new Map<string, Map<number, Entry>>();
  #youngBytes = 0;
  #forgotten = 0;

  constructor(
    db: DatabaseSync,
    private readonly cells: KeptCells,
    /** Of all kept rows, by estimate. */
    private readonly maxBytes: number,
  ) {
    super(db);
  }

  override run(level: Level, fromTime: number, toTime: number, bucket: number): Map<number, Uint8Array> {
    if (level === "total" || level === "recent") return super.run(level, fromTime, toTime, bucket);
    this.#startAnew();
    const rows = new Map<number, Uint8Array>();
    const name = `${level} ${bucket}`;
    let [first, end] = [toTime, fromTime];
    for (let time = fromTime; time < toTime; time++) {
      const entry = this.#kept(name, time);
      if (entry === undefined || this.cells.hasChanged(level, time, entry.mark)) {
        if (time < first) first = time;
        end = time + 1;
      } else if (entry.bytes !== undefined) rows.set(rowId(time, bucket), entry.bytes);
    }
    if (first >= end) return rows;
    const stored = super.run(level, first, end, bucket);
    for (let time = first; time < end; time++) this.#keep(name, time, stored.get(rowId(time, bucket)));
    for (const [id, bytes] of stored) rows.set(id, bytes);
    this.#makeRoom();
    return rows;
  }

  #kept(name: string, time: number): Entry | undefined {
    const young = this.#young.get(name)?.get(time);
    if (young !== undefined) return young;
    const old = this.#old.get(name)?.get(time);
    if (old !== undefined) this.#put(name, time, old);
    return old;
  }

  #keep(name: string, time: number, bytes: Uint8Array | undefined): void {
    this.#put(name, time, { bytes, mark: this.cells.mark });
  }

  /** An entry that takes the place of another is counted twice until the generation ends. */
  #put(name: string, time: number, entry: Entry): void {
    let times = this.#young.get(name);
    if (times === undefined) {
      times = new Map();
      this.#young.set(name, times);
    }
    times.set(time, entry);
    this.#youngBytes += ENTRY_BYTES + (entry.bytes?.length ?? 0);
  }

  #makeRoom(): void {
    if (this.#youngBytes <= this.maxBytes / 2) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngBytes = 0;
  }

  /** Forgets all where the changes since are not known. */
  #startAnew(): void {
    if (this.#forgotten === this.cells.timesForgotten) return;
    this.#forgotten = this.cells.timesForgotten;
    this.#young.clear();
    this.#old.clear();
    this.#youngBytes = 0;
  }
}
