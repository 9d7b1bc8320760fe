// SPDX-License-Identifier: Apache-2.0
/**
 * How books leave the ledger's table. Of an expired minute stay its sequences and the mark of its audit: so that it is
 * known that the minute is audited, and that a later change of it is not. docs/decisions/0037-roll-ups-on-bigtable.md.
 * `viewmill tier` expires books with it, through the ledger.
 */
import { MINUTES_AN_HOUR } from "../../domain/rules/time";
import type { BigtableConnection } from "./connection";
import { auditedOf, decodeBooks } from "./ledger-cells";
import {
  AUDIT_FAMILY,
  BOOKS_FAMILY,
  booksRange,
  increment,
  MESSAGES_FAMILY,
  OBJECTS_FAMILY,
  objectsKey,
  PARTITION_FAMILY,
  REPORTS,
  reportKey,
  storableMinutes,
  WRITES,
} from "./ledger-keys";
import { deleteColumn, type Mutation, type RowMutation } from "./requests";
import { FIRST_HOUR, hourOfText } from "./row-keys";
import { mutateRows, pages, type Row } from "./rows";

/** The families of an hour's row whose cells go. */
const EXPIRING: readonly string[] = [PARTITION_FAMILY, OBJECTS_FAMILY, AUDIT_FAMILY, MESSAGES_FAMILY];
const ROWS_A_PIECE = 100;
const EVERYTHING = { passAllFilter: true };

/**
 * Deletes the books of minutes before this one, but of minutes that have changed and are not audited since. Resolves
 * with the minutes that had books; `makeBooks` computes the books of minutes anew from what is left of them.
 */
export async function expireBooks(
  connection: BigtableConnection,
  beforeMinute: number,
  makeBooks: (minutes: readonly number[]) => Promise<void>,
): Promise<number> {
  const range = storableMinutes(FIRST_HOUR * MINUTES_AN_HOUR, beforeMinute);
  if (range === undefined) return 0;
  let expired = 0;
  for await (const row of pages(connection, connection.tables.ledger, booksRange(range.from, range.to), EVERYTHING)) {
    const { minutes, withObjects, mutations } = expiringOf(row, range.to);
    if (minutes.size === 0) continue;
    // Objects first: a process that stops in between finds the minute's other books again.
    await forgetObjects(connection, withObjects);
    await makeBooks(withObjects);
    if (mutations.length > 0) await mutateRows(connection, connection.tables.ledger, [{ key: row.key, mutations }]);
    expired += minutes.size;
  }
  return expired;
}

/** Returns what is to go of an hour's row. */
function expiringOf(row: Row, beforeMinute: number) {
  const firstMinute = hourOfText(row.key.slice(2)) * MINUTES_AN_HOUR;
  const { audited, changed } = auditedOf(row);
  const minutes = new Set<number>();
  const withObjects: number[] = [];
  const mutations: Mutation[] = [];
  for (const { family, qualifier, version, value } of row.cells) {
    const ofHour = Number(qualifier.slice(0, 2));
    const isOpen = ((changed & ~audited) >> BigInt(ofHour)) & 1n;
    if (firstMinute + ofHour >= beforeMinute || isOpen === 1n) continue;
    if (EXPIRING.includes(family)) mutations.push(deleteColumn(family, qualifier));
    else if (family === BOOKS_FAMILY && decodeBooks(version, value).objects > 0) withObjects.push(firstMinute + ofHour);
    else continue;
    minutes.add(firstMinute + ofHour);
  }
  return { minutes, withObjects, mutations };
}

/** The minute was written once more, so that the books without objects are newer than those with them. */
async function forgetObjects(connection: BigtableConnection, minutes: readonly number[]): Promise<void> {
  const families = [OBJECTS_FAMILY, MESSAGES_FAMILY].map((familyName) => ({ deleteFromFamily: { familyName } }));
  const rows = minutes.map((minute) => ({ key: objectsKey(minute), mutations: [...families, increment(WRITES)] }));
  await mutateRows(connection, connection.tables.ledger, rows);
}

/** Deletes reports of audits that started before; resolves with how many. */
export async function expireAudits(connection: BigtableConnection, beforeMs: number): Promise<number> {
  const { ledger } = connection.tables;
  const range = { start: reportKey(beforeMs - 1, ""), end: REPORTS.end };
  const filter = { chain: { filters: [{ cellsPerRowLimitFilter: 1 }, { stripValueTransformer: true }] } };
  let expired = 0;
  let rows: RowMutation[] = [];
  for await (const { key } of pages(connection, ledger, range, filter)) {
    rows.push({ key, mutations: [{ deleteFromRow: {} }] });
    expired++;
    if (rows.length < ROWS_A_PIECE) continue;
    await mutateRows(connection, ledger, rows);
    rows = [];
  }
  await mutateRows(connection, ledger, rows);
  return expired;
}
