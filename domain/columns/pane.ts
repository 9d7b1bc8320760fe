// SPDX-License-Identifier: Apache-2.0
import { ID_BYTES } from "../event-identity";
import { MINUTE_MS } from "../rules/time";
import type { BatchRows } from "./batch-rows";
import { CellTable } from "./cell-table";
import type { EventBlock } from "./event-block";
import { ENTRY_WORDS, IdHash, IdTable } from "./id-table";
import { type NameTable, viewOf } from "./name-table";
import { type BatchNumbers, PaneNames } from "./pane-names";

/** The largest number of distinct events of a pane: tables hold an event's number + 1 in 32 bits with a sign. */
export const MAX_PANE_EVENTS = 2 ** 30;
/** A pane with more ids spreads them over PARTS tables, each of which fits into a processor's second cache. */
const SPLIT_EVENTS = 8_192;
const PART_BITS = 6;
const PARTS = 2 ** PART_BITS;
/** Rows that wait for one table, so that the table's memory is fetched once for all of them. */
const WAITING_ROWS = 4_096;

/** The words of the waiting rows of one table, with a gap: tables that fill evenly would else share cache sets. */
const PART_WORDS = WAITING_ROWS * ENTRY_WORDS + 80;
/** Rows that are taken through all passes at once. */
const CHUNK_ROWS = 512;
/** The cells of the rows of the current chunk. */
const foundCells = new Uint32Array(CHUNK_ROWS);

/** Rows of one minute to be added. */
interface Rows {
  /** Sixteen bytes a row. */
  ids: DataView;
  numbers: BatchNumbers;
  videoIndex: Uint32Array;
  typeIndex: Uint32Array | Uint16Array;
  times: Float64Array | Uint16Array;
  /** Subtracted from `times`. */
  startMs: number;
  values: Float64Array | undefined;
  /** The rows to add; where it is absent, the first `count` rows. */
  picked: Uint32Array | undefined;
  count: number;
}

/** Rows between batches and tables. All panes of the process share this memory and take turns. */
class WaitingRows {
  owner: Pane | undefined;
  readonly sizes = new Int32Array(PARTS);
  /** PART_WORDS words for each part: WAITING_ROWS rows of ENTRY_WORDS words. */
  readonly rows = new Uint32Array(PARTS * PART_WORDS);
  /** The value of each row; NaN where the row has none. Filled only while `hasValues` is set. */
  values = new Float64Array(0);
  hasValues = false;

  expectValues(): void {
    if (this.hasValues) return;
    if (this.values.length === 0) this.values = new Float64Array(PARTS * WAITING_ROWS);
    this.sizes.forEach((size, part) => {
      this.values.fill(Number.NaN, part * WAITING_ROWS, part * WAITING_ROWS + size);
    });
    this.hasValues = true;
  }
}

let shared: WaitingRows | undefined;

/**
 * The state of one dedup partition in one minute: the set of its distinct events and their counts by (video, type). It
 * corresponds to a Beam pane of an accumulating window, and only grows. An event is its id, video and type. Of repeats
 * with different values the largest counts, and a repeat without a value never replaces a value, so that (count,
 * valued, sum, last) orders panes. Rows are counted as received at once, while their ids wait: all ids of one table (a
 * radix partition of the hash) are looked up together, from the cache. A cell's count is its received events minus the
 * repeats that the tables found. docs/decisions/0025-kernel.md has the figures. The dedup step of the stream keeps one
 * pane for each partition and minute (transforms/dedupe-by-event-id.ts).
 */
export class Pane {
  /** Received events, repeats included. */
  received = 0;
  readonly names: PaneNames;
  private readonly table: CellTable;
  private readonly hash: IdHash;
  private parts: IdTable[];
  private distinctIds = 0;
  private reused = 0;
  private waiting = 0;

  /**
   * `seed`: eight random words, the same for the life of the process and unknown to clients. `names`: shared with other
   * panes. `splitEvents`: the number of distinct events from which on there is a table for each radix.
   */
  constructor(
    seed: Uint32Array,
    names: PaneNames = new PaneNames(seed),
    private readonly splitEvents = SPLIT_EVENTS,
  ) {
    this.names = names;
    this.hash = new IdHash(seed);
    this.table = new CellTable(seed[2]!);
    this.parts = [new IdTable(this.hash)];
  }

  get videos(): NameTable {
    return this.names.videos;
  }

  get types(): NameTable {
    return this.names.types;
  }

  /** The counts of all received events. The columns are valid until more events are added. */
  get cells(): CellTable {
    this.settle();
    return this.table;
  }

  /** The number of distinct events. */
  get distinct(): number {
    this.settle();
    return this.distinctIds;
  }

  /**
   * The number of ids that were received with more than one video or type, counted once for each further (video, type).
   */
  get reusedIds(): number {
    this.settle();
    return this.reused;
  }

  /** The bytes held, approximately, for bounds; the names are not included. */
  get sizeBytes(): number {
    this.settle();
    return this.parts.reduce((sum, part) => sum + part.sizeBytes, 0) + this.table.size * 60;
  }

  /** The steps beyond the first that look-ups of ids take, as in NameTable. */
  get detours(): number {
    this.settle();
    return this.parts.reduce((sum, part) => sum + part.detours, 0);
  }

  addBlock(block: EventBlock): void {
    const { count, values, videoIndex, msInMinute, typeIndex } = block;
    const ids = viewOf(block.ids);
    const numbers = this.names.numbersOf(block.videos, block.types);
    const rest = { videoIndex, typeIndex, times: msInMinute, startMs: 0, values, picked: undefined, count };
    this.add({ ids, numbers, ...rest });
  }

  /** Adds rows that all belong to `minute`. */
  addRows({ batch, rows }: BatchRows, minute: number): void {
    const { columns, ids } = batch;
    const { videoIndex, typeIndex, timesMs, values } = columns;
    const numbers = batch.numbersIn(this.names);
    const count = rows === undefined ? columns.count : rows.length;
    const startMs = minute * MINUTE_MS;
    this.add({ ids, numbers, videoIndex, typeIndex, times: timesMs, startMs, values, picked: rows, count });
  }

  private add(rows: Rows): void {
    if (this.distinctIds + this.waiting + rows.count > MAX_PANE_EVENTS) {
      throw new RangeError(`a pane holds at most ${MAX_PANE_EVENTS} events: raise the number of dedup partitions`);
    }
    const waiting = this.takeTurn();
    this.received += rows.count;
    this.waiting += rows.count;
    if (rows.values !== undefined) waiting.expectValues();
    this.spread(rows, waiting);
  }

  private takeTurn(): WaitingRows {
    shared ??= new WaitingRows();
    if (shared.owner !== this) {
      shared.owner?.settle();
      shared.owner = this;
    }
    return shared;
  }

  /**
   * Counts rows as received and queues their ids for their tables, some hundred rows at a time: one pass finds the
   * cells, one counts, one queues. Each pass has few things to wait for, so that the processor waits for the cache
   * lines of several rows at once.
   */
  private spread(rows: Rows, waiting: WaitingRows): void {
    for (let from = 0; from < rows.count; from += CHUNK_ROWS) {
      const to = Math.min(from + CHUNK_ROWS, rows.count);
      this.find(rows, from, to);
      this.receive(rows, from, to);
      this.queue(rows, from, to, waiting);
    }
  }

  private find({ numbers, videoIndex, typeIndex, picked }: Rows, from: number, to: number): void {
    const { videos, types } = numbers;
    const { table } = this;
    for (let i = from; i < to; i++) {
      const row = picked === undefined ? i : picked[i]!;
      foundCells[i - from] = table.cell(videos[videoIndex[row]!]!, types[typeIndex[row]!]!);
    }
  }

  private receive({ times, startMs, picked }: Rows, from: number, to: number): void {
    const { received, lastMs } = this.table;
    for (let i = from; i < to; i++) {
      const row = picked === undefined ? i : picked[i]!;
      const cell = foundCells[i - from]!;
      received[cell]!++;
      const ms = times[row]! - startMs;
      if (ms > lastMs[cell]!) lastMs[cell] = ms;
    }
  }

  private queue({ ids, values, picked }: Rows, from: number, to: number, waiting: WaitingRows): void {
    const { hash } = this;
    const { sizes, rows: into, values: intoValues, hasValues } = waiting;
    let mask = this.parts.length - 1;
    for (let i = from; i < to; i++) {
      const row = picked === undefined ? i : picked[i]!;
      const at = row * ID_BYTES;
      const a = ids.getUint32(at, true);
      const b = ids.getUint32(at + 4, true);
      const c = ids.getUint32(at + 8, true);
      const d = ids.getUint32(at + 12, true);
      const part = (hash.of(a, b, c, d) >>> (32 - PART_BITS)) & mask;
      const size = sizes[part]!++;
      const place = part * PART_WORDS + size * ENTRY_WORDS;
      into[place] = a;
      into[place + 1] = b;
      into[place + 2] = c;
      into[place + 3] = d;
      into[place + 4] = foundCells[i - from]!;
      if (hasValues) intoValues[part * WAITING_ROWS + size] = values === undefined ? Number.NaN : values[row]!;
      if (size === WAITING_ROWS - 1) {
        this.settlePart(part, waiting);
        mask = this.parts.length - 1;
      }
    }
  }

  /** Looks up every id that waits. */
  private settle(): void {
    if (this.waiting === 0 || shared?.owner !== this) return;
    for (let part = 0; part < PARTS; part++) if (shared.sizes[part]! > 0) this.settlePart(part, shared);
    shared.hasValues = false;
    shared.owner = undefined;
    this.waiting = 0;
  }

  private settlePart(part: number, waiting: WaitingRows): void {
    const count = waiting.sizes[part]!;
    waiting.sizes[part] = 0;
    const into = this.parts[part]!;
    into.reserve(count);
    const before = into.size;
    this.lookUp(into, part, count, waiting);
    this.distinctIds += into.size - before;
    this.waiting -= count;
    if (this.parts.length === 1 && into.size > this.splitEvents) this.split();
  }

  private lookUp(into: IdTable, part: number, count: number, { rows, values, hasValues }: WaitingRows): void {
    const { entries, slots } = into;
    const { hash } = this;
    const { duplicates } = this.table;
    const mask = slots.length - 1;
    const firstValue = part * WAITING_ROWS;
    let size = into.size;
    for (let i = 0, from = part * PART_WORDS; i < count; i++, from += ENTRY_WORDS) {
      const a = rows[from]!;
      const b = rows[from + 1]!;
      const c = rows[from + 2]!;
      const d = rows[from + 3]!;
      const cell = rows[from + 4]!;
      let slot = hash.of(a, b, c, d) & mask;
      let other = -1;
      let known = -1;
      for (let entry = slots[slot]!; entry !== 0; entry = slots[slot]!) {
        const at = (entry - 1) * ENTRY_WORDS;
        if (entries[at + 3] === d && entries[at] === a && entries[at + 1] === b && entries[at + 2] === c) {
          const its = entries[at + 4]!;
          if (its === cell) {
            known = entry - 1;
            break;
          }
          other = other === -1 ? its : this.firstByName(other, its);
        }
        slot = (slot + 1) & mask;
      }
      if (known !== -1) {
        duplicates[cell]!++;
        if (hasValues) this.repeat(into, known, cell, values[firstValue + i]!);
        continue;
      }
      if (other !== -1) this.reuse(other, cell);
      const at = size * ENTRY_WORDS;
      entries[at] = a;
      entries[at + 1] = b;
      entries[at + 2] = c;
      entries[at + 3] = d;
      entries[at + 4] = cell;
      slots[slot] = ++size;
      if (hasValues) this.value(into, size - 1, cell, values[firstValue + i]!);
    }
    into.size = size;
  }

  private value(into: IdTable, entry: number, cell: number, value: number): void {
    if (Number.isNaN(value)) return;
    into.valueColumn()[entry] = value;
    const values = this.table.withValues();
    values.valued[cell]!++;
    values.add(cell, value);
  }

  /** A repeated event keeps the larger value; no value is less than any value. */
  private repeat(into: IdTable, entry: number, cell: number, value: number): void {
    if (Number.isNaN(value)) return;
    const stored = into.values === undefined ? Number.NaN : into.values[entry]!;
    if (value <= stored) return;
    const values = this.table.withValues();
    if (Number.isNaN(stored)) values.valued[cell]!++;
    else values.add(cell, stored, -1);
    values.add(cell, value);
    into.valueColumn()[entry] = value;
  }

  /**
   * Books the reuse of an id. The id's first (video, type) in the order of names has none of the reuses, whatever order
   * the events arrived in.
   */
  private reuse(other: number, cell: number): void {
    this.reused++;
    const its = this.firstByName(other, cell) === cell ? other : cell;
    this.table.reused.set(its, (this.table.reused.get(its) ?? 0) + 1);
  }

  private firstByName(a: number, b: number): number {
    const { videos, types, table } = this;
    if (table.video[a] === table.video[b]) return types.text(table.type[a]!) < types.text(table.type[b]!) ? a : b;
    return videos.text(table.video[a]!) < videos.text(table.video[b]!) ? a : b;
  }

  /** Splits one table into PARTS tables. */
  private split(): void {
    const { entries, values, size } = this.parts[0]!;
    const parts = Array.from({ length: PARTS }, () => new IdTable(this.hash));
    const sizes = new Uint32Array(PARTS);
    const partOf = (at: number) =>
      this.hash.of(entries[at]!, entries[at + 1]!, entries[at + 2]!, entries[at + 3]!) >>> (32 - PART_BITS);
    for (let at = 0; at < size * ENTRY_WORDS; at += ENTRY_WORDS) sizes[partOf(at)]!++;
    parts.forEach((part, number) => {
      part.reserve(sizes[number]!);
    });
    for (let entry = 0, at = 0; entry < size; entry++, at += ENTRY_WORDS) {
      parts[partOf(at)]!.append(entries.subarray(at, at + ENTRY_WORDS), values?.[entry] ?? Number.NaN);
    }
    this.parts = parts;
  }
}

/**
 * Returns the dedup partition of an id, for `partitions` >= 1. The hash has no seed, because every worker must find the
 * same partition. A client can choose ids that all fall into one partition. Such ids cost as much as they would with a
 * single partition and no more, because the partition's pane is seeded and its blocks are bounded.
 */
export function partitionOf(a: number, b: number, c: number, d: number, partitions: number): number {
  if (partitions === 1) return 0;
  let h = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b);
  h = Math.imul((h ^ (h >>> 15)) + b, 0xc2b2ae35);
  h = Math.imul((h ^ (h >>> 13)) + c, 0x27d4eb2f);
  h = Math.imul((h ^ (h >>> 16)) + d, 0x165667b1);
  return ((h ^ (h >>> 15)) >>> 0) % partitions;
}
