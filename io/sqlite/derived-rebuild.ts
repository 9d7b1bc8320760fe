/**
 * Recomputes hours from minutes, days from hours and totals from days, whatever stood there before. An hour or a day keeps its revision, which
 * grows where its value changes.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";

const SUMS = `SUM(count), SUM(valued), SUM(sum_high) + (SUM(sum_low) >> 32), SUM(sum_low) & 4294967295`;

/** The days that exist, by skipping from one to the next: day_cells is clustered by day, not by video. */
const DAYS = `WITH RECURSIVE days(day) AS (
  SELECT MIN(day) FROM day_cells
  UNION ALL
  SELECT (SELECT MIN(day) FROM day_cells WHERE day_cells.day > days.day) FROM days WHERE day IS NOT NULL
)`;

export class DerivedRebuild {
  readonly #hour: Level;
  readonly #day: Level;
  readonly #clearTotal: StatementSync;
  readonly #sumTotal: StatementSync;
  readonly #bounds: StatementSync;
  /** Hours to recompute, by video. */
  #touched = new Map<number, Set<number>>();

  constructor(db: DatabaseSync) {
    this.#hour = new Level(
      db,
      "hour_cells WHERE day = ?1 AND video = ?2 AND hour = ?3",
      `INSERT INTO hour_cells (day, video, type, hour, count, valued, sum_high, sum_low, last_ms)
       SELECT ?1, video, type, hour, ${SUMS}, MAX(minute * 60000 + last_ms) FROM minute_cells
         WHERE hour = ?3 AND video = ?2 AND count > 0 GROUP BY type`,
    );
    this.#day = new Level(
      db,
      "day_cells WHERE day = ?1 AND video = ?2",
      `INSERT INTO day_cells (day, video, type, count, valued, sum_high, sum_low, last_ms)
       SELECT day, video, type, ${SUMS}, MAX(last_ms) FROM hour_cells WHERE day = ?1 AND video = ?2 GROUP BY type`,
    );
    this.#clearTotal = db.prepare("DELETE FROM total_cells WHERE video = ?");
    this.#sumTotal = db.prepare(
      `INSERT INTO total_cells (video, type, count, valued, sum_high, sum_low, last_ms)
       ${DAYS}
       SELECT video, type, ${SUMS}, MAX(last_ms) FROM days CROSS JOIN day_cells c
         WHERE c.day = days.day AND c.video = ? GROUP BY type`,
    );
    this.#bounds = db.prepare(
      `SELECT min(ifnull((SELECT MIN(hour) FROM minute_cells), 9e15), ifnull((SELECT MIN(day) * 24 FROM hour_cells), 9e15),
                  ifnull((SELECT MIN(day) * 24 FROM day_cells), 9e15)) AS first,
              max(ifnull((SELECT MAX(hour) FROM minute_cells), -9e15), ifnull((SELECT MAX(day) * 24 + 23 FROM hour_cells), -9e15),
                  ifnull((SELECT MAX(day) * 24 + 23 FROM day_cells), -9e15)) AS last`,
    );
  }

  /** Notes an hour of a video for `run`. */
  touch(video: number, hour: number): void {
    const hours = this.#touched.get(video);
    if (hours === undefined) this.#touched.set(video, new Set([hour]));
    else hours.add(hour);
  }

  /** Recomputes the noted hours, their days, and the totals of their videos. */
  run(): void {
    for (const [video, hours] of this.#touched) {
      const days = new Set<number>();
      for (const hour of hours) {
        const day = Math.floor(hour / 24);
        days.add(day);
        this.#hour.recompute(day, video, hour);
      }
      this.#recomputeAbove(video, days);
    }
    this.#touched.clear();
  }

  /** Recomputes the hours of [fromHour, toHour), the days that touch it, and the video's totals. */
  range(video: number, fromHour: number, toHour: number): void {
    const stored = this.#bounds.get();
    const first = Math.max(fromHour, Number(stored?.first));
    const last = Math.min(toHour - 1, Number(stored?.last));
    const days = new Set<number>();
    for (let hour = first; hour <= last; hour++) {
      const day = Math.floor(hour / 24);
      days.add(day);
      this.#hour.recompute(day, video, hour);
    }
    this.#recomputeAbove(video, days);
  }

  forget(): void {
    this.#touched.clear();
  }

  #recomputeAbove(video: number, days: Iterable<number>): void {
    for (const day of days) {
      this.#day.recompute(day, video);
    }
    this.#clearTotal.run(video);
    this.#sumTotal.run(video);
  }
}

/** One derived level with revisions; `cells`: table and condition, `sum`: the statement that inserts what the parts add up to. */
class Level {
  readonly #read: StatementSync;
  readonly #clear: StatementSync;
  readonly #sum: StatementSync;
  readonly #revise: StatementSync;

  constructor(db: DatabaseSync, cells: string, sum: string) {
    const [table, condition] = cells.split(" WHERE ");
    this.#read = db.prepare(`SELECT type, count, valued, sum_high, sum_low, revision FROM ${cells}`);
    // A damaged column may hold more than a number can.
    this.#read.setReadBigInts(true);
    this.#clear = db.prepare(`DELETE FROM ${cells}`);
    this.#sum = db.prepare(sum);
    this.#revise = db.prepare(`UPDATE ${table} SET revision = ?4 WHERE ${condition} AND type = ?5`);
  }

  recompute(...key: [day: number, video: number, hour?: number]): void {
    const [day, video, hour] = key;
    const keys = { 1: day, 2: video, ...(hour === undefined ? {} : { 3: hour }) };
    const before = new Map(this.#read.all(keys).map((row) => [row.type, row]));
    this.#clear.run(keys);
    this.#sum.run(keys);
    for (const row of this.#read.all(keys)) {
      const old = before.get(row.type);
      const changed = VALUE.some((column) => old?.[column] !== row[column]);
      const revision = Number(old?.revision ?? 0) + (changed ? 1 : 0);
      if (revision > 0) this.#revise.run({ ...keys, 4: revision, 5: row.type! });
    }
  }
}

const VALUE = ["count", "valued", "sum_high", "sum_low"];
