// SPDX-License-Identifier: Apache-2.0
/** The tables of dead-letters.sqlite, and the calls of its thread. dead-letters.ts and its thread share it. */
import type { NewDeadLetter } from "../ports";
import type { Schema } from "./connection";
import type { PackedPayloads } from "./payload-pack";

export const DEAD_LETTERS_FILE = "dead-letters.sqlite";

export const DEAD_LETTERS_SCHEMA: Schema = {
  version: 2,
  shrinks: true,
  migrations: [
    `CREATE TABLE letters (
       id INTEGER PRIMARY KEY AUTOINCREMENT,
       received_at_ms INTEGER NOT NULL,
       reason TEXT NOT NULL,
       detail TEXT NOT NULL,
       event_id TEXT,
       content_type TEXT NOT NULL,
       source TEXT NOT NULL,
       replayed_at_ms INTEGER,
       payload BLOB NOT NULL
     );
     CREATE TABLE rejected (minute INTEGER PRIMARY KEY, events INTEGER NOT NULL);
     CREATE TABLE letters_state (only INTEGER PRIMARY KEY CHECK (only = 1), stored_bytes INTEGER NOT NULL);
     INSERT INTO letters_state VALUES (1, 0);
     CREATE VIEW dead_letters AS
       SELECT id, strftime('%Y-%m-%dT%H:%M:%SZ', received_at_ms / 1000, 'unixepoch') AS received_utc,
              reason, detail, event_id, content_type, source,
              strftime('%Y-%m-%dT%H:%M:%SZ', replayed_at_ms / 1000, 'unixepoch') AS replayed_utc, payload
       FROM letters;`,
    "CREATE INDEX letters_by_time ON letters (received_at_ms)",
  ],
};

export interface DeadLetterThreadOptions {
  file: string;
  maxBytes: number;
  busyTimeoutMs: number | undefined;
  maxFileBytes: number | undefined;
}

/** The calls of one group, with their payloads packed in order. */
export interface CommitLetters extends PackedPayloads {
  calls: Omit<NewDeadLetter, "payload">[][];
}

/** The bytes of a letter that count towards the bound: its payload, its text and some 100 bytes of row. */
export function letterBytes(letter: { detail: string; eventId?: string }, payloadBytes: number): number {
  return payloadBytes + 2 * letter.detail.length + (letter.eventId?.length ?? 0) + 100;
}
