/**
 * The tables of counters.sqlite. Keys are integers (dictionaries beside them); every level is clustered by time
 * first, because the stream writes one minute at a time and the audit and the top list read one hour at a time.
 * sum = sum_high * 2^32 + sum_low with 0 <= sum_low < 2^32, so it is exact far beyond 64 bits: sum_high itself has 63.
 */
import type { DatabaseSync } from "node:sqlite";
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

const STREAM_STATE = `
CREATE TABLE stream_state (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  checkpoint INTEGER NOT NULL, pending_from INTEGER, pending_to INTEGER
);
INSERT INTO stream_state VALUES (1, 0, NULL, NULL);
CREATE TABLE archived_objects (
  minute INTEGER NOT NULL, name TEXT NOT NULL, events INTEGER NOT NULL, size_bytes INTEGER NOT NULL,
  PRIMARY KEY (minute, name)
) WITHOUT ROWID;
CREATE TABLE partition_ledger (
  minute INTEGER NOT NULL, partition INTEGER NOT NULL,
  received INTEGER NOT NULL, counted INTEGER NOT NULL, duplicate INTEGER NOT NULL,
  late INTEGER NOT NULL, reused_ids INTEGER NOT NULL,
  PRIMARY KEY (minute, partition)
) WITHOUT ROWID;
-- change_sequence grows with every change of the minute; audited: equal to the archive, and not changed since.
CREATE TABLE minute_marks (minute INTEGER PRIMARY KEY, change_sequence INTEGER NOT NULL, audited INTEGER NOT NULL);
CREATE TABLE audits (id TEXT PRIMARY KEY, started_at_ms INTEGER NOT NULL, report TEXT NOT NULL);
CREATE INDEX audits_by_time ON audits (started_at_ms);
`;

/** What a log that several processes share needs of the books. */
const SHARED_LOG = `
ALTER TABLE stream_state ADD COLUMN archived_through_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE archived_objects ADD COLUMN accepted INTEGER;
ALTER TABLE archived_objects ADD COLUMN messages TEXT;
`;

/** Log ranges of the embedded stream of which older minutes are still to be archived and counted. */
const DEFERRED_RANGES = `
CREATE TABLE deferred_ranges (
  from_position INTEGER PRIMARY KEY, to_position INTEGER NOT NULL, counted_from_minute INTEGER NOT NULL
);
`;

export const COUNTERS_SCHEMA: Schema = {
  version: 3,
  migrations: [COUNTERS + STREAM_STATE, SHARED_LOG, DEFERRED_RANGES],
};

/** Opens for writing; creates the file when missing. Throws `StoreUnavailableError`, `SchemaVersionError`. */
export function openCounters(file: string, options: OpenOptions = {}): DatabaseSync {
  return openDatabase(file, COUNTERS_SCHEMA, { cacheBytes: 64 << 20, walAutocheckpointPages: 4000, ...options });
}

/** Opens for reading only; creates the file when missing. Throws `StoreUnavailableError`, `SchemaVersionError`. */
export function openCountersReadOnly(file: string, options: OpenOptions = {}): DatabaseSync {
  return openReadOnly(file, COUNTERS_SCHEMA, options);
}
