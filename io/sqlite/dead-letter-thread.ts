// SPDX-License-Identifier: Apache-2.0
/** The worker thread that appends to dead-letters.sqlite: group commit, like the log's. dead-letters.ts starts it. */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { workerData } from "node:worker_threads";
import { MINUTE_MS } from "../../domain/rules/time";
import { inTransaction, openDatabase } from "./connection";
import {
  type CommitLetters,
  DEAD_LETTERS_SCHEMA,
  type DeadLetterThreadOptions,
  letterBytes,
} from "./dead-letter-schema";
import { unpackPayloads } from "./payload-pack";
import { answerFrom } from "./thread-channel";

class DeadLetterWriter {
  readonly #db: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #addRejected: StatementSync;
  readonly #storedBytes: StatementSync;
  readonly #setStoredBytes: StatementSync;

  constructor(private readonly options: DeadLetterThreadOptions) {
    const { file, busyTimeoutMs, maxFileBytes } = options;
    this.#db = openDatabase(file, DEAD_LETTERS_SCHEMA, {
      ...(busyTimeoutMs === undefined ? {} : { busyTimeoutMs }),
      ...(maxFileBytes === undefined ? {} : { maxFileBytes }),
    });
    this.#insert = this.#db.prepare(
      `INSERT INTO letters (received_at_ms, reason, detail, event_id, content_type, source, payload)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#addRejected = this.#db.prepare(
      "INSERT INTO rejected VALUES (?, ?) ON CONFLICT DO UPDATE SET events = events + CAST(excluded.events AS INTEGER)",
    );
    this.#storedBytes = this.#db.prepare("SELECT stored_bytes FROM letters_state");
    this.#setStoredBytes = this.#db.prepare("UPDATE letters_state SET stored_bytes = ?");
  }

  /**
   * Returns one flag for each call of `append`: false when its letters would pass the size bound. None of them is
   * stored then.
   */
  commit({ calls, ...packed }: CommitLetters): boolean[] {
    const payloads = unpackPayloads(packed);
    return inTransaction(this.#db, () => {
      // Read in the transaction: another process (the pipeline) may append too, and the bound holds for both.
      let storedBytes = Number(this.#storedBytes.get()?.stored_bytes ?? 0);
      const rejected = new Map<number, number>();
      let next = 0;
      const stored = calls.map((letters) => {
        const contents = payloads.slice(next, next + letters.length);
        next += letters.length;
        const bytes = letters.reduce((sum, letter, index) => sum + letterBytes(letter, contents[index]!.byteLength), 0);
        if (storedBytes + bytes > this.options.maxBytes) return false;
        storedBytes += bytes;
        for (const [index, letter] of letters.entries()) {
          const { receivedAtMs, reason, detail, eventId, contentType, source } = letter;
          this.#insert.run(receivedAtMs, reason, detail, eventId ?? null, contentType, source, contents[index]!);
          const minute = Math.floor(receivedAtMs / MINUTE_MS);
          rejected.set(minute, (rejected.get(minute) ?? 0) + 1);
        }
        return true;
      });
      for (const [minute, events] of rejected) this.#addRejected.run(minute, events);
      this.#setStoredBytes.run(storedBytes);
      return stored;
    });
  }

  close(): void {
    this.#db.close();
  }
}

let writer: DeadLetterWriter | undefined;

answerFrom(
  {
    commit: (letters: CommitLetters) => {
      writer ??= new DeadLetterWriter(workerData as DeadLetterThreadOptions);
      return writer.commit(letters);
    },
  },
  () => {
    writer?.close();
    writer = undefined;
  },
);
