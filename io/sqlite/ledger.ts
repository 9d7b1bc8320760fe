// SPDX-License-Identifier: Apache-2.0
/**
 * The ledger, the checkpoint and the audit marks: tables of counters.sqlite, written by the stream, ingest, archivers
 * and audits, read by the query service. Every transaction is short, and waits for the other processes'.
 */
import { join } from "node:path";
import type {
  ArchivedObject,
  ArchiveReader,
  AuditedRange,
  AuditReport,
  BookRetention,
  DeferredRange,
  EmbeddedLedger,
  IngestAccount,
  IngestBooking,
  LedgerMinute,
  LedgerRow,
  ListedOpenMinute,
  PendingRange,
  SettledMinute,
  WriteOff,
} from "../ports";
import { COUNTERS_FILE, openCounters } from "./counter-schema";
import * as acceptance from "./ledger-acceptance";
import * as books from "./ledger-books";
import * as expiry from "./ledger-expiry";
import * as marks from "./ledger-marks";
import { Statements } from "./statements";

interface SqliteLedgerOptions {
  /** The data folder; must exist. */
  folder: string;
  busyTimeoutMs?: number;
}

/** Minutes that the end of a pass lists in one transaction with its checkpoint. */
const MINUTES_AT_ONCE = 1_000;

export class SqliteLedger implements EmbeddedLedger, BookRetention {
  readonly #ledger: Statements;

  /** Throws `StoreUnavailableError`, `SchemaVersionError`. */
  constructor(options: SqliteLedgerOptions) {
    const { folder, ...open } = options;
    this.#ledger = new Statements(
      openCounters(join(folder, COUNTERS_FILE), { cacheBytes: 8 << 20, ...open }),
      COUNTERS_FILE,
    );
  }

  async checkpoint(): Promise<number> {
    return Number(this.#ledger.all("SELECT checkpoint FROM stream_state")[0]?.checkpoint ?? 0);
  }

  async pending(): Promise<PendingRange | undefined> {
    const row = this.#ledger.all("SELECT pending_from, pending_to FROM stream_state")[0];
    if (row === undefined || row.pending_from === null) return undefined;
    return { fromPosition: Number(row.pending_from), toPosition: Number(row.pending_to) };
  }

  async setPending(range: PendingRange): Promise<void> {
    this.#ledger.write(() =>
      this.#ledger.run(
        "UPDATE stream_state SET pending_from = ?, pending_to = ?",
        range.fromPosition,
        range.toPosition,
      ),
    );
  }

  async completePass(
    position: number,
    objects: readonly ArchivedObject[],
    changedMinutes: readonly number[],
    deferred?: DeferredRange,
  ): Promise<void> {
    await this.#listAnd(objects, changedMinutes, () => {
      if (deferred !== undefined) {
        const { fromPosition, toPosition, countedFromMinute } = deferred;
        this.#ledger.run(
          "INSERT OR REPLACE INTO deferred_ranges VALUES (?, ?, ?)",
          fromPosition,
          toPosition,
          countedFromMinute,
        );
      }
      this.#ledger.run(
        "UPDATE stream_state SET checkpoint = max(checkpoint, CAST(? AS INTEGER)), pending_from = NULL, pending_to = NULL",
        position,
      );
    });
  }

  async countedThrough(): Promise<number> {
    // One statement, and so one snapshot: a pass may end between two.
    const row = this.#ledger.all(
      "SELECT checkpoint, (SELECT MIN(from_position) FROM deferred_ranges) AS deferred FROM stream_state",
    )[0];
    const checkpoint = Number(row?.checkpoint ?? 0);
    return row === undefined || row.deferred === null ? checkpoint : Math.min(checkpoint, Number(row.deferred) - 1);
  }

  async deferred(): Promise<DeferredRange | undefined> {
    const row = this.#ledger.all("SELECT * FROM deferred_ranges ORDER BY from_position LIMIT 1")[0];
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
    await this.#listAnd(objects, changedMinutes, () => {
      if (countedFromMinute === undefined)
        this.#ledger.run("DELETE FROM deferred_ranges WHERE from_position = ?", fromPosition);
      else
        this.#ledger.run(
          "UPDATE deferred_ranges SET counted_from_minute = ? WHERE from_position = ?",
          countedFromMinute,
          fromPosition,
        );
    });
  }

  addObjects(objects: readonly ArchivedObject[], changedMinutes: readonly number[]): Promise<void> {
    return this.#list(books.byMinute(objects, changedMinutes));
  }

  expireObjects(objects: readonly { minute: number; name: string }[]): Promise<void> {
    const byMinute = [...Map.groupBy(objects, ({ minute }) => minute)];
    return this.#ledger.writeInPieces(byMinute, ([minute, ofMinute]) => {
      for (const { name } of ofMinute)
        this.#ledger.run("UPDATE archived_objects SET size_bytes = 0 WHERE minute = ? AND name = ?", minute, name);
      expiry.foldExpired(this.#ledger, minute);
    });
  }

  expireBooks(beforeMinute: number): Promise<number> {
    return expiry.expireBooks(this.#ledger, beforeMinute);
  }

  expireAudits(beforeMs: number): Promise<number> {
    return expiry.expireAudits(this.#ledger, beforeMs);
  }

  async archivedObjects(fromMinute: number, toMinute: number): Promise<ArchivedObject[]> {
    return books.archivedObjects(this.#ledger, fromMinute, toMinute);
  }

  writeRows(rows: readonly LedgerRow[]): Promise<void> {
    return this.#ledger.writeInPieces(rows, (row) => books.writePartition(this.#ledger, row));
  }

  async books(fromMinute: number, toMinute: number): Promise<LedgerMinute[]> {
    return books.ledgerMinutes(this.#ledger, fromMinute, toMinute);
  }

  async changeSequences(fromMinute: number, toMinute: number): Promise<Map<number, number>> {
    return marks.changeSequences(this.#ledger, fromMinute, toMinute);
  }

  markAudited(range: AuditedRange): Promise<void> {
    return marks.markAudited(this.#ledger, range);
  }

  async auditedCounts(fromMinute: number, toMinute: number, bucketMinutes: number): Promise<Map<number, number>> {
    return marks.auditedCounts(this.#ledger, { fromMinute, toMinute }, bucketMinutes);
  }

  settleLate(rows: readonly SettledMinute[], { auditedAtMs }: { auditedAtMs: number }): Promise<void> {
    return this.#ledger.writeInPieces(rows, (row) => books.settleMinute(this.#ledger, row, auditedAtMs));
  }

  writeOff(losses: readonly WriteOff[]): Promise<void> {
    return this.#ledger.writeInPieces(losses, (loss) => books.writeOffMinute(this.#ledger, loss));
  }

  bookAccepted(booking: IngestBooking): Promise<void> {
    return acceptance.bookAccepted(this.#ledger, booking);
  }

  async ingestAccounts(): Promise<IngestAccount[]> {
    return acceptance.ingestAccounts(this.#ledger);
  }

  async setArchivedThrough(reader: string, timeMs: number, leaseUntilMs: number): Promise<void> {
    acceptance.setArchivedThrough(this.#ledger, reader, timeMs, leaseUntilMs);
  }

  async archiveReaders(): Promise<ArchiveReader[]> {
    return acceptance.archiveReaders(this.#ledger);
  }

  async openMinutes(limit: number): Promise<ListedOpenMinute[]> {
    return acceptance.openMinutes(this.#ledger, limit);
  }

  closeMinutes(open: readonly ListedOpenMinute[]): Promise<void> {
    return acceptance.closeMinutes(this.#ledger, open);
  }

  async completeThroughMs(): Promise<number | undefined> {
    return acceptance.completeThroughMs(this.#ledger);
  }

  async setCompleteThrough(timeMs: number, atMs: number): Promise<void> {
    acceptance.setCompleteThrough(this.#ledger, timeMs, atMs);
  }

  async addAudit(report: AuditReport): Promise<void> {
    this.#ledger.write(() =>
      this.#ledger.run(
        "INSERT OR REPLACE INTO audits (id, started_at_ms, report) VALUES (?, ?, ?)",
        report.id,
        report.startedAtMs,
        JSON.stringify(report),
      ),
    );
  }

  /** Newest first. */
  async audits(limit: number): Promise<AuditReport[]> {
    const rows = this.#ledger.all("SELECT report FROM audits ORDER BY started_at_ms DESC, id DESC LIMIT ?", limit);
    return rows.map((row) => JSON.parse(String(row.report)) as AuditReport);
  }

  async close(): Promise<void> {
    if (this.#ledger.db.isOpen) this.#ledger.db.close();
  }

  /** Objects beyond one short transaction are listed before it: listing the same again changes nothing. */
  async #listAnd(
    objects: readonly ArchivedObject[],
    changedMinutes: readonly number[],
    end: () => void,
  ): Promise<void> {
    const minutes = books.byMinute(objects, changedMinutes);
    await this.#list(minutes.slice(MINUTES_AT_ONCE));
    this.#ledger.write(() => {
      for (const minute of minutes.slice(0, MINUTES_AT_ONCE)) books.listObjects(this.#ledger, minute, Date.now());
      end();
    });
  }

  #list(minutes: readonly books.MinuteObjects[]): Promise<void> {
    const nowMs = Date.now();
    return this.#ledger.writeInPieces(minutes, (minute) => books.listObjects(this.#ledger, minute, nowMs));
  }
}
