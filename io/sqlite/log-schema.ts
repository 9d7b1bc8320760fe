// SPDX-License-Identifier: Apache-2.0
/**
 * The tables of log.sqlite and what the log's thread is asked and answers. The writer, its thread and the reader of the
 * log share it.
 */
import { STAMP_MEMORY_MS } from "../ports/receipt-stamps";
import type { Schema } from "./connection";
import type { PackedPayloads } from "./payload-pack";

export const LOG_FILE = "log.sqlite";

/** A stamp is remembered this long. */
export const STAMP_RETENTION_MS = STAMP_MEMORY_MS;

export const LOG_SCHEMA: Schema = {
  version: 2,
  shrinks: true,
  // Payloads are some 16 KB: larger pages mean fewer of them in an overflow chain.
  pageSizeBytes: 8192,
  migrations: [
    `CREATE TABLE entries (
       position INTEGER PRIMARY KEY AUTOINCREMENT,
       appended_at_ms INTEGER NOT NULL,
       events INTEGER NOT NULL,
       size_bytes INTEGER NOT NULL,
       payload BLOB NOT NULL
     );
     CREATE TABLE accepted (minute INTEGER PRIMARY KEY, events INTEGER NOT NULL);
     CREATE TABLE stamps (key TEXT PRIMARY KEY, stamped_at_ms INTEGER NOT NULL) WITHOUT ROWID;
     CREATE INDEX stamps_by_time ON stamps (stamped_at_ms);
     -- One row: the newest entry's time and the bytes not yet trimmed, kept so that neither needs a scan.
     CREATE TABLE log_state (
       only INTEGER PRIMARY KEY CHECK (only = 1),
       last_appended_at_ms INTEGER NOT NULL,
       backlog_bytes INTEGER NOT NULL
     );
     INSERT INTO log_state VALUES (1, 0, 0);`,
    // The file is rewritten once, so that it can shrink.
    "",
  ],
};

export interface LogThreadOptions {
  file: string;
  busyTimeoutMs: number | undefined;
  maxFileBytes: number | undefined;
}

/** One transaction's worth of batches. */
export interface CommitBatches extends PackedPayloads {
  events: number[];
  /** Coalesced over the batches. */
  acceptedMinutes: number[];
  acceptedEvents: number[];
  stampKeys: string[];
  stampTimesMs: number[];
}

export interface Committed {
  positions: number[];
  backlogBytes: number;
}

export interface TrimChunk {
  position: number;
  maxEntries: number;
}

export interface Trimmed {
  entries: number;
  backlogBytes: number;
}
