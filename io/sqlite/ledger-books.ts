// SPDX-License-Identifier: Apache-2.0
/**
 * The sources of a minute's books: listed objects, the stream's partitions, the accounts of ingest, and settled audits.
 * The ledger reads and writes them here.
 */
import { isBackfilled } from "../../domain/archive-name";
import { LedgerBooks } from "../../domain/rules/ledger-books";
import { orderOfRowSql } from "../../domain/rules/row-version";
import type { ArchivedObject, LedgerMinute, LedgerRow, SettledMinute, WriteOff } from "../ports";
import { openMinute } from "./ledger-acceptance";
import { markChanged } from "./ledger-marks";
import type { Row, Statements } from "./statements";

/** The objects of a minute that are written together, and whether listing them changes the minute. */
export interface MinuteObjects {
  minute: number;
  objects: ArchivedObject[];
  changed: boolean;
}

export function byMinute(objects: readonly ArchivedObject[], changedMinutes: readonly number[]): MinuteObjects[] {
  const minutes = new Map<number, MinuteObjects>();
  const of = (minute: number): MinuteObjects => {
    let found = minutes.get(minute);
    if (found === undefined) {
      found = { minute, objects: [], changed: false };
      minutes.set(minute, found);
    }
    return found;
  };
  for (const object of objects) of(object.minute).objects.push(object);
  for (const minute of changedMinutes) of(minute).changed = true;
  return [...minutes.values()];
}

/** Runs within a transaction. */
export function listObjects(ledger: Statements, { minute, objects, changed }: MinuteObjects, nowMs: number): void {
  for (const { name, events, sizeBytes, accepted, direct, messages, acceptedSinceMs } of objects) {
    ledger.run(
      `INSERT OR REPLACE INTO archived_objects (minute, name, events, size_bytes, accepted, messages, direct)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
      minute,
      name,
      events,
      sizeBytes,
      accepted ?? null,
      messages === undefined ? null : JSON.stringify(messages),
      direct ?? null,
    );
    const sinceMs = acceptedSinceMs ?? (isBackfilled(name) ? nowMs : undefined);
    if (sinceMs !== undefined) openMinute(ledger, minute, sinceMs);
  }
  if (changed) markChanged(ledger, minute);
}

export function archivedObjects(ledger: Statements, fromMinute: number, toMinute: number): ArchivedObject[] {
  const rows = ledger.all(
    `SELECT name, minute, events, size_bytes, accepted, messages, direct FROM archived_objects
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
    ...(row.direct === null ? {} : { direct: Number(row.direct) }),
  }));
}

/** Runs within a transaction. */
export function writePartition(ledger: Statements, row: LedgerRow): void {
  const { minute, part, received, counted, duplicate, late, reusedIds } = row;
  ledger.run(
    `INSERT INTO partition_ledger VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
       received = excluded.received, counted = excluded.counted, duplicate = excluded.duplicate,
       late = excluded.late, reused_ids = excluded.reused_ids
     WHERE ${orderOfRowSql("excluded.")} > ${orderOfRowSql("partition_ledger.")}`,
    minute,
    part,
    received,
    counted,
    duplicate,
    late,
    reusedIds,
  );
}

export function settleMinute(ledger: Statements, settled: SettledMinute, auditedAtMs: number): void {
  ledger.run(
    `INSERT INTO settled_late (minute, counted, duplicate, audited_at_ms, archived) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET
       counted = excluded.counted, duplicate = excluded.duplicate, audited_at_ms = excluded.audited_at_ms,
       archived = excluded.archived
     WHERE excluded.audited_at_ms >= settled_late.audited_at_ms`,
    settled.minute,
    settled.counted,
    settled.duplicate,
    auditedAtMs,
    settled.archived ?? null,
  );
}

export function writeOffMinute(ledger: Statements, { minute, events, reason, atMs, auditId }: WriteOff): void {
  ledger.run(
    `INSERT INTO written_off VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
       events = excluded.events, reason = excluded.reason, at_ms = excluded.at_ms, audit_id = excluded.audit_id
     WHERE excluded.at_ms >= written_off.at_ms`,
    minute,
    events,
    reason,
    atMs,
    auditId,
  );
}

export function ledgerMinutes(ledger: Statements, fromMinute: number, toMinute: number): LedgerMinute[] {
  return ledger.snapshot(() => {
    const books = new LedgerBooks();
    const rows = (what: string, from: string, also = "") =>
      ledger.all(`SELECT ${what} FROM ${from} WHERE minute >= ? AND minute < ? ${also}`, fromMinute, toMinute);
    const each = "minute, name, events, accepted, direct";
    for (const row of rows(each, "archived_objects", "AND messages IS NULL")) {
      const { accepted, direct } = row;
      books.object(Number(row.minute), {
        name: String(row.name),
        events: Number(row.events),
        ...(accepted === null ? {} : { accepted: Number(accepted) }),
        ...(direct === null ? {} : { direct: Number(direct) }),
      });
    }
    for (const row of rows("minute, name, messages", "archived_objects", "AND messages IS NOT NULL")) {
      books.object(Number(row.minute), { name: String(row.name), events: 0, messages: messagesOf(row) });
    }
    for (const row of rows("minute, events", "promised")) books.promised(Number(row.minute), Number(row.events));
    const sums = "SUM(counted) AS counted, SUM(duplicate) AS duplicate, SUM(late) AS late, SUM(reused_ids) AS reused";
    for (const row of rows(`minute, ${sums}`, "partition_ledger", "GROUP BY minute")) {
      books.stream(Number(row.minute), {
        counted: Number(row.counted),
        duplicate: Number(row.duplicate),
        late: Number(row.late),
        reusedIds: Number(row.reused),
      });
    }
    for (const row of rows("*", "settled_late")) {
      const settled = { counted: Number(row.counted), duplicate: Number(row.duplicate) };
      books.settled(Number(row.minute), {
        ...settled,
        ...(row.archived !== null && { archived: Number(row.archived) }),
      });
    }
    for (const row of rows("*", "written_off")) {
      const { minute, events, reason, at_ms, audit_id } = row;
      books.writtenOff({
        minute: Number(minute),
        events: Number(events),
        reason: String(reason),
        atMs: Number(at_ms),
        auditId: String(audit_id),
      });
    }
    return books.minutes();
  });
}

function messagesOf(row: Row): NonNullable<ArchivedObject["messages"]> {
  return JSON.parse(String(row.messages)) as NonNullable<ArchivedObject["messages"]>;
}
