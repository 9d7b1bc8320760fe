// SPDX-License-Identifier: Apache-2.0
/**
 * The audited minutes: ranges for minutes that never changed, and a row for each of the others. The ledger sets them
 * when an audit ends, and clears them when a minute changes.
 */
import { countByBucket, type MinuteRange, overlapOf, unionOf, without } from "../../domain/rules/minute-ranges";
import type { AuditedRange } from "../ports";
import type { Statements } from "./statements";

export function changeSequences(ledger: Statements, fromMinute: number, toMinute: number): Map<number, number> {
  const rows = ledger.all(
    "SELECT minute, change_sequence FROM minute_marks WHERE minute >= ? AND minute < ? ORDER BY minute",
    fromMinute,
    toMinute,
  );
  return new Map(rows.map((row) => [Number(row.minute), Number(row.change_sequence)]));
}

/** Beyond every change sequence of a minute whose books are kept. */
const AFTER_EXPIRY = 2 ** 40;

/** Marks a minute as changed since the last audit, within a transaction. */
export function markChanged(ledger: Statements, minute: number): void {
  ledger.run(
    // A mark that expired is never taken for the one that comes after it.
    `INSERT INTO minute_marks
       SELECT ?1, 1 + CASE WHEN ?1 < (SELECT before_minute FROM expired_books) THEN ${AFTER_EXPIRY} ELSE 0 END, 0 WHERE true
       ON CONFLICT DO UPDATE SET change_sequence = change_sequence + 1, audited = 0`,
    minute,
  );
}

export async function markAudited(ledger: Statements, range: AuditedRange): Promise<void> {
  const { fromMinute, toMinute, sequences, except } = range;
  const excepted = new Set(except);
  const changed = [...sequences].filter(
    ([minute, sequence]) => sequence > 0 && minute >= fromMinute && minute < toMinute && !excepted.has(minute),
  );
  await ledger.writeInPieces(changed, ([minute, sequence]) =>
    ledger.run("UPDATE minute_marks SET audited = 1 WHERE minute = ? AND change_sequence = ?", minute, sequence),
  );
  await ledger.writeInPieces(without(range, except), (piece) => addAuditedRange(ledger, piece));
}

/** Replaces the ranges that the added one touches by one range, within a transaction. */
export function addAuditedRange(ledger: Statements, added: MinuteRange): void {
  const touched = rangesTouching(ledger, added);
  for (const union of unionOf([...touched, added])) {
    ledger.run(
      "DELETE FROM audited_ranges WHERE from_minute >= ? AND to_minute <= ?",
      union.fromMinute,
      union.toMinute,
    );
    ledger.run("INSERT INTO audited_ranges VALUES (?, ?)", union.fromMinute, union.toMinute);
  }
}

/** Ranges are disjoint, so the ranges from the last one that begins at or before the start are enough. */
function rangesTouching(ledger: Statements, { fromMinute, toMinute }: MinuteRange): MinuteRange[] {
  const rows = ledger.all(
    `SELECT from_minute, to_minute FROM audited_ranges
       WHERE from_minute >= coalesce((SELECT max(from_minute) FROM audited_ranges WHERE from_minute <= ?1), ?1)
         AND from_minute <= ?2 AND to_minute >= ?1 ORDER BY from_minute`,
    fromMinute,
    toMinute,
  );
  return rows.map((row) => ({ fromMinute: Number(row.from_minute), toMinute: Number(row.to_minute) }));
}

export function auditedCounts(ledger: Statements, asked: MinuteRange, bucketMinutes: number): Map<number, number> {
  return ledger.snapshot(() => {
    const counts = new Map<number, number>();
    const ranges = rangesTouching(ledger, asked);
    countByBucket(counts, ranges, asked, bucketMinutes);
    const add = (range: MinuteRange, which: string, sign: 1 | -1) => {
      for (const [bucket, minutes] of rowsByBucket(ledger, range, bucketMinutes, which)) {
        counts.set(bucket, (counts.get(bucket) ?? 0) + sign * minutes);
      }
    };
    for (const range of ranges) add(overlapOf(range, asked), "", -1);
    add(asked, "AND audited = 1", 1);
    return new Map([...counts].filter(([, minutes]) => minutes > 0).sort(([a], [b]) => a - b));
  });
}

function rowsByBucket(
  ledger: Statements,
  { fromMinute, toMinute }: MinuteRange,
  bucketMinutes: number,
  which: string,
): Map<number, number> {
  // The remainder is taken twice because SQLite's is negative before 1970. CAST: numbers are bound as REAL.
  const rows = ledger.all(
    `SELECT minute - (minute % w + w) % w AS bucket, COUNT(*) AS minutes
       FROM minute_marks, (SELECT CAST(? AS INTEGER) AS w)
       WHERE minute >= ? AND minute < ? ${which} GROUP BY bucket`,
    bucketMinutes,
    fromMinute,
    toMinute,
  );
  return new Map(rows.map((row) => [Number(row.bucket), Number(row.minutes)]));
}
