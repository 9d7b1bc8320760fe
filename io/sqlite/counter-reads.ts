/**
 * Everything that is read from counters.sqlite, over a given connection (the writer's own or a read-only one).
 * Synchronous: a caller that must stay responsive runs the heavy ones in a thread (reader-thread.ts).
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { MinuteCounts } from "../../domain/minute-counts";
import type { Cell, Granularity, LevelSums, Total, VideoCount } from "../ports";
import { onSnapshot, orUnavailable } from "./connection";
import { COUNTERS_FILE } from "./counter-schema";
import { LevelReader } from "./level-sums";
import { MinuteCellReader } from "./minute-cell-reader";
import { NameDictionary } from "./name-dictionary";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** Rows fetched at a time by the scans over everything: no read transaction is held between two of them. */
const PAGE_ROWS = 5000;
const CACHED_VIDEOS = 50_000;
const EMPTY_GROUPS_BEFORE_SKIP = 48;

/** Count and sum where both are exact as numbers, else null; `typeof` keeps out what a damaged column may hold. */
const SMALL = `iif(typeof(count) = 'integer' AND count < 9007199254740991, count, NULL) AS count,
  iif(typeof(sum_high) = 'integer' AND typeof(sum_low) = 'integer' AND sum_low BETWEEN 0 AND 4294967295
      AND sum_high BETWEEN -2097151 AND 2097150, sum_high * 4294967296 + sum_low, NULL) AS sum,
  iif(typeof(valued) = 'integer' AND valued < 9007199254740991, valued, NULL) AS valued, revision`;

type Named = { videoId: string; eventType: string };

export class CounterReads {
  readonly #videos: NameDictionary;
  readonly #types: NameDictionary;
  readonly #totals: StatementSync;
  /** Rows as arrays of numbers, three times as fast; null where a number would not be exact. */
  readonly #cells: Record<Granularity, StatementSync>;
  readonly #exactCells: Record<Granularity, StatementSync>;
  readonly #nextHour: StatementSync;
  readonly #nextDay: StatementSync;
  readonly #top: StatementSync;
  readonly #minutes: MinuteCellReader;
  readonly #levels: LevelReader;

  constructor(private readonly db: DatabaseSync) {
    this.#videos = new NameDictionary(db, "videos", CACHED_VIDEOS);
    this.#types = new NameDictionary(db, "types", 1000);
    const exact = (sql: string) => {
      const statement = db.prepare(sql);
      // sum_high may pass 2^53, where node:sqlite refuses to give a number.
      statement.setReadBigInts(true);
      return statement;
    };
    this.#totals = exact(
      `SELECT t.name AS type, c.count, c.valued, c.sum_high, c.sum_low, c.last_ms FROM total_cells c
         JOIN types t ON t.id = c.type WHERE c.video = ? AND c.count > 0 ORDER BY t.name`,
    );
    const cells = (prepare: (sql: string) => StatementSync, columns: string): Record<Granularity, StatementSync> => ({
      minute: prepare(
        `SELECT minute AS start, ${columns} FROM minute_cells
           WHERE hour = ? AND video = ? AND type = ? AND minute >= ? AND minute < ? AND count > 0 ORDER BY minute`,
      ),
      hour: prepare(
        `SELECT hour AS start, ${columns} FROM hour_cells
           WHERE day = ? AND video = ? AND type = ? AND hour >= ? AND hour < ? AND count > 0 ORDER BY hour`,
      ),
      day: prepare(
        `SELECT day AS start, ${columns} FROM day_cells WHERE day = ? AND video = ? AND type = ? AND count > 0`,
      ),
    });
    this.#exactCells = cells(exact, "count, valued, sum_high, sum_low, revision");
    this.#cells = cells((sql) => {
      const statement = db.prepare(sql);
      statement.setReturnArrays(true);
      return statement;
    }, SMALL);
    this.#nextHour = db.prepare("SELECT MIN(hour) AS next FROM minute_cells WHERE hour >= ?");
    this.#nextDay = db.prepare("SELECT MIN(day) AS next FROM day_cells WHERE day >= ?");
    this.#top = db.prepare(TOP);
    this.#minutes = new MinuteCellReader(db);
    this.#levels = new LevelReader(db);
  }

  /** Hours of [fromHour, toHour) that have minute cells. */
  async *storedHours(fromHour: number, toHour: number): AsyncGenerator<number, void, undefined> {
    for (let hour = fromHour; ; hour++) {
      const next = orUnavailable(COUNTERS_FILE, () => this.#nextHour.get(hour)?.next);
      if (typeof next !== "number" || next >= toHour) return;
      hour = next;
      yield hour;
    }
  }

  async *levels(videoIds: readonly string[], hour: number): AsyncGenerator<LevelSums, void, undefined> {
    yield* this.#levels.levels(videoIds, hour);
  }

  async *totalLevels(): AsyncGenerator<LevelSums, void, undefined> {
    yield* this.#levels.totals();
  }

  totals(videoId: string): Map<string, Total> {
    return orUnavailable(COUNTERS_FILE, () => {
      const video = this.#videos.known(videoId);
      const rows = video === undefined ? [] : this.#totals.all(video);
      return new Map(rows.map((row) => [String(row.type), { ...asCounts(row), lastEventAtMs: Number(row.last_ms) }]));
    });
  }

  read(videoId: string, eventType: string, startMs: number, endMs: number, granularity: Granularity): Cell[] {
    return orUnavailable(COUNTERS_FILE, () =>
      onSnapshot(this.db, () => {
        const video = this.#videos.known(videoId);
        const type = this.#types.known(eventType);
        if (video === undefined || type === undefined) return [];
        const unitMs = granularity === "minute" ? MINUTE_MS : granularity === "hour" ? HOUR_MS : DAY_MS;
        const from = Math.ceil(startMs / unitMs);
        const to = Math.ceil(endMs / unitMs);
        return this.#cellsOf(granularity, video, type, from, to, unitMs);
      }),
    );
  }

  top(eventType: string, startMs: number, endMs: number, limit: number): VideoCount[] {
    return orUnavailable(COUNTERS_FILE, () => {
      const type = this.#types.known(eventType);
      if (type === undefined || limit <= 0) return [];
      const values = { type, limit, ...topRanges(Math.floor(startMs / MINUTE_MS), Math.ceil(endMs / MINUTE_MS)) };
      return this.#top.all(values).map((row) => ({ videoId: String(row.name), count: Number(row.total) }));
    });
  }

  minuteCells(fromMinute: number, toMinute: number): AsyncIterable<MinuteCounts> {
    return this.#minutes.read(fromMinute, toMinute);
  }

  async *derivedCells(
    granularity: "hour" | "day",
    startMs: number,
    endMs: number,
  ): AsyncGenerator<Named & Cell, void, undefined> {
    const unitMs = granularity === "hour" ? HOUR_MS : DAY_MS;
    const from = Math.ceil(startMs / unitMs);
    const to = Math.ceil(endMs / unitMs);
    const firstDay = Math.floor((from * unitMs) / DAY_MS);
    const lastDay = Math.ceil((to * unitMs) / DAY_MS) - 1;
    const start = granularity === "hour" ? "c.hour" : "c.day";
    const key = granularity === "hour" ? "c.day, c.video, c.type, c.hour" : "c.day, c.video, c.type";
    const width = granularity === "hour" ? 4 : 3;
    const page = this.#page(
      `SELECT ${key}, ${start} AS start, v.name AS videoId, t.name AS eventType, c.count, c.valued, c.sum_high, c.sum_low, c.revision
         FROM ${granularity}_cells c JOIN videos v ON v.id = c.video JOIN types t ON t.id = c.type
         WHERE c.day >= ? AND c.day <= ? AND ${start} >= ? AND ${start} < ?
           AND (${key}) > (${Array(width).fill("?").join(", ")})
         ORDER BY ${key} LIMIT ${PAGE_ROWS}`,
    );
    // The day is fenced beside the key, because (a, b) > (x, y) alone would let the scan run past the range.
    let after: (number | bigint)[] = [firstDay - 1, 0, 0, 0].slice(0, width);
    for (;;) {
      const rows = page(Math.max(firstDay, Number(after[0])), lastDay, from, to, ...after);
      for (const row of rows)
        yield { ...named(row), startMs: Number(row.start) * unitMs, ...asCounts(row), revision: Number(row.revision) };
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE_ROWS) return;
      after = [last.day, last.video, last.type, last.hour].slice(0, width) as bigint[];
    }
  }

  async *allTotals(): AsyncGenerator<Named & Total, void, undefined> {
    const page = this.#page(
      `SELECT c.video, c.type, v.name AS videoId, t.name AS eventType, c.count, c.valued, c.sum_high, c.sum_low, c.last_ms
         FROM total_cells c JOIN videos v ON v.id = c.video JOIN types t ON t.id = c.type
         WHERE (c.video, c.type) > (?, ?) ORDER BY c.video, c.type LIMIT ${PAGE_ROWS}`,
    );
    let after: (number | bigint)[] = [-1, 0];
    for (;;) {
      const rows = page(...after);
      for (const row of rows) yield { ...named(row), ...asCounts(row), lastEventAtMs: Number(row.last_ms) };
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE_ROWS) return;
      after = [last.video, last.type] as bigint[];
    }
  }

  /** A video's cells are one range in every hour (minutes) or day (hours, days) of the wanted time. */
  #cellsOf(granularity: Granularity, video: number, type: number, from: number, to: number, unitMs: number): Cell[] {
    const perGroup = granularity === "minute" ? 60 : granularity === "hour" ? 24 : 1;
    const nextStored = granularity === "minute" ? this.#nextHour : this.#nextDay;
    const range = granularity === "day" ? [] : [from, to];
    const cells: Cell[] = [];
    let empty = EMPTY_GROUPS_BEFORE_SKIP;
    for (let group = Math.floor(from / perGroup); group * perGroup < to; group++) {
      if (empty >= EMPTY_GROUPS_BEFORE_SKIP) {
        // Over a gap (or a range that begins in 1970) one look-up finds where anything is stored at all.
        const next = nextStored.get(group)?.next;
        if (typeof next !== "number" || next * perGroup >= to) break;
        group = next;
        empty = 0;
      }
      const before = cells.length;
      const found = this.#cells[granularity].all(group, video, type, ...range) as unknown as (number | null)[][];
      if (found.every(isExact)) {
        for (const [start, count, sum, valued, revision] of found as number[][]) {
          const startMs = start! * unitMs;
          cells.push({ startMs, count: count!, sum: BigInt(sum!), valued: valued!, revision: revision! });
        }
      } else {
        for (const row of this.#exactCells[granularity].all(group, video, type, ...range)) {
          cells.push({ startMs: Number(row.start) * unitMs, ...asCounts(row), revision: Number(row.revision) });
        }
      }
      empty = cells.length > before ? 0 : empty + 1;
    }
    return cells;
  }

  #page(sql: string): (...values: (number | bigint)[]) => Record<string, unknown>[] {
    const statement = this.db.prepare(sql);
    statement.setReadBigInts(true);
    return (...values) => orUnavailable(COUNTERS_FILE, () => statement.all(...values));
  }
}

/** Only the videos that reach the count of the last place are looked up by name. */
const TOP = `
WITH sums AS MATERIALIZED (
  SELECT video, SUM(count) AS total FROM (
    SELECT video, count FROM day_cells WHERE day >= :fromDay AND day < :toDay AND type = :type
    UNION ALL
    SELECT video, count FROM hour_cells
      WHERE day >= :fromHourDay AND day <= :toHourDay AND type = :type
        AND hour >= :fromHour AND hour < :toHour AND (day < :fromDay OR day >= :toDay)
    UNION ALL
    SELECT video, count FROM minute_cells
      WHERE hour = :firstHour AND type = :type AND minute >= :fromMinute AND minute < :toMinute
        AND (hour < :fromHour OR hour >= :toHour)
    UNION ALL
    SELECT video, count FROM minute_cells
      WHERE hour = :lastHour AND :lastHour <> :firstHour AND type = :type AND minute >= :fromMinute AND minute < :toMinute
        AND (hour < :fromHour OR hour >= :toHour)
  ) GROUP BY video HAVING total > 0
)
SELECT name, total FROM sums JOIN videos ON videos.id = sums.video
WHERE total >= (SELECT MIN(total) FROM (SELECT total FROM sums ORDER BY total DESC LIMIT :limit))
ORDER BY total DESC, name LIMIT :limit`;

/** Whole days [fromDay, toDay), whole hours around them [fromHour, toHour), and the edges' minutes. Empty: from >= to. */
function topRanges(fromMinute: number, toMinute: number): Record<string, number> {
  const fromHour = Math.ceil(fromMinute / 60);
  const toHour = Math.max(fromHour, Math.floor(toMinute / 60));
  const fromDay = Math.ceil(fromHour / 24);
  const toDay = Math.max(fromDay, Math.floor(toHour / 24));
  return {
    fromDay,
    toDay,
    fromHour,
    toHour,
    fromHourDay: Math.floor(fromHour / 24),
    toHourDay: Math.floor((toHour - 1) / 24),
    firstHour: Math.floor(fromMinute / 60),
    lastHour: Math.floor((toMinute - 1) / 60),
    fromMinute,
    toMinute,
  };
}

function isExact(row: (number | null)[]): boolean {
  return row[1] !== null && row[2] !== null && row[3] !== null;
}

function asCounts(row: Record<string, unknown>): { count: number; sum: bigint; valued: number } {
  const sum = (asBigInt(row.sum_high) << 32n) + asBigInt(row.sum_low);
  return { count: Number(row.count), sum, valued: Number(row.valued) };
}

/** A damaged column may hold a REAL: still read, so that the audit can see and repair it. */
function asBigInt(value: unknown): bigint {
  if (typeof value === "bigint") return value;
  return typeof value === "number" && Number.isFinite(value) ? BigInt(Math.trunc(value)) : 0n;
}

function named(row: Record<string, unknown>): Named {
  return { videoId: String(row.videoId), eventType: String(row.eventType) };
}
