// SPDX-License-Identifier: Apache-2.0
/**
 * The tables of blocks (cell-block.ts), one a level. A row's id is time * 2^25 + bucket, where time counts minutes,
 * hours or days since 1970 (0 in totals) and a bucket is 64 neighbouring videos: one time is one range of rows, written
 * from left to right and deleted in one piece. Every read and write of counters in this folder goes through it.
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../domain/rules/time";
import { isRanked, RankWriter } from "./bucket-ranks";
import {
  Block,
  type CellBytes,
  COUNT,
  checkedEnd,
  decodeBlock,
  decodeCells,
  encodeCells,
  KEY,
  sealed,
  VIDEOS_A_BLOCK,
  WIDTH,
} from "./cell-block";
import type { CellChanges } from "./cell-changes";
import { COUNTERS_FILE } from "./counter-file";
import { type HeldBlock, HeldBlocks, HeldSpace } from "./held-blocks";

/**
 * A total is the sum of the cell in `total` and the cell in `recent`, which holds the few cells written since `total`
 * was (see `addRecent`).
 */
export type Level = "minute" | "hour" | "day" | "total" | "recent";
export const LEVELS: readonly Level[] = ["minute", "hour", "day", "total", "recent"];
export const UNIT_MS: Record<Level, number> = { minute: MINUTE_MS, hour: HOUR_MS, day: DAY_MS, total: 0, recent: 0 };

/** The number of buckets of a time; ids stay below 2^53. */
export const BUCKETS = 2 ** 25;
/** Times are in (-MAX_TIME, MAX_TIME): minutes until the year 2225. */
export const MAX_TIME = 2 ** 27;
const ROWS_A_STATEMENT = 16;
/** The times that are looked up at once. */
export const TIMES_AT_ONCE = 64;
/** Up to this number a statement for each time is faster: one for many binds TIMES_AT_ONCE ids, even for few times. */
const FEW_TIMES = 16;

export const bucketOf = (video: number): number => Math.floor(video / VIDEOS_A_BLOCK);

/** Returns the id of a row. Throws RangeError where the time or the bucket is beyond what an id holds. */
export function rowId(time: number, bucket: number): number {
  if (!(Math.abs(time) < MAX_TIME && bucket < BUCKETS)) {
    throw new RangeError(`no row for time ${time}, bucket ${bucket}: times are below 2^27, buckets below 2^25`);
  }
  return time * BUCKETS + bucket;
}

export const timeOf = (id: number): number => Math.floor(id / BUCKETS);
export const bucketOfRow = (id: number): number => id - timeOf(id) * BUCKETS;

function bounded(time: number): number {
  return Math.max(-MAX_TIME, Math.min(MAX_TIME, time)) * BUCKETS;
}

export function rowName(level: Level, id: number): string {
  const [time, first] = [timeOf(id), bucketOfRow(id) * VIDEOS_A_BLOCK];
  const at = UNIT_MS[level] === 0 ? "" : `${new Date(time * UNIT_MS[level]).toISOString()}, `;
  return (
    `${COUNTERS_FILE}: row ${id} of ${level}_blocks (${at}videos ${first} to ${first + VIDEOS_A_BLOCK - 1}; ` +
    `DELETE FROM ${level}_blocks WHERE id = ${id} and an audit with repair count it anew)`
  );
}

type PerLevel<T> = Record<Level, T>;
const each = <T>(make: (level: Level) => T): PerLevel<T> => ({
  minute: make("minute"),
  hour: make("hour"),
  day: make("day"),
  total: make("total"),
  recent: make("recent"),
});

/** The queries that both readers and writers ask of the tables. */
export class BlockReader {
  readonly #get: PerLevel<StatementSync>;
  readonly #many: PerLevel<StatementSync>;
  readonly #totals: StatementSync;
  readonly #range: PerLevel<StatementSync>;
  readonly #next: PerLevel<StatementSync>;
  readonly #last: PerLevel<StatementSync>;
  readonly #openHours: StatementSync;

  constructor(db: DatabaseSync) {
    const arrays = (sql: string) => {
      const statement = db.prepare(sql);
      statement.setReturnArrays(true);
      return statement;
    };
    this.#get = each((level) => arrays(`SELECT cells FROM ${level}_blocks WHERE id = ?`));
    const ids = Array(TIMES_AT_ONCE).fill("?").join(", ");
    this.#many = each((level) => arrays(`SELECT id, cells FROM ${level}_blocks WHERE id IN (${ids})`));
    this.#totals = arrays(
      `SELECT 'total', cells FROM total_blocks WHERE id = ?1 UNION ALL SELECT 'recent', cells FROM recent_blocks WHERE id = ?1`,
    );
    this.#range = each((level) => arrays(`SELECT id, cells FROM ${level}_blocks WHERE id >= ? AND id < ?`));
    this.#next = each((level) => arrays(`SELECT MIN(id) FROM ${level}_blocks WHERE id >= ? AND id < ?`));
    this.#last = each((level) => arrays(`SELECT MAX(id) FROM ${level}_blocks WHERE id >= ? AND id < ?`));
    this.#openHours = arrays("SELECT hour, next_bucket FROM open_hours ORDER BY hour");
  }

  bytes(level: Level, time: number, bucket: number): Uint8Array | undefined {
    const row = this.#get[level].get(rowId(time, bucket)) as unknown as [Uint8Array] | undefined;
    return row?.[0];
  }

  /** Returns a bucket's rows at times [fromTime, toTime), by id: at most TIMES_AT_ONCE times. */
  run(level: Level, fromTime: number, toTime: number, bucket: number): Map<number, Uint8Array> {
    if (toTime - fromTime <= FEW_TIMES) {
      const rows = new Map<number, Uint8Array>();
      for (let time = fromTime; time < toTime; time++) {
        const bytes = this.bytes(level, time, bucket);
        if (bytes !== undefined) rows.set(rowId(time, bucket), bytes);
      }
      return rows;
    }
    const ids = new Array<number>(TIMES_AT_ONCE).fill(rowId(fromTime, bucket));
    for (let time = fromTime; time < toTime; time++) ids[time - fromTime] = rowId(time, bucket);
    return new Map(this.#many[level].all(...ids) as unknown as [number, Uint8Array][]);
  }

  /** Returns the rows of a bucket's totals by one statement, and therefore of one moment. */
  totalRows(bucket: number): ["total" | "recent", Uint8Array][] {
    return this.#totals.all(rowId(0, bucket)) as unknown as ["total" | "recent", Uint8Array][];
  }

  /** Decodes the block into `into`; returns undefined when it is not stored. */
  read(level: Level, time: number, bucket: number, into: Block): Block | undefined {
    const bytes = this.bytes(level, time, bucket);
    return bytes && decodeBlock(bytes, into, () => rowName(level, rowId(time, bucket)));
  }

  /** Returns rows of one time, of buckets [fromBucket, toBucket), ascending. */
  rows(level: Level, time: number, fromBucket = 0, toBucket = BUCKETS): Iterable<[id: number, bytes: Uint8Array]> {
    const from = time * BUCKETS;
    return this.#range[level].iterate(from + fromBucket, from + toBucket) as unknown as Iterable<[number, Uint8Array]>;
  }

  /** Returns the first row of times [fromTime, toTime), by time and bucket. */
  next(level: Level, fromTime: number, toTime: number, fromBucket = 0): number | undefined {
    const row = this.#next[level].get(bounded(fromTime) + fromBucket, bounded(toTime)) as unknown as [number | null];
    return row[0] ?? undefined;
  }

  /** Returns the next time of [fromTime, toTime) that has rows. */
  nextTime(level: Level, fromTime: number, toTime: number): number | undefined {
    const id = this.next(level, fromTime, toTime);
    return id === undefined ? undefined : timeOf(id);
  }

  /** Returns the last time of [fromTime, toTime) that has rows. */
  lastTime(level: Level, fromTime: number, toTime: number): number | undefined {
    const [id] = this.#last[level].get(bounded(fromTime), bounded(toTime)) as unknown as [number | null];
    return id === null ? undefined : timeOf(id);
  }

  /** Returns the hours that may still be unfolded, with the bucket from which on they may be (hour-folds.ts). */
  openHours(): Map<number, number> {
    return new Map(this.#openHours.all() as unknown as [number, number][]);
  }
}

/**
 * The blocks of a writer: a transaction reads each once, and writes it once. Their bytes are kept for the next
 * transactions, as long as nobody else writes cells.
 */
export class BlockTables extends BlockReader {
  readonly #putMany: PerLevel<StatementSync>;
  readonly #putOne: PerLevel<StatementSync>;
  readonly #delete: PerLevel<StatementSync>;
  readonly #space = new HeldSpace();
  readonly #held = each(() => new HeldBlocks(this.#space));
  readonly #dirty = each((): HeldBlock[] => []);
  readonly #decoded: HeldBlock[] = [];
  readonly #empty = each(() => new Map<number, boolean>());
  readonly #free: Block[] = [];
  #freeNumbers = 0;
  readonly #ranks: RankWriter;
  /** The transaction that wrote cells last, and the version of the roll-ups, for which the held bytes are right. */
  #mark = Number.NaN;
  #version = Number.NaN;

  /** `changes`: told of every block that is written; absent while a file of before is packed. */
  constructor(
    db: DatabaseSync,
    private readonly changes?: CellChanges,
  ) {
    super(db);
    const put = (level: Level, rows: number) =>
      db.prepare(`INSERT OR REPLACE INTO ${level}_blocks (id, cells) VALUES ${Array(rows).fill("(?, ?)").join(", ")}`);
    this.#putMany = each((level) => put(level, ROWS_A_STATEMENT));
    this.#putOne = each((level) => put(level, 1));
    this.#delete = each((level) => db.prepare(`DELETE FROM ${level}_blocks WHERE id = ?`));
    this.#ranks = new RankWriter(db, (level, type, time, bucket) => this.#largestOf(level, type, time, bucket));
  }

  /**
   * Begins a transaction that may use the bytes of the last ones. They are forgotten where others have written cells
   * since, or rolled them up (`version`, of TierGuard).
   */
  begin(version: number): void {
    const mark = this.changes?.last();
    if (mark !== this.#mark || version !== this.#version || this.#space.isFull) this.#letGo();
    this.#mark = mark ?? Number.NaN;
    this.#version = version;
  }

  /** Begins a transaction that takes every block from the file. */
  beginAnew(): void {
    this.#letGo();
    this.#mark = Number.NaN;
  }

  /**
   * Returns the block as this transaction sees it. Its bytes may be given to `put`, and are not right where it is
   * decoded.
   */
  held(level: Level, time: number, bucket: number): HeldBlock {
    const known = this.#held[level].get(time, bucket);
    if (known !== undefined) return known;
    const bytes = this.isEmpty(level, time) ? undefined : this.bytes(level, time, bucket);
    if (bytes === undefined) return this.#held[level].hold(time, bucket);
    const end = checkedEnd(bytes, () => rowName(level, rowId(time, bucket)));
    return this.#held[level].hold(time, bucket, bytes, end);
  }

  /** Gives the block of a minute the bytes in which these cells, given as those of a block, have grown. */
  putGrown(held: HeldBlock, bytes: CellBytes, cells: Float64Array, count: number): void {
    this.#space.put(held, bytes);
    this.#touch("minute", held);
    this.#ranks.noteGrown("minute", held.time, held.bucket, cells, count);
  }

  /** Gives a block that is not decoded other bytes, to be written. */
  put(level: Level, held: HeldBlock, cells: CellBytes): void {
    this.#space.put(held, cells);
    this.#touch(level, held);
    if (isRanked(level)) this.#ranks.note(level, held.time, held.bucket, cells);
  }

  /** Returns the block as this transaction sees it, to be changed; the caller then calls `touch`. */
  load(level: Level, time: number, bucket: number): Block {
    const held = this.held(level, time, bucket);
    if (held.block === undefined) {
      held.block = decodeCells(held.bytes, held.length, this.#newBlock());
      this.#decoded.push(held);
    }
    return held.block;
  }

  /** Returns the block as this transaction sees it, to be read. `into` is filled where the block is not in memory. */
  look(level: Level, time: number, bucket: number, into: Block): Block | undefined {
    const held = this.#held[level].get(time, bucket);
    if (held === undefined) return this.isEmpty(level, time) ? undefined : this.read(level, time, bucket, into);
    if (!held.isStored && !held.isDirty) return undefined;
    return held.block ?? decodeCells(held.bytes, held.length, into);
  }

  has(level: Level, time: number, bucket: number): boolean {
    const held = this.#held[level].get(time, bucket);
    if (held !== undefined) return held.isStored || held.isDirty;
    return !this.isEmpty(level, time) && this.bytes(level, time, bucket) !== undefined;
  }

  touch(level: Level, time: number, bucket: number): void {
    this.#touch(level, this.#held[level].get(time, bucket)!);
  }

  #touch(level: Level, held: HeldBlock): void {
    if (held.isDirty) return;
    held.isDirty = true;
    this.#dirty[level].push(held);
    this.#empty[level].set(held.time, false);
  }

  /** Returns whether no block of this time is stored, or waits to be. */
  isEmpty(level: Level, time: number): boolean {
    let empty = this.#empty[level].get(time);
    if (empty === undefined) {
      empty = this.next(level, time, time + 1) === undefined;
      this.#empty[level].set(time, empty);
    }
    return empty;
  }

  /** Returns the bucket's totals to be changed, with the recent cells merged in. */
  settled(bucket: number): Block {
    const total = this.load("total", 0, bucket);
    const recent = this.load("recent", 0, bucket);
    if (recent.cells > 0) {
      total.add(recent, 0);
      recent.clear();
      this.touch("recent", 0, bucket);
    }
    this.touch("total", 0, bucket);
    return total;
  }

  /** Writes the touched blocks. */
  flush(): void {
    for (const level of LEVELS) this.#flush(level);
    this.#ranks.flush();
  }

  /** Ends the writes of a transaction, whose blocks are flushed. */
  end(): void {
    if (this.changes?.flush() === true) this.#mark++;
    this.#endDecoded();
  }

  /** Forgets all blocks, after a transaction that failed. */
  forget(): void {
    this.changes?.forget();
    this.#ranks.forget();
    for (const level of LEVELS) this.#dirty[level].length = 0;
    this.#letGo();
  }

  #endDecoded(): void {
    for (const held of this.#decoded) {
      const block = held.block!;
      held.block = undefined;
      if (block.data.length > MAX_FREE_BLOCK || this.#freeNumbers + block.data.length > MAX_FREE_NUMBERS) continue;
      this.#freeNumbers += block.data.length;
      this.#free.push(block);
    }
    this.#decoded.length = 0;
    for (const level of LEVELS) this.#empty[level].clear();
  }

  #letGo(): void {
    this.#endDecoded();
    for (const level of LEVELS) this.#held[level].clear();
    this.#space.clear();
  }

  #newBlock(): Block {
    const block = this.#free.pop();
    if (block === undefined) return new Block();
    this.#freeNumbers -= block.data.length;
    return block;
  }

  #largestOf(level: Level, type: number, time: number, bucket: number): number {
    const block = this.read(level, time, bucket, new Block());
    let most = 0;
    for (let at = 0; at < (block?.cells ?? 0) * WIDTH; at += WIDTH) {
      if (Math.floor(block!.data[at + KEY]! / VIDEOS_A_BLOCK) === type) most = Math.max(most, block!.data[at + COUNT]!);
    }
    return most;
  }

  #flush(level: Level): void {
    const dirty = this.#dirty[level];
    if (dirty.length > 0) this.changes?.noteWrite();
    const waiting: (number | Uint8Array)[] = [];
    for (const held of dirty.sort((a, b) => a.time - b.time || a.bucket - b.bucket)) {
      const { time, bucket, block } = held;
      const id = rowId(time, bucket);
      if (block !== undefined) this.#space.put(held, encodeCells(block));
      const { bytes, length } = held;
      if (isRanked(level)) {
        if (block !== undefined) this.#ranks.note(level, time, bucket, held);
        this.changes?.note(level, time);
      }
      held.isDirty = false;
      if (length === 0) {
        if (held.isStored) this.#delete[level].run(id);
        held.isStored = false;
        continue;
      }
      held.isStored = true;
      waiting.push(id, sealed(bytes, length));
      if (waiting.length < ROWS_A_STATEMENT * 2) continue;
      this.#putMany[level].run(...waiting);
      waiting.length = 0;
    }
    dirty.length = 0;
    for (let i = 0; i < waiting.length; i += 2) this.#putOne[level].run(waiting[i]!, waiting[i + 1]!);
  }
}

/** The numbers of all free blocks that are kept for reuse: 8 MB. */
const MAX_FREE_NUMBERS = 1 << 20;
/**
 * The numbers of the largest free block that is kept: 128 cells. Few blocks have more, but a block keeps the memory of
 * the largest content that it ever had, and in time every kept one would have had a large one.
 */
const MAX_FREE_BLOCK = 128 * WIDTH;
