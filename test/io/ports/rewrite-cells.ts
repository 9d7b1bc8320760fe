// SPDX-License-Identifier: Apache-2.0
/**
 * Cells of a counters.sqlite changed by hand, below every rule of the store: cells are packed, so that SQL alone cannot
 * do it.
 */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { BlockTables, bucketOfRow, type Level, rowName, timeOf, UNIT_MS } from "../../../io/sqlite/block-tables";
import {
  Block,
  COUNT,
  decodeBlock,
  KEY,
  LOW,
  MID,
  TOP,
  VALUED,
  VIDEOS_A_BLOCK,
  WIDTH,
} from "../../../io/sqlite/cell-block";
import { inTransaction } from "../../../io/sqlite/connection";
import { MinuteWriter } from "../../../io/sqlite/minute-writer";
import { encodeBlock } from "./encoded-block";

export interface RewrittenCell {
  readonly videoId: string;
  readonly eventType: string;
  readonly startMs: number;
  count: number;
  valued: number;
  sum: bigint;
}

/** Opens the file of a folder as a person with a shell does. */
export function withCounters<T>(folder: string, work: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(join(folder, "counters.sqlite"), { timeout: 10_000 });
  try {
    return work(db);
  } finally {
    db.close();
  }
}

/** Writes the rows of hours that are still open, so that there is something to damage. */
export function foldAll(db: DatabaseSync): void {
  const writer = new MinuteWriter(db);
  inTransaction(db, () => writer.fold(Number.POSITIVE_INFINITY));
}

/**
 * Lets `change` see every cell of a level, to change it or to answer "delete". Answers how many cells it changed or
 * deleted.
 */
export function rewriteCells(
  folder: string,
  level: Level,
  change: (cell: RewrittenCell) => "delete" | undefined,
): number {
  return withCounters(folder, (db) => {
    foldAll(db);
    return inTransaction(db, () => rewriteLevel(db, level, change));
  });
}

/** Adds a cell without events (of a minute, or of a time of another level), and without a level above it. */
export function addPhantom(
  folder: string,
  time: number,
  like: { videoId: string; eventType: string },
  count: number,
  sum: number,
  level: Level = "minute",
) {
  return withCounters(folder, (db) => {
    foldAll(db);
    return inTransaction(db, () => {
      const [video, type] = [idOf(db, "videos", like.videoId), idOf(db, "types", like.eventType)];
      const tables = new BlockTables(db);
      const bucket = Math.floor(video / VIDEOS_A_BLOCK);
      const block = tables.load(level, time, bucket);
      const at = block.cell(type * VIDEOS_A_BLOCK + (video % VIDEOS_A_BLOCK)) * WIDTH;
      block.data.set([count, count, sum], at + COUNT);
      tables.touch(level, time, bucket);
      tables.flush();
      return 1;
    });
  });
}

function rewriteLevel(db: DatabaseSync, level: Level, change: (cell: RewrittenCell) => "delete" | undefined): number {
  const names = (table: string) =>
    new Map(
      db
        .prepare(`SELECT id, name FROM ${table}`)
        .all()
        .map((row) => [Number(row.id), String(row.name)]),
    );
  const [videos, types] = [names("videos"), names("types")];
  const block = new Block();
  let changed = 0;
  for (const row of db.prepare(`SELECT id, cells FROM ${level}_blocks`).all()) {
    const id = Number(row.id);
    decodeBlock(row.cells as Uint8Array, block, () => rowName(level, id));
    const before = changed;
    for (let at = 0; at < block.cells * WIDTH; at += WIDTH) {
      const inside = block.data[at + KEY]! % VIDEOS_A_BLOCK;
      const cell = {
        videoId: videos.get(bucketOfRow(id) * VIDEOS_A_BLOCK + inside)!,
        eventType: types.get((block.data[at + KEY]! - inside) / VIDEOS_A_BLOCK)!,
        startMs: timeOf(id) * UNIT_MS[level],
        count: block.data[at + COUNT]!,
        valued: block.data[at + VALUED]!,
        sum: block.sum(at),
      };
      if (rewrite(block, at, cell, change)) changed++;
    }
    if (changed > before) put(db, level, id, encodeBlock(block));
  }
  return changed;
}

function rewrite(block: Block, at: number, cell: RewrittenCell, change: (cell: RewrittenCell) => "delete" | undefined) {
  const { count, valued, sum } = cell;
  if (change(cell) === "delete") block.data.fill(0, at + COUNT, at + WIDTH);
  else if (cell.count === count && cell.valued === valued && cell.sum === sum) return false;
  else {
    block.data[at + COUNT] = cell.count;
    block.data[at + VALUED] = cell.valued;
    block.data[at + LOW] = Number(BigInt.asUintN(32, cell.sum));
    block.data[at + MID] = Number(BigInt.asUintN(32, cell.sum >> 32n));
    block.data[at + TOP] = Number(cell.sum >> 64n);
  }
  return true;
}

function put(db: DatabaseSync, level: Level, id: number, bytes: Uint8Array | undefined): void {
  if (bytes === undefined) db.prepare(`DELETE FROM ${level}_blocks WHERE id = ?`).run(id);
  else db.prepare(`UPDATE ${level}_blocks SET cells = ? WHERE id = ?`).run(bytes, id);
}

function idOf(db: DatabaseSync, table: string, name: string): number {
  return Number(db.prepare(`SELECT id FROM ${table} WHERE name = ?`).get(name)!.id);
}
