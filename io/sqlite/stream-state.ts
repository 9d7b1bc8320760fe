/**
 * The ledger, the checkpoint and the audit marks: tables of counters.sqlite, written by the stream and the audit,
 * read by the query service. Every write is one transaction and waits for the other processes'.
 */
import { join } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { BACKFILL_WRITER } from "../../domain/archive-name";
import type {
  ArchivedObject,
  AuditReport,
  DeferredRange,
  LedgerMinute,
  PartitionLedger,
  PendingRange,
  StreamState,
} from "../ports";
import { inTransaction, onSnapshot, orUnavailable } from "./connection";
import { COUNTERS_FILE, openCounters } from "./counter-schema";

export interface StreamStateOptions {
  /** The data folder; must exist. */
  folder: string;
  busyTimeoutMs?: number;
}

type Row = Record<string, unknown>;

export class SqliteStreamState implements StreamState {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** Throws `StoreUnavailableError`, `SchemaVersionError`. */
  constructor(options: StreamStateOptions) {
    const { folder, ...open } = options;
    this.#db = openCounters(join(folder, COUNTERS_FILE), { cacheBytes: 8 << 20, ...open });
  }

  async checkpoint(): Promise<number> {
    return Number(this.#all("SELECT checkpoint FROM stream_state")[0]?.checkpoint ?? 0);
  }

  async pending(): Promise<PendingRange | undefined> {
    const row = this.#all("SELECT pending_from, pending_to FROM stream_state")[0];
    if (row === undefined || row.pending_from === null) return undefined;
    return { fromPosition: Number(row.pending_from), toPosition: Number(row.pending_to) };
  }

  async setPending(range: PendingRange): Promise<void> {
    this.#write(() =>
      this.#run("UPDATE stream_state SET pending_from = ?, pending_to = ?", range.fromPosition, range.toPosition),
    );
  }

  async completePass(
    position: number,
    objects: readonly ArchivedObject[],
    changedMinutes: readonly number[],
    deferred?: DeferredRange,
  ): Promise<void> {
    this.#write(() => {
      this.#addObjects(objects, changedMinutes);
      if (deferred !== undefined) {
        const { fromPosition, toPosition, countedFromMinute } = deferred;
        this.#run(
          "INSERT OR REPLACE INTO deferred_ranges VALUES (?, ?, ?)",
          fromPosition,
          toPosition,
          countedFromMinute,
        );
      }
      this.#run(
        "UPDATE stream_state SET checkpoint = max(checkpoint, CAST(? AS INTEGER)), pending_from = NULL, pending_to = NULL",
        position,
      );
    });
  }

  async countedThrough(): Promise<number> {
    // One statement, and so one snapshot: a pass may end between two.
    const row = this.#all(
      "SELECT checkpoint, (SELECT MIN(from_position) FROM deferred_ranges) AS deferred FROM stream_state",
    )[0];
    const checkpoint = Number(row?.checkpoint ?? 0);
    return row === undefined || row.deferred === null ? checkpoint : Math.min(checkpoint, Number(row.deferred) - 1);
  }

  async deferred(): Promise<DeferredRange | undefined> {
    const row = this.#all("SELECT * FROM deferred_ranges ORDER BY from_position LIMIT 1")[0];
    return (
      row && {
        fromPosition: Number(row.from_position),
        toPosition: Number(row.to_position),
        countedFromMinute: Number(row.counted_from_minute),
      }
    );
  }

  async completeSlice(
    { fromPosition }: PendingRange,
    countedFromMinute: number | undefined,
    objects: readonly ArchivedObject[],
    changedMinutes: readonly number[],
  ): Promise<void> {
    this.#write(() => {
      this.#addObjects(objects, changedMinutes);
      if (countedFromMinute === undefined)
        this.#run("DELETE FROM deferred_ranges WHERE from_position = ?", fromPosition);
      else
        this.#run(
          "UPDATE deferred_ranges SET counted_from_minute = ? WHERE from_position = ?",
          countedFromMinute,
          fromPosition,
        );
    });
  }

  async addObjects(objects: readonly ArchivedObject[], changedMinutes: readonly number[]): Promise<void> {
    this.#write(() => this.#addObjects(objects, changedMinutes));
  }

  async archivedObjects(fromMinute: number, toMinute: number): Promise<ArchivedObject[]> {
    const rows = this.#all(
      `SELECT name, minute, events, size_bytes, accepted, messages FROM archived_objects
         WHERE minute >= ? AND minute < ? ORDER BY minute, name`,
      fromMinute,
      toMinute,
    );
    return rows.map((row) => ({
      name: String(row.name),
      minute: Number(row.minute),
      events: Number(row.events),
      sizeBytes: Number(row.size_bytes),
      ...(row.accepted === null ? {} : { accepted: Number(row.accepted) }),
      ...(row.messages === null ? {} : { messages: messagesOf(row) }),
    }));
  }

  async writeLedger(rows: readonly PartitionLedger[]): Promise<void> {
    this.#write(() => {
      for (const row of rows) {
        const { minute, partition, received, counted, duplicate, late, reusedIds } = row;
        // `late` and `reused_ids` only break ties: they grow with the pane as the other two do.
        this.#run(
          `INSERT INTO partition_ledger VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
             received = excluded.received, counted = excluded.counted, duplicate = excluded.duplicate,
             late = excluded.late, reused_ids = excluded.reused_ids
           WHERE (excluded.received, excluded.counted, excluded.late, excluded.reused_ids) >
             (partition_ledger.received, partition_ledger.counted, partition_ledger.late, partition_ledger.reused_ids)`,
          minute,
          partition,
          received,
          counted,
          duplicate,
          late,
          reusedIds,
        );
      }
    });
  }

  async ledger(fromMinute: number, toMinute: number): Promise<LedgerMinute[]> {
    const range = [fromMinute, toMinute] as const;
    const minutes = new Map<number, LedgerMinute>();
    orUnavailable(COUNTERS_FILE, () =>
      onSnapshot(this.#db, () => {
        const archived = this.#all(
          `SELECT minute, SUM(events) AS archived, SUM(iif(name LIKE '%/${BACKFILL_WRITER}-%', events, 0)) AS backfilled,
                  SUM(accepted) AS accepted
             FROM archived_objects WHERE minute >= ? AND minute < ? AND messages IS NULL GROUP BY minute`,
          ...range,
        );
        for (const row of archived) {
          Object.assign(ledgerMinute(minutes, Number(row.minute)), {
            accepted: Number(row.accepted),
            archived: Number(row.archived),
            backfilled: Number(row.backfilled),
          });
        }
        this.#addMessages(minutes, fromMinute, toMinute);
        const counted = this.#all(
          `SELECT minute, SUM(counted) AS counted, SUM(duplicate) AS duplicate, SUM(late) AS late,
                  SUM(reused_ids) AS reused_ids
             FROM partition_ledger WHERE minute >= ? AND minute < ? GROUP BY minute`,
          ...range,
        );
        for (const row of counted) {
          Object.assign(ledgerMinute(minutes, Number(row.minute)), {
            counted: Number(row.counted),
            duplicate: Number(row.duplicate),
            late: Number(row.late),
            reusedIds: Number(row.reused_ids),
          });
        }
      }),
    );
    return [...minutes.values()].sort((a, b) => a.minute - b.minute);
  }

  /** Objects that may repeat each other's messages: each message counts once a minute. */
  #addMessages(minutes: Map<number, LedgerMinute>, fromMinute: number, toMinute: number): void {
    const rows = this.#all(
      "SELECT minute, messages FROM archived_objects WHERE minute >= ? AND minute < ? AND messages IS NOT NULL",
      fromMinute,
      toMinute,
    );
    const known = new Set<string>();
    for (const row of rows) {
      const book = ledgerMinute(minutes, Number(row.minute));
      for (const { id, events, accepted } of messagesOf(row)) {
        const key = `${book.minute} ${id}`;
        if (known.has(key)) continue;
        known.add(key);
        book.archived += events;
        book.accepted += accepted;
      }
    }
  }

  async changeSequences(fromMinute: number, toMinute: number): Promise<Map<number, number>> {
    const rows = this.#all(
      `SELECT minute, change_sequence FROM minute_marks
         WHERE minute >= ? AND minute < ? AND change_sequence > 0 ORDER BY minute`,
      fromMinute,
      toMinute,
    );
    return new Map(rows.map((row) => [Number(row.minute), Number(row.change_sequence)]));
  }

  async markAudited(minutes: readonly { minute: number; changeSequence: number }[]): Promise<void> {
    this.#write(() => {
      for (const { minute, changeSequence } of minutes) {
        if (changeSequence === 0) this.#run("INSERT INTO minute_marks VALUES (?, 0, 0) ON CONFLICT DO NOTHING", minute);
        this.#run(
          "UPDATE minute_marks SET audited = 1 WHERE minute = ? AND change_sequence = ?",
          minute,
          changeSequence,
        );
      }
    });
  }

  async auditedCounts(fromMinute: number, toMinute: number, bucketMinutes: number): Promise<Map<number, number>> {
    // The remainder is taken twice because SQLite's is negative before 1970. CAST: numbers are bound as REAL.
    const rows = this.#all(
      `SELECT minute - (minute % w + w) % w AS bucket, COUNT(*) AS audited
         FROM minute_marks, (SELECT CAST(? AS INTEGER) AS w)
         WHERE minute >= ? AND minute < ? AND audited = 1 GROUP BY bucket ORDER BY bucket`,
      bucketMinutes,
      fromMinute,
      toMinute,
    );
    return new Map(rows.map((row) => [Number(row.bucket), Number(row.audited)]));
  }

  async setArchivedThrough(timeMs: number): Promise<void> {
    this.#write(() =>
      this.#run("UPDATE stream_state SET archived_through_ms = max(archived_through_ms, CAST(? AS INTEGER))", timeMs),
    );
  }

  async archivedThroughMs(): Promise<number> {
    return Number(this.#all("SELECT archived_through_ms FROM stream_state")[0]?.archived_through_ms ?? 0);
  }

  async addAudit(report: AuditReport): Promise<void> {
    this.#write(() =>
      this.#run(
        "INSERT OR REPLACE INTO audits (id, started_at_ms, report) VALUES (?, ?, ?)",
        report.id,
        report.startedAtMs,
        JSON.stringify(report),
      ),
    );
  }

  /** Newest first. */
  async audits(limit: number): Promise<AuditReport[]> {
    const rows = this.#all("SELECT report FROM audits ORDER BY started_at_ms DESC, id DESC LIMIT ?", limit);
    return rows.map((row) => JSON.parse(String(row.report)) as AuditReport);
  }

  async close(): Promise<void> {
    if (this.#db.isOpen) this.#db.close();
  }

  #addObjects(objects: readonly ArchivedObject[], changedMinutes: readonly number[]): void {
    for (const { minute, name, events, sizeBytes, accepted, messages } of objects) {
      this.#run(
        "INSERT OR REPLACE INTO archived_objects VALUES (?, ?, ?, ?, ?, ?)",
        minute,
        name,
        events,
        sizeBytes,
        accepted ?? null,
        messages === undefined ? null : JSON.stringify(messages),
      );
    }
    for (const minute of new Set(changedMinutes)) {
      this.#run(
        `INSERT INTO minute_marks VALUES (?, 1, 0)
           ON CONFLICT DO UPDATE SET change_sequence = change_sequence + 1, audited = 0`,
        minute,
      );
    }
  }

  #write(work: () => void): void {
    inTransaction(this.#db, work);
  }

  #all(sql: string, ...values: (number | string)[]): Row[] {
    return orUnavailable(COUNTERS_FILE, () => this.#prepared(sql).all(...values));
  }

  #run(sql: string, ...values: (number | string | null)[]): void {
    this.#prepared(sql).run(...values);
  }

  #prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

function messagesOf(row: Row): NonNullable<ArchivedObject["messages"]> {
  return JSON.parse(String(row.messages)) as NonNullable<ArchivedObject["messages"]>;
}

function ledgerMinute(minutes: Map<number, LedgerMinute>, minute: number): LedgerMinute {
  let found = minutes.get(minute);
  if (found === undefined) {
    found = { minute, accepted: 0, archived: 0, backfilled: 0, counted: 0, duplicate: 0, late: 0, reusedIds: 0 };
    minutes.set(minute, found);
  }
  return found;
}
