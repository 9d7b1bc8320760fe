// SPDX-License-Identifier: Apache-2.0
/**
 * The worker thread that alone writes log.sqlite: it commits groups of batches and trims in small chunks between them.
 * The thread survives a full disk: that commit fails, and the next may succeed. event-log.ts starts it.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { workerData } from "node:worker_threads";
import { inTransaction, openDatabase } from "./connection";
import {
  type CommitBatches,
  type Committed,
  LOG_SCHEMA,
  type LogThreadOptions,
  STAMP_RETENTION_MS,
  type TrimChunk,
  type Trimmed,
} from "./log-schema";
import { unpackPayloads } from "./payload-pack";
import { answerFrom } from "./thread-channel";

/** The pages of 8 KiB that a commit with a checkpoint writes and syncs at most: the longest stall of an append. */
const WAL_AUTOCHECKPOINT_PAGES = 1000;
/** The stamps pruned in one commit, so that no single append pays for a burst of them ten minutes later. */
const MAX_STAMPS_PRUNED = 2000;

/** 32 MiB: what a minute of heavy load takes and gives back. */
const KEPT_FREE_PAGES = 4_096;
const PAGES_A_SHRINK = 512;

class LogWriter {
  readonly #db: DatabaseSync;
  readonly #insertEntry: StatementSync;
  readonly #addAccepted: StatementSync;
  readonly #putStamp: StatementSync;
  readonly #pruneStamps: StatementSync;
  readonly #setState: StatementSync;
  readonly #oldest: StatementSync;
  readonly #deleteUpTo: StatementSync;
  readonly #freePages: StatementSync;
  readonly #setBack: StatementSync;
  #lastAppendedAtMs: number;
  #backlogBytes: number;

  constructor(options: LogThreadOptions) {
    const { file, busyTimeoutMs, maxFileBytes } = options;
    this.#db = openDatabase(file, LOG_SCHEMA, {
      walAutocheckpointPages: WAL_AUTOCHECKPOINT_PAGES,
      ...(busyTimeoutMs === undefined ? {} : { busyTimeoutMs }),
      ...(maxFileBytes === undefined ? {} : { maxFileBytes }),
    });
    const prepare = (sql: string) => this.#db.prepare(sql);
    this.#insertEntry = prepare(
      "INSERT INTO entries (appended_at_ms, events, size_bytes, payload) VALUES (?, ?, ?, ?)",
    );
    this.#addAccepted = prepare(
      "INSERT INTO accepted VALUES (?, ?) ON CONFLICT DO UPDATE SET events = events + CAST(excluded.events AS INTEGER)",
    );
    this.#putStamp = prepare(
      "INSERT INTO stamps VALUES (?, ?) ON CONFLICT DO UPDATE SET stamped_at_ms = excluded.stamped_at_ms",
    );
    this.#pruneStamps = prepare(
      `DELETE FROM stamps WHERE key IN
         (SELECT key FROM stamps INDEXED BY stamps_by_time WHERE stamped_at_ms <= ? LIMIT ${MAX_STAMPS_PRUNED})`,
    );
    this.#setState = prepare("UPDATE log_state SET last_appended_at_ms = ?, backlog_bytes = ?");
    this.#oldest = prepare("SELECT position, size_bytes FROM entries WHERE position <= ? ORDER BY position LIMIT ?");
    this.#deleteUpTo = prepare("DELETE FROM entries WHERE position <= ?");
    // Entries with later times are the last ones.
    this.#setBack = prepare(
      `UPDATE entries SET appended_at_ms = ? WHERE position >
         coalesce((SELECT position FROM entries WHERE appended_at_ms <= ? ORDER BY position DESC LIMIT 1), 0)`,
    );
    this.#freePages = prepare("PRAGMA freelist_count");
    const state = prepare("SELECT last_appended_at_ms, backlog_bytes FROM log_state").get();
    this.#lastAppendedAtMs = Number(state?.last_appended_at_ms ?? 0);
    this.#backlogBytes = Number(state?.backlog_bytes ?? 0);
  }

  get backlogBytes(): number {
    return this.#backlogBytes;
  }

  commit(batches: CommitBatches): Committed {
    const payloads = unpackPayloads(batches);
    const backlogBytes = this.#backlogBytes + batches.buffer.byteLength;
    let nowMs = 0;
    const positions = inTransaction(this.#db, () => {
      nowMs = Date.now();
      // The times of entries never decrease, and never lie ahead: an entry that is not counted holds completeThrough.
      if (nowMs < this.#lastAppendedAtMs) this.#setBack.run(nowMs, nowMs);
      const given = payloads.map((payload, index) =>
        Number(this.#insertEntry.run(nowMs, batches.events[index] ?? 0, payload.byteLength, payload).lastInsertRowid),
      );
      for (const [index, minute] of batches.acceptedMinutes.entries()) {
        this.#addAccepted.run(minute, batches.acceptedEvents[index] ?? 0);
      }
      for (const [index, key] of batches.stampKeys.entries()) {
        this.#putStamp.run(key, batches.stampTimesMs[index] ?? 0);
      }
      this.#pruneStamps.run(nowMs - STAMP_RETENTION_MS);
      this.#setState.run(nowMs, backlogBytes);
      return given;
    });
    this.#lastAppendedAtMs = nowMs;
    this.#backlogBytes = backlogBytes;
    return { positions, backlogBytes };
  }

  trim({ position, maxEntries }: TrimChunk): Trimmed {
    const oldest = this.#oldest.all(position, maxEntries);
    const last = oldest.at(-1)?.position;
    if (last === undefined) return { entries: 0, backlogBytes: this.#backlogBytes };
    const bytes = oldest.reduce((sum, entry) => sum + Number(entry.size_bytes), 0);
    const backlogBytes = this.#backlogBytes - bytes;
    inTransaction(this.#db, () => {
      this.#deleteUpTo.run(last);
      this.#setState.run(this.#lastAppendedAtMs, backlogBytes);
    });
    this.#backlogBytes = backlogBytes;
    this.#shrink();
    return { entries: oldest.length, backlogBytes };
  }

  /** What a backlog took of the disk goes back, a piece with each trim; what a live stream needs stays. */
  #shrink(): void {
    if (Number(this.#freePages.get()?.freelist_count) > KEPT_FREE_PAGES)
      this.#db.exec(`PRAGMA incremental_vacuum(${PAGES_A_SHRINK})`);
  }

  close(): void {
    this.#db.close();
  }
}

let writer: LogWriter | undefined;
/** Opens the writer at the first call, and again at the next call after a failure. */
function opened(): LogWriter {
  writer ??= new LogWriter(workerData as LogThreadOptions);
  return writer;
}

answerFrom(
  {
    open: () => ({ backlogBytes: opened().backlogBytes }),
    commit: (batches: CommitBatches) => opened().commit(batches),
    trim: (chunk: TrimChunk) => opened().trim(chunk),
  },
  () => {
    writer?.close();
    writer = undefined;
  },
);
