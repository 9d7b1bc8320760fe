// SPDX-License-Identifier: Apache-2.0
/**
 * A public data set as events: 3 million flights (npm vega-datasets), a video is the airport they left from. DuckDB
 * makes the events, and counts them again from the NDJSON that is sent, so that nothing of ours is in the expected
 * numbers.
 */
import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";

const DATA_SET = join(__dirname, "..", "..", "..", "..", "node_modules", "vega-datasets", "data", "flights-3m.parquet");
const ROWS = 3_000_000;
const WINDOW_MS = 2 * 3_600_000;

/** The numbers of one (video, type) in one bucket. Sums are text, because they are beyond 2^53. */
export interface ExpectedCell {
  videoId: string;
  eventType: string;
  startMs: number;
  count: number;
  sum: string;
}

interface ExpectedBooks {
  startMs: number;
  accepted: number;
  counted: number;
}

export class Flights {
  private constructor(private readonly db: DuckDBConnection) {}

  /**
   * Writes the NDJSON: `events` flights (a few airports have most of them) over the two hours before `endMs`; 5 % come
   * again, some of these with another value or time in the minute; 1 id in 5,000 is reused for another video or another
   * minute; all in disorder of some minutes.
   */
  static async write(file: string, events: number, endMs: number): Promise<Flights> {
    const db = await (await DuckDBInstance.create(":memory:")).connect();
    await db.run(`
      CREATE TABLE flights AS
        SELECT n, origin, distance, delay, md5(n::VARCHAR) AS h,
          (${endMs - WINDOW_MS} + floor(${WINDOW_MS} * pow(n / ${events}.0, 1.2)))::BIGINT AS t
        FROM (SELECT *, (row_number() OVER () - 1) // ${Math.floor(ROWS / events)} AS n,
                (row_number() OVER () - 1) % ${Math.floor(ROWS / events)} AS rest FROM '${DATA_SET}')
        WHERE rest = 0 AND n < ${events};
      CREATE TABLE events AS
        SELECT n, origin AS video, t,
          CASE WHEN n % 5 = 0 THEN 'flight-' || n
            ELSE h[1:8] || '-' || h[9:12] || '-4' || h[14:16] || '-8' || h[18:20] || '-' || h[21:32] END AS id,
          CASE WHEN n % 20 < 14 THEN 'VIEW' WHEN n % 20 < 17 THEN 'LIKE' WHEN n % 20 < 19 THEN 'SHARE' ELSE 'COMMENT' END AS type,
          CASE WHEN n % 20 < 14 THEN distance WHEN n % 20 < 17 THEN NULL WHEN n % 20 < 19 THEN delay
            ELSE distance * 1000000000000 END::BIGINT AS value,
          t + hash(n) % 180000 AS sent
        FROM flights;
      CREATE TABLE sent AS
        SELECT * FROM events
        UNION ALL
        SELECT n, video, CASE WHEN n % 3 = 0 THEN t // 60000 * 60000 + n % 1000 ELSE t END, id, type, value + n % 3 - 1,
          sent + hash(n + 1) % 900000
        FROM events WHERE (n * 7919) % 20 = 3
        UNION ALL
        SELECT n, video || '/codeshare', t, id, type, value, sent FROM events WHERE n % 10000 = 3
        UNION ALL
        SELECT n, video, t - 60000, id, type, value, sent FROM events WHERE n % 10000 = 4;
      COPY (SELECT '{"eventId":"' || id || '","videoId":"' || video || '","eventType":"' || type || '","eventTime":' ||
          CASE WHEN n % 2 = 0 THEN t::VARCHAR ELSE '"' || strftime(make_timestamp(t * 1000), '%Y-%m-%dT%H:%M:%S.%gZ') || '"' END ||
          coalesce(',"value":' || value, '') || '}' FROM sent ORDER BY sent, hash(id))
        TO '${file}' (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\t');
      DROP TABLE flights; DROP TABLE events; DROP TABLE sent;`);
    await db.run(`
      CREATE TABLE lines AS
        SELECT *, t // 60000 * 60000 AS minute FROM (
          SELECT eventId, videoId, eventType, value,
            coalesce(try_cast(eventTime AS BIGINT), epoch_ms(try_cast(eventTime AS TIMESTAMP))) AS t
          FROM read_json('${file}', format = 'newline_delimited',
            columns = {eventId: 'VARCHAR', videoId: 'VARCHAR', eventType: 'VARCHAR', eventTime: 'VARCHAR', value: 'BIGINT'}));
      CREATE TABLE counted AS
        SELECT eventId, videoId, eventType, minute, max(coalesce(value, 0))::HUGEINT AS value, max(t) AS t
        FROM lines GROUP BY ALL;`);
    return new Flights(db);
  }

  private async rows(sql: string): Promise<Record<string, unknown>[]> {
    return (await this.db.runAndReadAll(sql)).getRowObjectsJson();
  }

  async lineCount(): Promise<number> {
    return Number((await this.rows("SELECT count(*) AS n FROM lines"))[0]?.n);
  }

  async cells(lengthMs: number): Promise<ExpectedCell[]> {
    const rows = await this.rows(
      `SELECT videoId, eventType, minute // ${lengthMs} * ${lengthMs} AS start, count(*) AS n, sum(value)::VARCHAR AS sum
         FROM counted GROUP BY ALL`,
    );
    return rows.map(({ videoId, eventType, start, n, sum }) => ({
      videoId: String(videoId),
      eventType: String(eventType),
      startMs: Number(start),
      count: Number(n),
      sum: String(sum),
    }));
  }

  /** Key: `video type`. */
  async totals(): Promise<Map<string, { count: number; sum: string; lastEventAtMs: number }>> {
    const rows = await this.rows(
      `SELECT videoId, eventType, count(*) AS n, sum(value)::VARCHAR AS sum, max(t) AS last FROM counted GROUP BY ALL`,
    );
    return new Map(
      rows.map((row) => [
        `${row.videoId} ${row.eventType}`,
        { count: Number(row.n), sum: String(row.sum), lastEventAtMs: Number(row.last) },
      ]),
    );
  }

  async books(): Promise<ExpectedBooks[]> {
    const rows = await this.rows(
      `SELECT minute, accepted, counted FROM (SELECT minute, count(*) AS accepted FROM lines GROUP BY ALL)
         JOIN (SELECT minute, count(*) AS counted FROM counted GROUP BY ALL) USING (minute) ORDER BY minute`,
    );
    return rows.map((row) => ({
      startMs: Number(row.minute),
      accepted: Number(row.accepted),
      counted: Number(row.counted),
    }));
  }

  /** Ids that stand for more than one event, each further one counted, over the whole range. */
  async reusedIds(): Promise<number> {
    const [row] = await this.rows(
      `SELECT coalesce(sum(n - 1), 0)::BIGINT AS reused FROM
         (SELECT count(*) AS n FROM counted GROUP BY eventId HAVING n > 1)`,
    );
    return Number(row?.reused);
  }

  close(): void {
    this.db.closeSync();
  }
}
