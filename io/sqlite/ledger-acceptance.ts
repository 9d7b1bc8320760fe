// SPDX-License-Identifier: Apache-2.0
/**
 * The accepted events by source, and the progress of ingest and archivers: the ledger's tables for a log that several
 * processes share.
 */
import { DAY_MS } from "../../domain/rules/time";
import type { ArchiveReader, IngestAccount, IngestBooking, ListedOpenMinute } from "../ports";
import type { Statements } from "./statements";

/** An account without a booking for this long is forgotten; its promised events are kept. */
const ACCOUNT_KEPT_MS = 7 * DAY_MS;

/**
 * Writes the accepted events first and the account's progress second: in between the account promises less than it
 * could.
 */
export async function bookAccepted(ledger: Statements, booking: IngestBooking): Promise<void> {
  const { instance, sequence, minutes, sinceMs, throughMs, leaseUntilMs } = booking;
  await ledger.writeInPieces(minutes, ([minute, events]) => {
    ledger.run(
      "INSERT INTO promised VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET events = max(events, excluded.events)",
      minute,
      instance,
      events,
    );
    openMinute(ledger, minute, sinceMs);
  });
  ledger.write(() => {
    ledger.run(
      `INSERT INTO ingest_accounts VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET
         sequence = excluded.sequence, through_ms = excluded.through_ms, lease_until_ms = excluded.lease_until_ms
       WHERE excluded.sequence > ingest_accounts.sequence`,
      instance,
      sequence,
      throughMs,
      leaseUntilMs,
    );
    ledger.run("DELETE FROM ingest_accounts WHERE through_ms < ?", throughMs - ACCOUNT_KEPT_MS);
  });
}

export function ingestAccounts(ledger: Statements): IngestAccount[] {
  const rows = ledger.all(
    "SELECT account, through_ms, lease_until_ms FROM ingest_accounts WHERE lease_until_ms > 0 ORDER BY account",
  );
  return rows.map((row) => ({
    instance: String(row.account),
    throughMs: Number(row.through_ms),
    leaseUntilMs: Number(row.lease_until_ms),
  }));
}

export function setArchivedThrough(ledger: Statements, reader: string, timeMs: number, leaseUntilMs: number): void {
  ledger.write(() =>
    ledger.run(
      `INSERT INTO archive_readers VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET
         through_ms = max(through_ms, excluded.through_ms), lease_until_ms = excluded.lease_until_ms`,
      reader,
      timeMs,
      leaseUntilMs,
    ),
  );
}

export function archiveReaders(ledger: Statements): ArchiveReader[] {
  return ledger.all("SELECT * FROM archive_readers ORDER BY reader").map((row) => ({
    reader: String(row.reader),
    throughMs: Number(row.through_ms),
    leaseUntilMs: Number(row.lease_until_ms),
  }));
}

/** Runs within the transaction that lists or books the events for which the minute is open. */
export function openMinute(ledger: Statements, minute: number, sinceMs: number): void {
  ledger.run(
    `INSERT OR REPLACE INTO open_minutes (minute, since_ms)
       SELECT ?1, min(?2, coalesce((SELECT since_ms FROM open_minutes WHERE minute = ?1), ?2))`,
    minute,
    sinceMs,
  );
}

export function openMinutes(ledger: Statements, limit: number): ListedOpenMinute[] {
  return ledger.all("SELECT * FROM open_minutes ORDER BY since_ms, minute LIMIT ?", limit).map((row) => ({
    minute: Number(row.minute),
    sinceMs: Number(row.since_ms),
    token: String(row.id),
  }));
}

export function closeMinutes(ledger: Statements, open: readonly ListedOpenMinute[]): Promise<void> {
  return ledger.writeInPieces(open, ({ minute, token }) =>
    ledger.run("DELETE FROM open_minutes WHERE minute = ? AND id = ?", minute, Number(token)),
  );
}

export function completeThroughMs(ledger: Statements): number | undefined {
  const row = ledger.all("SELECT through_ms FROM low_watermark")[0];
  return row === undefined ? undefined : Number(row.through_ms);
}

export function setCompleteThrough(ledger: Statements, timeMs: number, atMs: number): void {
  ledger.write(() =>
    ledger.run(
      `INSERT INTO low_watermark VALUES (1, ?, ?) ON CONFLICT DO UPDATE SET through_ms = excluded.through_ms,
         at_ms = excluded.at_ms WHERE excluded.at_ms >= low_watermark.at_ms`,
      timeMs,
      atMs,
    ),
  );
}
