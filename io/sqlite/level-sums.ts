/** What stands above the minutes, each cell beside the sum of the cells below it: for the audit of derived levels. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { LevelSums, Sums } from "../ports";
import { onSnapshot } from "./connection";

const HOURS_A_DAY = 24;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** Videos of one read transaction. */
const VIDEOS_AT_ONCE = 256;

const STORED = "count, valued, sum_high, sum_low";
const SUMMED = "SUM(count) AS count, SUM(valued) AS valued, SUM(sum_high) AS sum_high, SUM(sum_low) AS sum_low";

interface Row {
  video?: bigint;
  type: bigint;
  count: bigint;
  valued: bigint;
  sum_high: bigint;
  sum_low: bigint;
}

type Level = LevelSums["level"];

export class LevelReader {
  readonly #video: StatementSync;
  readonly #type: StatementSync;
  readonly #videosAfter: StatementSync;
  readonly #nextDay: StatementSync;
  readonly #stored: Record<Level, StatementSync>;
  readonly #below: Record<Level, StatementSync>;
  readonly #totals: StatementSync;
  readonly #daysBelow: StatementSync;
  readonly #types = new Map<bigint, string>();

  constructor(private readonly db: DatabaseSync) {
    const exact = (sql: string) => {
      const statement = db.prepare(sql);
      statement.setReadBigInts(true);
      return statement;
    };
    const days = "day IN (SELECT value FROM json_each(?))";
    this.#video = exact("SELECT id FROM videos WHERE name = ?");
    this.#type = exact("SELECT name FROM types WHERE id = ?");
    this.#videosAfter = exact("SELECT id, name FROM videos WHERE id > ? ORDER BY id LIMIT ?");
    this.#nextDay = exact("SELECT MIN(day) AS day FROM day_cells WHERE day > ?");
    this.#stored = {
      hour: exact(`SELECT type, ${STORED} FROM hour_cells WHERE day = ? AND video = ? AND hour = ?`),
      day: exact(`SELECT type, ${STORED} FROM day_cells WHERE day = ? AND video = ?`),
      total: exact(`SELECT type, ${STORED} FROM total_cells WHERE video = ?`),
    };
    this.#below = {
      hour: exact(`SELECT type, ${SUMMED} FROM minute_cells WHERE hour = ? AND video = ? AND count > 0 GROUP BY type`),
      day: exact(`SELECT type, ${SUMMED} FROM hour_cells WHERE day = ? AND video = ? GROUP BY type`),
      total: exact(`SELECT type, ${SUMMED} FROM day_cells WHERE ${days} AND video = ? GROUP BY type`),
    };
    this.#totals = exact(`SELECT video, type, ${STORED} FROM total_cells WHERE video BETWEEN ? AND ?`);
    this.#daysBelow = exact(
      `SELECT video, type, ${SUMMED} FROM day_cells WHERE ${days} AND video BETWEEN ? AND ? GROUP BY video, type`,
    );
  }

  *levels(videoIds: readonly string[], hour: number): Generator<LevelSums> {
    for (let from = 0; from < videoIds.length; from += VIDEOS_AT_ONCE) {
      const chunk = videoIds.slice(from, from + VIDEOS_AT_ONCE);
      yield* onSnapshot(this.db, () => this.#levelsOf(chunk, hour));
    }
  }

  /** Every total, and every sum of days without one. */
  *totals(): Generator<LevelSums> {
    let last: bigint | number = -1;
    for (;;) {
      const found: { next: bigint | undefined; levels: LevelSums[] } = onSnapshot(this.db, () =>
        this.#totalsAfter(last),
      );
      yield* found.levels;
      if (found.next === undefined) return;
      last = found.next;
    }
  }

  #levelsOf(videoIds: readonly string[], hour: number): LevelSums[] {
    const found: LevelSums[] = [];
    const day = Math.floor(hour / HOURS_A_DAY);
    const days = this.#days();
    for (const videoId of videoIds) {
      const id = (this.#video.get(videoId) as { id: bigint } | undefined)?.id;
      if (id === undefined) continue;
      const add = (level: Level, startMs: number, stored: Row[], below: Row[]) =>
        found.push(...this.#joined(level, startMs, stored, below, () => videoId));
      const rows = (statement: StatementSync, ...values: (bigint | number | string)[]) =>
        statement.all(...values) as unknown as Row[];
      add("hour", hour * HOUR_MS, rows(this.#stored.hour, day, id, hour), rows(this.#below.hour, hour, id));
      add("day", day * DAY_MS, rows(this.#stored.day, day, id), rows(this.#below.day, day, id));
      add("total", 0, rows(this.#stored.total, id), rows(this.#below.total, days, id));
    }
    return found;
  }

  #totalsAfter(last: bigint | number): { next: bigint | undefined; levels: LevelSums[] } {
    const videos = this.#videosAfter.all(last, VIDEOS_AT_ONCE) as unknown as { id: bigint; name: string }[];
    const first = videos[0]?.id;
    const next = videos[videos.length - 1]?.id;
    if (first === undefined || next === undefined) return { next: undefined, levels: [] };
    const names = new Map(videos.map(({ id, name }) => [id, name]));
    const stored = this.#totals.all(first, next) as unknown as Row[];
    const below = this.#daysBelow.all(this.#days(), first, next) as unknown as Row[];
    return { next, levels: this.#joined("total", 0, stored, below, ({ video }) => names.get(video!) ?? "") };
  }

  #joined(
    level: Level,
    startMs: number,
    stored: readonly Row[],
    below: readonly Row[],
    videoOf: (row: Row) => string,
  ): LevelSums[] {
    const cells = new Map<string, LevelSums>();
    const cell = (row: Row): LevelSums => {
      const key = `${row.video ?? ""} ${row.type}`;
      let known = cells.get(key);
      if (known === undefined) {
        known = { level, startMs, videoId: videoOf(row), eventType: this.#nameOf(row.type), stored: ZERO, below: ZERO };
        cells.set(key, known);
      }
      return known;
    };
    for (const row of stored) cell(row).stored = sumsOf(row);
    for (const row of below) cell(row).below = sumsOf(row);
    return [...cells.values()];
  }

  /** The days there are, as JSON: cells are clustered by day, not by video. */
  #days(): string {
    const days: number[] = [];
    for (let day = Number.MIN_SAFE_INTEGER; ; ) {
      const next = this.#nextDay.get(day)?.day;
      if (typeof next !== "bigint") return JSON.stringify(days);
      day = Number(next);
      days.push(day);
    }
  }

  #nameOf(type: bigint): string {
    let name = this.#types.get(type);
    if (name === undefined) {
      name = String(this.#type.get(type)?.name);
      this.#types.set(type, name);
    }
    return name;
  }
}

const ZERO: Sums = { count: 0, sum: 0n, valued: 0 };

function sumsOf({ count, valued, sum_high, sum_low }: Row): Sums {
  return { count: Number(count), sum: (BigInt(sum_high) << 32n) + BigInt(sum_low), valued: Number(valued) };
}
