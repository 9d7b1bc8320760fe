// SPDX-License-Identifier: Apache-2.0
/**
 * Reads log.sqlite over a read-only connection: in the process that appends, and in any other (the stream
 * pipeline's). Never waits for the writer (WAL). Every method may reject with `StoreUnavailableError`.
 */
import { join } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { EmbeddedLog, LogEntry, Stamp } from "../ports";
import { openReadOnly, orUnavailable } from "./connection";
import { LOG_FILE, LOG_SCHEMA, STAMP_RETENTION_MS } from "./log-schema";

interface LogReaderOptions {
  /** The data folder; log.sqlite in it is created when missing. */
  folder: string;
  busyTimeoutMs?: number;
}

/** The page cache. Nearly every page of the log is read once, so that a larger cache holds what nobody reads again. */
const CACHE_BYTES = 2 << 20;

type ReadingEventLog = Pick<
  EmbeddedLog,
  "read" | "firstAfter" | "head" | "accepted" | "recentStamps" | "backlogBytes" | "close"
>;

export class SqliteLogReader implements ReadingEventLog {
  readonly #db: DatabaseSync;
  readonly #entries: StatementSync;
  readonly #first: StatementSync;
  readonly #head: StatementSync;
  readonly #accepted: StatementSync;
  readonly #stamps: StatementSync;
  readonly #state: StatementSync;

  /** Throws `StoreUnavailableError`, `SchemaVersionError`. */
  constructor(options: LogReaderOptions) {
    const { folder, ...open } = options;
    this.#db = openReadOnly(join(folder, LOG_FILE), LOG_SCHEMA, { cacheBytes: CACHE_BYTES, ...open });
    const prepare = (sql: string) => this.#db.prepare(sql);
    this.#entries = prepare(
      "SELECT position, appended_at_ms, events, payload FROM entries WHERE position > ? ORDER BY position LIMIT ?",
    );
    this.#first = prepare("SELECT position, appended_at_ms FROM entries WHERE position > ? ORDER BY position LIMIT 1");
    this.#head = prepare("SELECT seq FROM sqlite_sequence WHERE name = 'entries'");
    this.#accepted = prepare("SELECT minute, events FROM accepted WHERE minute >= ? AND minute < ? ORDER BY minute");
    this.#stamps = prepare("SELECT key, stamped_at_ms FROM stamps WHERE stamped_at_ms > ? ORDER BY stamped_at_ms");
    this.#state = prepare("SELECT backlog_bytes FROM log_state");
  }

  async read(after: number, maxEntries: number, maxBytes: number): Promise<LogEntry[]> {
    return orUnavailable(LOG_FILE, () => {
      const entries: LogEntry[] = [];
      let bytes = 0;
      for (const row of this.#entries.iterate(after, maxEntries)) {
        const payload = row.payload as Uint8Array;
        if (entries.length > 0 && bytes + payload.byteLength > maxBytes) break;
        bytes += payload.byteLength;
        entries.push({
          position: Number(row.position),
          payload,
          events: Number(row.events),
          appendedAtMs: Number(row.appended_at_ms),
        });
        if (bytes >= maxBytes) break;
      }
      return entries;
    });
  }

  async firstAfter(after: number): Promise<{ position: number; appendedAtMs: number } | undefined> {
    const row = orUnavailable(LOG_FILE, () => this.#first.get(after));
    return row && { position: Number(row.position), appendedAtMs: Number(row.appended_at_ms) };
  }

  async head(): Promise<number> {
    return Number(orUnavailable(LOG_FILE, () => this.#head.get())?.seq ?? 0);
  }

  async accepted(fromMinute: number, toMinute: number): Promise<Map<number, number>> {
    const rows = orUnavailable(LOG_FILE, () => this.#accepted.all(fromMinute, toMinute));
    return new Map(rows.map((row) => [Number(row.minute), Number(row.events)]));
  }

  async recentStamps(nowMs: number): Promise<Stamp[]> {
    const rows = orUnavailable(LOG_FILE, () => this.#stamps.all(nowMs - STAMP_RETENTION_MS));
    return rows.map((row) => ({ key: String(row.key), stampedAtMs: Number(row.stamped_at_ms) }));
  }

  async backlogBytes(): Promise<number> {
    return Number(orUnavailable(LOG_FILE, () => this.#state.get())?.backlog_bytes ?? 0);
  }

  async close(): Promise<void> {
    if (this.#db.isOpen) this.#db.close();
  }
}
