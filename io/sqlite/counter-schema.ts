/**
 * The tables of counters.sqlite. Keys are integers (dictionaries beside them); every level is clustered by time
 * first, because the stream writes one minute at a time and the audit and the top list read one hour at a time.
 * sum = sum_high * 2^32 + sum_low with 0 <= sum_low < 2^32, so it is exact far beyond 64 bits: sum_high itself has 63.
 */
import type { DatabaseSync } from "node:sqlite";
import { ACCEPTANCE, DEFERRED_RANGES, SHARED_LOG, STREAM_STATE } from "./books-schema";
import { type OpenOptions, openDatabase, openReadOnly, type Schema } from "./connection";

export const COUNTERS_FILE = "counters.sqlite";

const COUNTS = "count INTEGER NOT NULL, sum_high INTEGER NOT NULL, sum_low INTEGER NOT NULL";
/** In a view: exact up to 64 bits, a floating-point number beyond. */
const SUM = "sum_high * 4294967296 + sum_low AS sum";

function utc(seconds: string): string {
  return `strftime('%Y-%m-%dT%H:%M:%SZ', ${seconds}, 'unixepoch')`;
}

const COUNTERS = `
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

CREATE VIEW minute_counts AS
  SELECT v.name AS video, t.name AS type, ${utc("c.minute * 60")} AS minute_utc, count, ${SUM}, correction
  FROM minute_cells c JOIN videos v ON v.id = c.video JOIN types t ON t.id = c.type WHERE count > 0;
CREATE VIEW hour_counts AS
  SELECT v.name AS video, t.name AS type, ${utc("c.hour * 3600")} AS hour_utc, count, ${SUM}
  FROM hour_cells c JOIN videos v ON v.id = c.video JOIN types t ON t.id = c.type;
CREATE VIEW day_counts AS
  SELECT v.name AS video, t.name AS type, ${utc("c.day * 86400")} AS day_utc, count, ${SUM}
  FROM day_cells c JOIN videos v ON v.id = c.video JOIN types t ON t.id = c.type;
CREATE VIEW totals AS
  SELECT v.name AS video, t.name AS type, count, ${SUM}, ${utc("c.last_ms / 1000")} AS last_event_utc
  FROM total_cells c JOIN videos v ON v.id = c.video JOIN types t ON t.id = c.type;
`;

/**
 * Valued counts and revisions. A cell of before had its events with a value uncounted: all of them where its sum tells of values, else none
 * (assumedValued in domain/minute-counts.ts); the levels above add up their parts.
 */
const VALUED_AND_REVISION = `
ALTER TABLE minute_cells ADD COLUMN valued INTEGER NOT NULL DEFAULT 0;
ALTER TABLE minute_cells ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE hour_cells ADD COLUMN valued INTEGER NOT NULL DEFAULT 0;
ALTER TABLE hour_cells ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE day_cells ADD COLUMN valued INTEGER NOT NULL DEFAULT 0;
ALTER TABLE day_cells ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE total_cells ADD COLUMN valued INTEGER NOT NULL DEFAULT 0;
UPDATE minute_cells SET valued = count WHERE sum_high <> 0 OR sum_low <> 0;
UPDATE hour_cells SET valued = (SELECT ifnull(SUM(m.valued), 0) FROM minute_cells m
  WHERE m.hour = hour_cells.hour AND m.video = hour_cells.video AND m.type = hour_cells.type);
UPDATE day_cells SET valued = (SELECT ifnull(SUM(h.valued), 0) FROM hour_cells h
  WHERE h.day = day_cells.day AND h.video = day_cells.video AND h.type = day_cells.type);
UPDATE total_cells SET valued = s.valued
  FROM (SELECT video, type, SUM(valued) AS valued FROM day_cells GROUP BY video, type) s
  WHERE s.video = total_cells.video AND s.type = total_cells.type;
`;

/** The file holds the counters and the books of the stream (books-schema.ts): one list of migrations, one version. */
export const COUNTERS_SCHEMA: Schema = {
  version: 5,
  migrations: [COUNTERS + STREAM_STATE, SHARED_LOG, DEFERRED_RANGES, VALUED_AND_REVISION, ACCEPTANCE],
};

/** Opens for writing; creates the file when missing. Throws `StoreUnavailableError`, `SchemaVersionError`. */
export function openCounters(file: string, options: OpenOptions = {}): DatabaseSync {
  return openDatabase(file, COUNTERS_SCHEMA, { cacheBytes: 64 << 20, walAutocheckpointPages: 4000, ...options });
}

/** Opens for reading only; creates the file when missing. Throws `StoreUnavailableError`, `SchemaVersionError`. */
export function openCountersReadOnly(file: string, options: OpenOptions = {}): DatabaseSync {
  return openReadOnly(file, COUNTERS_SCHEMA, options);
}
