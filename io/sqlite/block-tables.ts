// SPDX-License-Identifier: Apache-2.0
/**
 * The tables of blocks (cell-block.ts), one a level. A row's id is time * 2^25 + bucket, where time counts minutes,
 * hours or days since 1970 (0 in totals) and a bucket is 64 neighbouring videos: one time is one range of rows, written
 * from left to right and deleted in one piece. Every read and write of counters in this folder goes through it.
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../domain/rules/time";
import { isRanked, RankWriter } from "./bucket-ranks";
import { Block, COUNT, decodeBlock, encodeBlock, KEY, VIDEOS_A_BLOCK, WIDTH } from "./cell-block";
import type { CellChanges } from "./cell-changes";
import { COUNTERS_FILE } from "./counter-file";

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

/** The blocks that a write transaction has touched: each is decoded once, and written once. */
export class BlockTables extends BlockReader {
  readonly #putMany: PerLevel<StatementSync>;
  readonly #putOne: PerLevel<StatementSync>;
  readonly #delete: PerLevel<StatementSync>;
  readonly #blocks = each(() => new Map<number, { block: Block; dirty: boolean; stored: boolean }>());
  readonly #empty = each(() => new Map<number, boolean>());
  readonly #free: Block[] = [];
  #freeNumbers = 0;
  readonly #ranks: RankWriter;

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

  /** Returns the block as this transaction sees it, to be changed; the caller then calls `touch`. */
  load(level: Level, time: number, bucket: number): Block {
    const id = rowId(time, bucket);
    const known = this.#blocks[level].get(id);
    if (known !== undefined) return known.block;
    const block = this.#newBlock();
    const stored = !this.isEmpty(level, time) && this.read(level, time, bucket, block) !== undefined;
    this.#blocks[level].set(id, { block, dirty: false, stored });
    return block;
  }

  /** Returns the block as this transaction sees it, to be read. `into` is filled where the block is not in memory. */
  look(level: Level, time: number, bucket: number, into: Block): Block | undefined {
    const known = this.#blocks[level].get(rowId(time, bucket));
    if (known !== undefined) return known.stored || known.dirty ? known.block : undefined;
    return this.isEmpty(level, time) ? undefined : this.read(level, time, bucket, into);
  }

  has(level: Level, time: number, bucket: number): boolean {
    const known = this.#blocks[level].get(rowId(time, bucket));
    if (known !== undefined) return known.stored || known.dirty;
    return !this.isEmpty(level, time) && this.bytes(level, time, bucket) !== undefined;
  }

  touch(level: Level, time: number, bucket: number): void {
    this.#blocks[level].get(rowId(time, bucket))!.dirty = true;
    this.#empty[level].set(time, false);
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
    this.changes?.flush();
    this.forget();
  }

  /** Forgets the blocks of a transaction, or of one that failed. */
  forget(): void {
    this.#ranks.forget();
    this.changes?.forget();
    for (const level of LEVELS) {
      for (const { block } of this.#blocks[level].values()) {
        if (block.data.length > MAX_FREE_BLOCK || this.#freeNumbers + block.data.length > MAX_FREE_NUMBERS) continue;
        this.#freeNumbers += block.data.length;
        this.#free.push(block);
      }
      this.#blocks[level].clear();
      this.#empty[level].clear();
    }
  }

  #newBlock(): Block {
    const block = this.#free.pop();
    if (block === undefined) return new Block();
    this.#freeNumbers -= block.data.length;
    block.clear();
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
    const ids = new Float64Array(this.#blocks[level].size);
    let dirty = 0;
    for (const [id, entry] of this.#blocks[level]) if (entry.dirty) ids[dirty++] = id;
    const waiting: (number | Buffer)[] = [];
    for (const id of ids.subarray(0, dirty).sort()) {
      const entry = this.#blocks[level].get(id)!;
      const bytes = encodeBlock(entry.block);
      if (isRanked(level)) {
        this.#ranks.note(level, timeOf(id), bucketOfRow(id), entry.block);
        this.changes?.note(level, timeOf(id));
      }
      entry.dirty = false;
      if (bytes === undefined) {
        if (entry.stored) this.#delete[level].run(id);
        entry.stored = false;
        continue;
      }
      entry.stored = true;
      waiting.push(id, bytes);
      if (waiting.length < ROWS_A_STATEMENT * 2) continue;
      this.#putMany[level].run(...waiting);
      waiting.length = 0;
    }
    for (let i = 0; i < waiting.length; i += 2) this.#putOne[level].run(waiting[i]!, waiting[i + 1]!);
  }
}

/** The numbers of all free blocks that are kept for reuse: 16 MB. */
const MAX_FREE_NUMBERS = 2 << 20;
/**
 * The numbers of the largest free block that is kept: 128 cells. Few blocks have more, but a block keeps the memory of
 * the largest content that it ever had, and in time every kept one would have had a large one.
 */
const MAX_FREE_BLOCK = 128 * WIDTH;
