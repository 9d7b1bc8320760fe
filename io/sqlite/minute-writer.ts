/**
 * One transaction's worth of minute cells: staged in memory tables, compared with the stored versions, written, and
 * the differences moved up to hours, days and totals. All in a handful of set-wise statements, to cross from
 * JavaScript into SQLite once for many rows (measured on staging alone: 1.0-1.3 us a row with one row a statement,
 * 0.55-0.8 us with twenty). The whole apply: about 100k cells/s with all levels; the upserts are most of it.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { MinuteCounts } from "../../domain/minute-counts";
import { DerivedRebuild } from "./derived-rebuild";
import { NameDictionary } from "./name-dictionary";

/** Rows [fromRow, toRow) of a minute, written for the call with this number. */
export interface MinuteSlice {
  call: number;
  counts: MinuteCounts;
  fromRow: number;
  toRow: number;
  followCorrections: boolean;
  /** Minutes before this are final. */
  finalBeforeMinute: number;
}

/** A cell staged with this correction takes the one that is stored. */
const FOLLOW = -1;
const NOTHING = [0, 0, 0, 0, 0];
const COLUMNS = 13;
const ROWS_A_STATEMENT = 32;
const CACHED_VIDEOS = 250_000;
const VERSION = ["correction", "count", "valued", "sum_high", "sum_low", "last_ms"];

function version(table: string): string {
  return `(${VERSION.map((column) => `${table}.${column}`).join(", ")})`;
}

const TEMPORARY = `
PRAGMA temp_store = MEMORY;
CREATE TEMP TABLE staged (
  day INTEGER, hour INTEGER, video INTEGER, type INTEGER, minute INTEGER,
  count INTEGER, valued INTEGER, sum_high INTEGER, sum_low INTEGER, last_ms INTEGER, correction INTEGER, call INTEGER,
  final_before INTEGER
);
CREATE TEMP TABLE changed (
  day INTEGER, hour INTEGER, video INTEGER, type INTEGER, minute INTEGER,
  count INTEGER, valued INTEGER, sum_high INTEGER, sum_low INTEGER, last_ms INTEGER, correction INTEGER, call INTEGER,
  final_before INTEGER, revision INTEGER,
  more INTEGER, more_valued INTEGER, more_high INTEGER, more_low INTEGER, lowered INTEGER,
  PRIMARY KEY (video, type, day, hour, minute)
) WITHOUT ROWID;`;

/** The same cell twice in one transaction: the larger version stays. */
const FIND_CHANGED = `
INSERT INTO changed
SELECT s.day, s.hour, s.video, s.type, s.minute, s.count, s.valued, s.sum_high, s.sum_low, s.last_ms,
  iif(s.correction = ${FOLLOW}, ifnull(m.correction, 0), s.correction), s.call,
  s.final_before, ifnull(m.revision, 0) + (s.minute < s.final_before AND (s.count, s.valued, s.sum_high, s.sum_low)
    <> (ifnull(m.count, 0), ifnull(m.valued, 0), ifnull(m.sum_high, 0), ifnull(m.sum_low, 0))),
  s.count - ifnull(m.count, 0), s.valued - ifnull(m.valued, 0), s.sum_high - ifnull(m.sum_high, 0), s.sum_low - ifnull(m.sum_low, 0),
  m.count > 0 AND (s.count = 0 OR s.last_ms < m.last_ms)
FROM staged s LEFT JOIN minute_cells m
  ON m.hour = s.hour AND m.video = s.video AND m.type = s.type AND m.minute = s.minute
WHERE (m.hour IS NULL AND (s.count > 0 OR s.correction > 0))
  OR (iif(s.correction = ${FOLLOW}, m.correction, s.correction), s.count, s.valued, s.sum_high, s.sum_low, s.last_ms) > ${version("m")}
ON CONFLICT DO UPDATE SET
  count = excluded.count, valued = excluded.valued, sum_high = excluded.sum_high, sum_low = excluded.sum_low, last_ms = excluded.last_ms,
  correction = excluded.correction, call = excluded.call, final_before = excluded.final_before, revision = excluded.revision,
  more = excluded.more, more_valued = excluded.more_valued, more_high = excluded.more_high, more_low = excluded.more_low, lowered = excluded.lowered
WHERE ${version("excluded")} > ${version("changed")}`;

const WRITE_MINUTES = `
INSERT OR REPLACE INTO minute_cells
  (hour, video, type, minute, count, valued, sum_high, sum_low, last_ms, correction, revision)
SELECT hour, video, type, minute, count, valued, sum_high, sum_low, last_ms, correction, revision FROM changed`;

/**
 * Moves one level by the differences, coalesced over the transaction; sums stay canonical. `key`: a prefix of `changed`'s, or it sorts.
 * `endMinute`: SQL of the bucket's end, for levels that have a revision.
 */
function moveLevel(table: string, key: string, endMinute?: string): string {
  const [column, raised, revise] =
    endMinute === undefined
      ? ["", "", ""]
      : [
          ", revision",
          `, MAX(final_before) >= ${endMinute} AND (SUM(more) <> 0 OR SUM(more_valued) <> 0
            OR SUM(more_high) + (SUM(more_low) >> 32) <> 0 OR SUM(more_low) & 4294967295 <> 0)`,
          ", revision = revision + excluded.revision",
        ];
  return `
INSERT INTO ${table} (${key}, count, valued, sum_high, sum_low, last_ms${column})
SELECT ${key}, SUM(more), SUM(more_valued), SUM(more_high) + (SUM(more_low) >> 32), SUM(more_low) & 4294967295,
  MAX(iif(count > 0, minute * 60000 + last_ms, -8640000000000000))${raised}
FROM changed WHERE true GROUP BY ${key}
ON CONFLICT DO UPDATE SET
  count = count + excluded.count,
  valued = valued + excluded.valued,
  sum_high = sum_high + excluded.sum_high + ((sum_low + excluded.sum_low) >> 32),
  sum_low = (sum_low + excluded.sum_low) & 4294967295,
  last_ms = max(last_ms, excluded.last_ms)${revise}`;
}

export class MinuteWriter {
  readonly #videos: NameDictionary;
  readonly #types: NameDictionary;
  readonly #stageMany: StatementSync;
  readonly #stageOne: StatementSync;
  readonly #steps: StatementSync[];
  readonly #clear: StatementSync[];
  readonly #writtenByCall: StatementSync;
  readonly #lowered: StatementSync;
  readonly #stored: StatementSync;
  readonly #putCell: StatementSync;
  readonly #rebuild: DerivedRebuild;

  /** `db`: a connection for writing; gets two temporary tables. */
  constructor(db: DatabaseSync) {
    db.exec(TEMPORARY);
    this.#videos = new NameDictionary(db, "videos", CACHED_VIDEOS);
    this.#types = new NameDictionary(db, "types", 1000);
    const row = `(${Array(COLUMNS).fill("?").join(", ")})`;
    this.#stageOne = db.prepare(`INSERT INTO staged VALUES ${row}`);
    this.#stageMany = db.prepare(`INSERT INTO staged VALUES ${Array(ROWS_A_STATEMENT).fill(row).join(", ")}`);
    this.#steps = [
      FIND_CHANGED,
      WRITE_MINUTES,
      moveLevel("hour_cells", "video, type, day, hour", "hour * 60 + 60"),
      moveLevel("day_cells", "video, type, day", "day * 1440 + 1440"),
      moveLevel("total_cells", "video, type"),
    ].map((sql) => db.prepare(sql));
    this.#clear = ["DELETE FROM staged", "DELETE FROM changed"].map((sql) => db.prepare(sql));
    this.#writtenByCall = db.prepare("SELECT call, COUNT(*) AS cells FROM changed GROUP BY call");
    this.#lowered = db.prepare("SELECT DISTINCT video, hour FROM changed WHERE lowered = 1");
    this.#stored = db.prepare(
      "SELECT correction, revision FROM minute_cells WHERE hour = ? AND video = ? AND type = ? AND minute = ?",
    );
    this.#putCell = db.prepare(
      `INSERT OR REPLACE INTO minute_cells
         (hour, video, type, minute, count, valued, sum_high, sum_low, last_ms, correction, revision)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#rebuild = new DerivedRebuild(db);
  }

  /** Inside a transaction: writes the slices and moves every level. Answers the cells written by call. */
  write(slices: readonly MinuteSlice[]): Map<number, number> {
    this.#stage(slices);
    for (const step of this.#steps) step.run();
    const written = new Map(this.#writtenByCall.all().map((row) => [Number(row.call), Number(row.cells)]));
    // A difference cannot lower the latest event time of an hour: those few are recomputed.
    for (const row of this.#lowered.all()) this.#rebuild.touch(Number(row.video), Number(row.hour));
    this.#rebuild.run();
    for (const clear of this.#clear) clear.run();
    return written;
  }

  /** Inside a transaction: sets the cells to these values at stored correction + 1, rebuilds what is above them. */
  correct(slices: readonly MinuteSlice[]): void {
    for (const { counts, fromRow, toRow } of slices) {
      const { minute } = counts;
      const hour = Math.floor(minute / 60);
      for (let row = fromRow; row < toRow; row++) {
        const video = this.#videos.idFor(counts.videos[counts.videoIndex[row]!]!);
        const type = this.#types.idFor(counts.types[counts.typeIndex[row]!]!);
        const stored = this.#stored.get(hour, video, type, minute);
        const correction = Number(stored?.correction ?? 0) + 1;
        const revision = Number(stored?.revision ?? 0) + 1;
        const count = counts.counts[row]!;
        const values = [
          count,
          counts.valued[row]!,
          counts.sumHigh[row]!,
          counts.sumLow[row]!,
          counts.lastMsInMinute[row]!,
        ];
        this.#putCell.run(hour, video, type, minute, ...(count === 0 ? NOTHING : values), correction, revision);
        this.#rebuild.touch(video, hour);
      }
    }
    this.#rebuild.run();
  }

  /** Inside a transaction: recomputes hours and days that touch [fromHour, toHour), and the total. */
  rebuild(videoId: string, fromHour: number, toHour: number): void {
    const video = this.#videos.known(videoId);
    if (video !== undefined) this.#rebuild.range(video, fromHour, toHour);
  }

  /** After a rollback. The temporary tables were rolled back with it. */
  forget(): void {
    this.#videos.forget();
    this.#types.forget();
    this.#rebuild.forget();
  }

  /** Staged in the order of `changed`'s key, so that every table is written from left to right. */
  #stage(slices: readonly MinuteSlice[]): void {
    const many: number[] = new Array(COLUMNS * ROWS_A_STATEMENT).fill(0);
    let at = 0;
    for (const { slice, row, video, type } of this.#sorted(slices)) {
      const { call, counts, followCorrections, finalBeforeMinute } = slice;
      const hour = Math.floor(counts.minute / 60);
      many[at] = Math.floor(hour / 24);
      many[at + 1] = hour;
      many[at + 2] = video;
      many[at + 3] = type;
      many[at + 4] = counts.minute;
      many[at + 5] = counts.counts[row]!;
      many[at + 6] = counts.valued[row]!;
      many[at + 7] = counts.sumHigh[row]!;
      many[at + 8] = counts.sumLow[row]!;
      many[at + 9] = counts.lastMsInMinute[row]!;
      many[at + 10] = followCorrections ? FOLLOW : (counts.corrections?.[row] ?? 0);
      many[at + 11] = call;
      many[at + 12] = finalBeforeMinute;
      at += COLUMNS;
      if (at === many.length) {
        this.#stageMany.run(...many);
        at = 0;
      }
    }
    for (let from = 0; from < at; from += COLUMNS) this.#stageOne.run(...many.slice(from, from + COLUMNS));
  }

  #sorted(slices: readonly MinuteSlice[]): StagedCell[] {
    const cells: StagedCell[] = [];
    for (const slice of slices) {
      const { minute, videos, types, videoIndex, typeIndex } = slice.counts;
      const typeIds = types.map((type) => this.#types.idFor(type));
      for (let row = slice.fromRow; row < slice.toRow; row++) {
        const video = this.#videos.idFor(videos[videoIndex[row]!]!);
        cells.push({ slice, row, video, type: typeIds[typeIndex[row]!]!, minute });
      }
    }
    return cells.sort((a, b) => a.video - b.video || a.type - b.type || a.minute - b.minute);
  }
}

interface StagedCell {
  slice: MinuteSlice;
  row: number;
  video: number;
  type: number;
  minute: number;
}
