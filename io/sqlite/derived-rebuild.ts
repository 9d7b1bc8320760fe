/** Recomputes hours from minutes, days from hours and totals from days, whatever stood there before. */
import type { DatabaseSync, StatementSync } from "node:sqlite";

const SUMS = `SUM(count), SUM(sum_high) + (SUM(sum_low) >> 32), SUM(sum_low) & 4294967295`;

/** The days that exist, by skipping from one to the next: day_cells is clustered by day, not by video. */
const DAYS = `WITH RECURSIVE days(day) AS (
  SELECT MIN(day) FROM day_cells
  UNION ALL
  SELECT (SELECT MIN(day) FROM day_cells WHERE day_cells.day > days.day) FROM days WHERE day IS NOT NULL
)`;

export class DerivedRebuild {
  readonly #clearHour: StatementSync;
  readonly #sumHour: StatementSync;
  readonly #clearDay: StatementSync;
  readonly #sumDay: StatementSync;
  readonly #clearTotal: StatementSync;
  readonly #sumTotal: StatementSync;
  readonly #bounds: StatementSync;
  /** Hours to recompute, by video. */
  #touched = new Map<number, Set<number>>();

  constructor(db: DatabaseSync) {
    this.#clearHour = db.prepare("DELETE FROM hour_cells WHERE day = ? AND video = ? AND hour = ?");
    this.#sumHour = db.prepare(
      `INSERT INTO hour_cells (day, video, type, hour, count, sum_high, sum_low, last_ms)
       SELECT ?, video, type, hour, ${SUMS}, MAX(minute * 60000 + last_ms) FROM minute_cells
         WHERE hour = ? AND video = ? AND count > 0 GROUP BY type`,
    );
    this.#clearDay = db.prepare("DELETE FROM day_cells WHERE day = ? AND video = ?");
    this.#sumDay = db.prepare(
      `INSERT INTO day_cells (day, video, type, count, sum_high, sum_low, last_ms)
       SELECT day, video, type, ${SUMS}, MAX(last_ms) FROM hour_cells WHERE day = ? AND video = ? GROUP BY type`,
    );
    this.#clearTotal = db.prepare("DELETE FROM total_cells WHERE video = ?");
    this.#sumTotal = db.prepare(
      `INSERT INTO total_cells (video, type, count, sum_high, sum_low, last_ms)
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
        this.#clearHour.run(day, video, hour);
        this.#sumHour.run(day, hour, video);
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
      this.#clearHour.run(day, video, hour);
      this.#sumHour.run(day, hour, video);
    }
    this.#recomputeAbove(video, days);
  }

  forget(): void {
    this.#touched.clear();
  }

  #recomputeAbove(video: number, days: Iterable<number>): void {
    for (const day of days) {
      this.#clearDay.run(day, video);
      this.#sumDay.run(day, video);
    }
    this.#clearTotal.run(video);
    this.#sumTotal.run(video);
  }
}
