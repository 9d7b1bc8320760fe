// SPDX-License-Identifier: Apache-2.0
/** Schema and migrations of the ledger. counter-schema.ts puts them into the file. */

/**
 * The tables of the books in counters.sqlite: the stream's place, the archive's list, the ledger, the marks and the
 * audits.
 */
export const STREAM_STATE = `
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

/** The tables of the books for a log that several processes share. */
export const SHARED_LOG = `
ALTER TABLE stream_state ADD COLUMN archived_through_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE archived_objects ADD COLUMN accepted INTEGER;
ALTER TABLE archived_objects ADD COLUMN messages TEXT;
`;

/** Log ranges of the embedded stream with older minutes that are still to be archived and counted. */
export const DEFERRED_RANGES = `
CREATE TABLE deferred_ranges (
  from_position INTEGER PRIMARY KEY, to_position INTEGER NOT NULL, counted_from_minute INTEGER NOT NULL
);
`;

/**
 * The accepted events by source, the progress of each process, and audited minutes as ranges: minute_marks keeps
 * minutes that have changed, and no others.
 */
export const ACCEPTANCE = `
ALTER TABLE archived_objects ADD COLUMN direct INTEGER;
-- Account: an ingest instance, or a part of its life; events: all it accepted of the minute.
CREATE TABLE promised (
  minute INTEGER NOT NULL, account TEXT NOT NULL, events INTEGER NOT NULL,
  PRIMARY KEY (minute, account)
) WITHOUT ROWID;
CREATE TABLE ingest_accounts (
  account TEXT PRIMARY KEY, sequence INTEGER NOT NULL, through_ms INTEGER NOT NULL, lease_until_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE archive_readers (
  reader TEXT PRIMARY KEY, through_ms INTEGER NOT NULL, lease_until_ms INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO archive_readers SELECT '', archived_through_ms, 0 FROM stream_state WHERE archived_through_ms > 0;
-- id: another with every event that is listed or booked.
CREATE TABLE open_minutes (id INTEGER PRIMARY KEY AUTOINCREMENT, minute INTEGER NOT NULL UNIQUE, since_ms INTEGER NOT NULL);
CREATE INDEX open_minutes_by_time ON open_minutes (since_ms, minute);
CREATE TABLE low_watermark (
  only INTEGER PRIMARY KEY CHECK (only = 1), through_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL
);
CREATE TABLE settled_late (
  minute INTEGER PRIMARY KEY, counted INTEGER NOT NULL, duplicate INTEGER NOT NULL, audited_at_ms INTEGER NOT NULL
);
-- Disjoint: their minutes are audited while their change sequence is 0.
CREATE TABLE audited_ranges (from_minute INTEGER PRIMARY KEY, to_minute INTEGER NOT NULL);
INSERT INTO audited_ranges
  SELECT min(minute), max(minute) + 1
    FROM (SELECT minute, minute - row_number() OVER (ORDER BY minute) AS island
            FROM minute_marks WHERE change_sequence = 0 AND audited = 1)
    GROUP BY island;
DELETE FROM minute_marks WHERE change_sequence = 0;
`;

/**
 * Losses that an operator has written off. settled_late.archived: all events that the audit counted; NULL: it counted
 * those alone that were late.
 */
export const WRITTEN_OFF = `
CREATE TABLE written_off (
  minute INTEGER PRIMARY KEY, events INTEGER NOT NULL, reason TEXT NOT NULL, at_ms INTEGER NOT NULL, audit_id TEXT NOT NULL
);
ALTER TABLE settled_late ADD COLUMN archived INTEGER;
`;

/** Minutes before this one keep no books, except those of events that were received after the expiry. */
export const EXPIRED_BOOKS = `
CREATE TABLE expired_books (only INTEGER PRIMARY KEY CHECK (only = 1), before_minute INTEGER NOT NULL);
INSERT INTO expired_books VALUES (1, ${Number.MIN_SAFE_INTEGER});
`;
