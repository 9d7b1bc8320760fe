// SPDX-License-Identifier: Apache-2.0
/**
 * The tables of counters.sqlite before cells were packed: a row for each cell, at four levels. A new file gets these
 * tables and loses them again, so that every file passes through the same versions. Opening an older counters.sqlite
 * runs it (counter-schema.ts).
 */

import type { DatabaseSync } from "node:sqlite";
import { dayOf, HOUR_MS, HOURS_A_DAY, MINUTE_MS, MINUTES_AN_HOUR } from "../../domain/rules/time";
import { BlockTables, bucketOf } from "./block-tables";
import { RANKS } from "./bucket-ranks";
import { Block, CORRECTION, COUNT, LAST, LOW, MID, REVISION, TOP, VALUED, VIDEOS_A_BLOCK, WIDTH } from "./cell-block";

const COUNTS = "count INTEGER NOT NULL, sum_high INTEGER NOT NULL, sum_low INTEGER NOT NULL";

export const ROWS_A_CELL = `
CREATE TABLE videos (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE types (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

-- The facts. minute, hour: since 1970. last_ms: latest event, within the minute. correction: times an audit changed it.
-- The larger (correction, count, sum_high, sum_low, last_ms) wins; count 0 is a tombstone left by an audit.
CREATE TABLE minute_cells (
  hour INTEGER NOT NULL, video INTEGER NOT NULL, type INTEGER NOT NULL, minute INTEGER NOT NULL,
  ${COUNTS}, last_ms INTEGER NOT NULL, correction INTEGER NOT NULL,
  PRIMARY KEY (hour, video, type, minute)
) WITHOUT ROWID;

-- Derived from the minutes, moved in the same transactions. last_ms: latest event, since 1970.
CREATE TABLE hour_cells (
  day INTEGER NOT NULL, video INTEGER NOT NULL, type INTEGER NOT NULL, hour INTEGER NOT NULL,
  ${COUNTS}, last_ms INTEGER NOT NULL,
  PRIMARY KEY (day, video, type, hour)
) WITHOUT ROWID;
CREATE TABLE day_cells (
  day INTEGER NOT NULL, video INTEGER NOT NULL, type INTEGER NOT NULL,
  ${COUNTS}, last_ms INTEGER NOT NULL,
  PRIMARY KEY (day, video, type)
) WITHOUT ROWID;
CREATE TABLE total_cells (
  video INTEGER NOT NULL, type INTEGER NOT NULL,
  ${COUNTS}, last_ms INTEGER NOT NULL,
  PRIMARY KEY (video, type)
) WITHOUT ROWID;
`;

/**
 * Valued counts and revisions. An earlier cell did not count its events with a value: all of them have one where its
 * sum is not 0, otherwise none has (assumedValued in domain/columns/minute-counts.ts).
 */
export const VALUED_AND_REVISION = `
ALTER TABLE minute_cells ADD COLUMN valued INTEGER NOT NULL DEFAULT 0;
ALTER TABLE minute_cells ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
UPDATE minute_cells SET valued = count WHERE sum_high <> 0 OR sum_low <> 0;
`;

const BLOCKS = `
CREATE TABLE minute_blocks (id INTEGER PRIMARY KEY, cells BLOB NOT NULL);
CREATE TABLE hour_blocks (id INTEGER PRIMARY KEY, cells BLOB NOT NULL);
CREATE TABLE day_blocks (id INTEGER PRIMARY KEY, cells BLOB NOT NULL);
CREATE TABLE total_blocks (id INTEGER PRIMARY KEY, cells BLOB NOT NULL);
CREATE TABLE recent_blocks (id INTEGER PRIMARY KEY, cells BLOB NOT NULL);
CREATE TABLE open_hours (hour INTEGER PRIMARY KEY, next_bucket INTEGER NOT NULL);
`;

const DROP_ROWS = `
DROP VIEW IF EXISTS minute_counts; DROP VIEW IF EXISTS hour_counts; DROP VIEW IF EXISTS day_counts; DROP VIEW IF EXISTS totals;
DROP TABLE minute_cells; DROP TABLE hour_cells; DROP TABLE day_cells; DROP TABLE total_cells;
`;

/** The buckets of an hour between two writes. */
const BUCKETS_HELD = 512;
const TWO_32 = 2 ** 32;

type CellRow = [
  hour: number,
  video: number,
  type: number,
  minute: number,
  count: number,
  valued: number,
  sumHigh: number,
  sumLow: number,
  lastMs: number,
  correction: number,
  revision: number,
];

/**
 * Packs the minutes and derives every level above from them, a bucket of an hour at a time, so that memory does not
 * grow with the file. All of it runs in the one transaction that lifts the file, so that a crash leaves the old file
 * whole.
 */
export function packCells(db: DatabaseSync): void {
  db.exec(BLOCKS + RANKS);
  const tables = new BlockTables(db);
  const rows = db.prepare(
    `SELECT hour, video, type, minute, count, valued, CAST(sum_high AS REAL), sum_low, last_ms, correction, revision
       FROM minute_cells ORDER BY hour, video, type, minute`,
  );
  rows.setReturnArrays(true);
  let [hour, bucket, held] = [0, -1, 0];
  for (const row of rows.iterate() as unknown as Iterable<CellRow>) {
    const its = bucketOf(row[1]);
    if (row[0] !== hour || its !== bucket) {
      if (bucket >= 0) derive(tables, hour, bucket);
      [hour, bucket] = [row[0], its];
      if (++held % BUCKETS_HELD === 0) {
        tables.flush();
        tables.forget();
      }
    }
    if (isCell(row)) put(tables, row);
  }
  if (bucket >= 0) derive(tables, hour, bucket);
  tables.flush();
  tables.forget();
  db.exec(DROP_ROWS);
}

function put(tables: BlockTables, row: CellRow): void {
  const [, video, type, minute, count, valued, high, low, last, correction, revision] = row;
  const block = tables.load("minute", minute, bucketOf(video));
  const at = block.cell(type * VIDEOS_A_BLOCK + (video % VIDEOS_A_BLOCK)) * WIDTH;
  const top = Math.floor(high / TWO_32);
  block.data[at + COUNT] = count;
  block.data[at + VALUED] = valued;
  block.data[at + LOW] = low;
  block.data[at + MID] = high - top * TWO_32;
  block.data[at + TOP] = top;
  block.data[at + LAST] = last;
  block.data[at + CORRECTION] = correction;
  block.data[at + REVISION] = revision;
  tables.touch("minute", minute, bucketOf(video));
}

/** A damaged cell is left out, and an audit finds it missing. */
function isCell([, , , minute, count, valued, high, low, last, correction]: CellRow): boolean {
  const counts = [count, valued, last, correction].every((value) => Number.isSafeInteger(value) && value >= 0);
  return counts && Number.isSafeInteger(minute) && Number.isSafeInteger(high) && low >= 0 && low < TWO_32;
}

function derive(tables: BlockTables, hour: number, bucket: number): void {
  const day = dayOf(hour);
  const sums = new Block();
  const scratch = new Block();
  for (let n = 0; n < MINUTES_AN_HOUR; n++) {
    const minute = tables.look("minute", hour * MINUTES_AN_HOUR + n, bucket, scratch);
    if (minute !== undefined) sums.add(minute, n * MINUTE_MS);
  }
  const levels = [
    ["hour", hour, 0],
    ["day", day, (hour - day * HOURS_A_DAY) * HOUR_MS],
    ["total", 0, hour * HOUR_MS],
  ] as const;
  for (const [level, time, offsetMs] of levels) {
    tables.load(level, time, bucket).add(sums, offsetMs);
    tables.touch(level, time, bucket);
  }
}
