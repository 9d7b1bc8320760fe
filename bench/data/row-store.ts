// SPDX-License-Identifier: Apache-2.0
/**
 * The counter store of before cells were packed, as a baseline: a row per cell, four levels, the differences moved up
 * in the same transaction by set-wise statements. Without corrections, which the load does not have. The measurement of
 * the store compares with it.
 */
import { join } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { MinuteCounts } from "../../domain/columns/minute-counts";
import { inTransaction, openDatabase } from "../../io/sqlite/connection";
import { GivenNames } from "../../io/sqlite/name-dictionary";
import { ROWS_A_CELL } from "../../io/sqlite/row-migration";

const COLUMNS = 9;
const ROWS_A_STATEMENT = 32;
const VERSION = ["count", "sum_high", "sum_low", "last_ms"];

function version(table: string): string {
  return `(${VERSION.map((column) => `${table}.${column}`).join(", ")})`;
}

const TEMPORARY = `
PRAGMA temp_store = MEMORY;
CREATE TEMP TABLE staged (
  day INTEGER, hour INTEGER, video INTEGER, type INTEGER, minute INTEGER,
  count INTEGER, sum_high INTEGER, sum_low INTEGER, last_ms INTEGER
);
CREATE TEMP TABLE changed (
  day INTEGER, hour INTEGER, video INTEGER, type INTEGER, minute INTEGER,
  count INTEGER, sum_high INTEGER, sum_low INTEGER, last_ms INTEGER,
  more INTEGER, more_high INTEGER, more_low INTEGER,
  PRIMARY KEY (video, type, day, hour, minute)
) WITHOUT ROWID;`;

const FIND_CHANGED = `
INSERT INTO changed
SELECT s.day, s.hour, s.video, s.type, s.minute, s.count, s.sum_high, s.sum_low, s.last_ms,
  s.count - ifnull(m.count, 0), s.sum_high - ifnull(m.sum_high, 0), s.sum_low - ifnull(m.sum_low, 0)
FROM staged s LEFT JOIN minute_cells m
  ON m.hour = s.hour AND m.video = s.video AND m.type = s.type AND m.minute = s.minute
WHERE m.hour IS NULL OR (s.count, s.sum_high, s.sum_low, s.last_ms) > ${version("m")}`;

const WRITE_MINUTES = `
INSERT OR REPLACE INTO minute_cells (hour, video, type, minute, count, sum_high, sum_low, last_ms, correction)
SELECT hour, video, type, minute, count, sum_high, sum_low, last_ms, 0 FROM changed`;

function moveLevel(table: string, key: string): string {
  return `
INSERT INTO ${table} (${key}, count, sum_high, sum_low, last_ms)
SELECT ${key}, SUM(more), SUM(more_high) + (SUM(more_low) >> 32), SUM(more_low) & 4294967295,
  MAX(minute * 60000 + last_ms)
FROM changed WHERE true GROUP BY ${key}
ON CONFLICT DO UPDATE SET
  count = count + excluded.count,
  sum_high = sum_high + excluded.sum_high + ((sum_low + excluded.sum_low) >> 32),
  sum_low = (sum_low + excluded.sum_low) & 4294967295,
  last_ms = max(last_ms, excluded.last_ms)`;
}

const STEPS = [
  FIND_CHANGED,
  WRITE_MINUTES,
  moveLevel("hour_cells", "video, type, day, hour"),
  moveLevel("day_cells", "video, type, day"),
  moveLevel("total_cells", "video, type"),
  "DELETE FROM staged",
  "DELETE FROM changed",
];

export class RowStore {
  readonly #db: DatabaseSync;
  readonly #videos: GivenNames;
  readonly #types: GivenNames;
  readonly #stageMany: StatementSync;
  readonly #stageOne: StatementSync;
  readonly #steps: StatementSync[];
  readonly #total: StatementSync;
  readonly #minutes: StatementSync;

  constructor(folder: string) {
    const schema = { version: 1, migrations: [ROWS_A_CELL] };
    const open = { cacheBytes: 64 << 20, walAutocheckpointPages: 4000 };
    this.#db = openDatabase(join(folder, "rows.sqlite"), schema, open);
    this.#db.exec(TEMPORARY);
    this.#videos = new GivenNames(this.#db, "videos", 250_000);
    this.#types = new GivenNames(this.#db, "types", 1000);
    const row = `(${Array(COLUMNS).fill("?").join(", ")})`;
    this.#stageOne = this.#db.prepare(`INSERT INTO staged VALUES ${row}`);
    this.#stageMany = this.#db.prepare(`INSERT INTO staged VALUES ${Array(ROWS_A_STATEMENT).fill(row).join(", ")}`);
    this.#steps = STEPS.map((sql) => this.#db.prepare(sql));
    this.#total = this.#db.prepare(
      `SELECT t.name AS type, c.count, c.sum_high, c.sum_low, c.last_ms FROM total_cells c
         JOIN types t ON t.id = c.type WHERE c.video = ? ORDER BY t.name`,
    );
    this.#minutes = this.#db.prepare(
      `SELECT minute, count, sum_high * 4294967296 + sum_low AS sum FROM minute_cells
         WHERE hour = ? AND video = ? AND type = ? AND minute >= ? AND minute < ? ORDER BY minute`,
    );
    this.#minutes.setReturnArrays(true);
  }

  apply(pass: readonly MinuteCounts[]): void {
    inTransaction(this.#db, () => {
      this.#videos.begin();
      this.#types.begin();
      for (const counts of pass) this.#stage(counts);
      this.#videos.flush();
      this.#types.flush();
      for (const step of this.#steps) step.run();
    });
  }

  totals(video: string): Map<string, number> {
    const id = this.#videos.known(video);
    const rows = id === undefined ? [] : this.#total.all(id);
    return new Map(rows.map(({ type, count }) => [String(type), Number(count)]));
  }

  /** Count of the minute cells of [fromMinute, toMinute) of one type. */
  minutes(video: string, type: string, fromMinute: number, toMinute: number): number {
    let cells = 0;
    for (let hour = Math.floor(fromMinute / 60); hour * 60 < toMinute; hour++) {
      const of = [this.#videos.known(video) ?? -1, this.#types.known(type) ?? -1];
      cells += this.#minutes.all(hour, ...of, fromMinute, toMinute).length;
    }
    return cells;
  }

  close(): void {
    this.#db.close();
  }

  #stage({ minute, videos, types, videoIndex, typeIndex, ...counts }: MinuteCounts): void {
    const hour = Math.floor(minute / 60);
    const typeIds = types.map((type) => this.#types.idFor(type));
    const cells = Array.from(counts.counts, (_, row) => ({
      row,
      video: this.#videos.idFor(videos[videoIndex[row]!]!),
      type: typeIds[typeIndex[row]!]!,
    })).sort((a, b) => a.video - b.video || a.type - b.type);
    const many: number[] = [];
    for (const { row, video, type } of cells) {
      many.push(Math.floor(hour / 24), hour, video, type, minute);
      many.push(counts.counts[row]!, counts.sumHigh[row]!, counts.sumLow[row]!, counts.lastMsInMinute[row]!);
      if (many.length < COLUMNS * ROWS_A_STATEMENT) continue;
      this.#stageMany.run(...many);
      many.length = 0;
    }
    for (let from = 0; from < many.length; from += COLUMNS) this.#stageOne.run(...many.slice(from, from + COLUMNS));
  }
}
