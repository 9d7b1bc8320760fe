// SPDX-License-Identifier: Apache-2.0
/**
 * How the books of old minutes leave counters.sqlite, a few minutes of them in one short transaction. `viewmill tier`
 * expires books with it, through the ledger.
 */
import { isBackfilled, minuteFolder } from "../../domain/archive-name";
import { addAuditedRange } from "./ledger-marks";
import type { Statements } from "./statements";

/** Minutes looked at in one go. */
const MINUTES_AT_ONCE = 240;
const TABLES = ["archived_objects", "partition_ledger", "promised", "settled_late", "written_off"] as const;

/**
 * Puts one row in place of the minute's objects that are gone. Within a transaction. Backfilled objects keep their
 * names, because a file that is backfilled again is recognised by them. Rows that list messages stay: a message may be
 * in an object that is still there.
 */
export function foldExpired(ledger: Statements, minute: number): void {
  const gone = ledger
    .all(
      `SELECT name, events, accepted, direct FROM archived_objects
         WHERE minute = ? AND size_bytes = 0 AND messages IS NULL`,
      minute,
    )
    .filter(({ name }) => !isBackfilled(String(name)));
  if (gone.length < 2) return;
  const sumOf = (column: string) =>
    gone.every((row) => row[column] === null) ? null : gone.reduce((sum, row) => sum + Number(row[column] ?? 0), 0);
  for (const { name } of gone)
    ledger.run("DELETE FROM archived_objects WHERE minute = ? AND name = ?", minute, String(name));
  ledger.run(
    `INSERT INTO archived_objects (minute, name, events, size_bytes, accepted, messages, direct)
       VALUES (?, ?, ?, 0, ?, NULL, ?)`,
    minute,
    `${minuteFolder(minute)}/expired.avro`,
    Number(sumOf("events")),
    sumOf("accepted"),
    sumOf("direct"),
  );
}

/**
 * Deletes the books of minutes before this one, but for minutes that changed and were not audited since. That a minute
 * is audited stays known. Resolves with how many minutes had books.
 */
export async function expireBooks(ledger: Statements, beforeMinute: number): Promise<number> {
  ledger.write(() =>
    ledger.run("UPDATE expired_books SET before_minute = max(before_minute, CAST(? AS INTEGER))", beforeMinute),
  );
  let expired = 0;
  for (let from = firstBooked(ledger, -Infinity); from !== undefined && from < beforeMinute; ) {
    const to = Math.min(from + MINUTES_AT_ONCE, beforeMinute);
    const minutes = bookedMinutes(ledger, from, to);
    await ledger.writeInPieces(minutes, (minute) => {
      const mark = ledger.all("SELECT audited FROM minute_marks WHERE minute = ?", minute)[0];
      if (mark !== undefined && Number(mark.audited) === 0) return;
      if (mark !== undefined) addAuditedRange(ledger, { fromMinute: minute, toMinute: minute + 1 });
      for (const table of [...TABLES, "minute_marks"]) ledger.run(`DELETE FROM ${table} WHERE minute = ?`, minute);
      expired++;
    });
    from = firstBooked(ledger, to);
  }
  return expired;
}

function bookedMinutes(ledger: Statements, from: number, to: number): number[] {
  const minutes = new Set<number>();
  for (const table of [...TABLES, "minute_marks"]) {
    const rows = ledger.all(`SELECT DISTINCT minute FROM ${table} WHERE minute >= ? AND minute < ?`, from, to);
    for (const { minute } of rows) minutes.add(Number(minute));
  }
  return [...minutes].sort((a, b) => a - b);
}

/** The first minute from this one on that has books of any kind. */
function firstBooked(ledger: Statements, from: number): number | undefined {
  const firsts = [...TABLES, "minute_marks"].flatMap((table) => {
    const least = Number.isFinite(from) ? from : -Number.MAX_SAFE_INTEGER;
    const row = ledger.all(`SELECT min(minute) AS minute FROM ${table} WHERE minute >= ?`, least)[0];
    return row === undefined || row.minute === null ? [] : [Number(row.minute)];
  });
  return firsts.length === 0 ? undefined : Math.min(...firsts);
}

/** Deletes reports of audits that started before. */
export async function expireAudits(ledger: Statements, beforeMs: number): Promise<number> {
  const rows = ledger.all("SELECT id FROM audits WHERE started_at_ms < ?", beforeMs);
  await ledger.writeInPieces(rows, ({ id }) => ledger.run("DELETE FROM audits WHERE id = ?", String(id)));
  return rows.length;
}
