// SPDX-License-Identifier: Apache-2.0
/** The ledger's cells: their bytes and versions. The files of the ledger share it. */

import type { Settled } from "../../domain/rules/books";
import { MinuteObjectSums, type ObjectSums } from "../../domain/rules/ledger-books";
import type { ArchivedObject, LedgerRow, WriteOff } from "../ports";
import {
  AUDITED_FAMILY,
  BOOKS_FAMILY,
  CHANGES,
  MESSAGES_FAMILY,
  OBJECTS_FAMILY,
  SEQUENCE_FAMILY,
  WRITES,
} from "./ledger-keys";
import type { Row, RowCell } from "./rows";

/** The sums over the listed objects of a minute. */
interface ListedBooks extends ObjectSums {
  /** How often the minute's row was written: the version of its books. */
  writes: number;
  objects: number;
  changeSequence: number;
}

type Message = NonNullable<ArchivedObject["messages"]>[number];

const INT64_BYTES = 8;

/** Encodes integers as int64, one after the other. Throws a RangeError for an integer that is not exact. */
export function encodeIntegers(integers: readonly number[]): Buffer {
  const value = Buffer.alloc(integers.length * INT64_BYTES);
  for (const [index, integer] of integers.entries()) {
    if (!Number.isSafeInteger(integer)) throw new RangeError(`${integer} is not an integer within 2^53-1`);
    value.writeBigInt64BE(BigInt(integer), index * INT64_BYTES);
  }
  return value;
}

/** Decodes `count` integers; a missing one is 0. */
export function decodeIntegers(value: Buffer, count: number): number[] {
  return Array.from({ length: count }, (_, index) => {
    const at = index * INT64_BYTES;
    return at + INT64_BYTES <= value.length ? Number(value.readBigInt64BE(at)) : 0;
  });
}

export function encodeObject({ events, sizeBytes, accepted, direct }: ArchivedObject): Buffer {
  if (accepted === undefined) return encodeIntegers([events, sizeBytes]);
  return encodeIntegers(direct === undefined ? [events, sizeBytes, accepted] : [events, sizeBytes, accepted, direct]);
}

function decodeObject(name: string, minute: number, value: Buffer): ArchivedObject {
  const [events, sizeBytes, accepted, direct] = decodeIntegers(value, 4) as [number, number, number, number];
  const integers = value.length / INT64_BYTES;
  return { name, minute, events, sizeBytes, ...(integers > 2 && { accepted }), ...(integers > 3 && { direct }) };
}

export function encodeMessages(messages: readonly Message[]): Buffer {
  const rows = messages.map(({ id, events, accepted, direct }) =>
    direct === undefined ? [id, events, accepted] : [id, events, accepted, direct],
  );
  return Buffer.from(JSON.stringify(rows));
}

function decodeMessages(value: Buffer): Message[] {
  const rows = JSON.parse(value.toString()) as [string, number, number, number?][];
  return rows.map(([id, events, accepted, direct]) => ({
    id,
    events,
    accepted,
    ...(direct !== undefined && { direct }),
  }));
}

/** Returns the objects of a minute's row (`o#...`), by name. */
export function objectsOf(minute: number, cells: readonly RowCell[]): ArchivedObject[] {
  const objects = new Map<string, ArchivedObject>();
  for (const { family, qualifier, value } of cells) {
    if (family === OBJECTS_FAMILY) objects.set(qualifier, decodeObject(qualifier, minute, value));
  }
  for (const { family, qualifier, value } of cells) {
    const object = family === MESSAGES_FAMILY && value.length > 0 ? objects.get(qualifier) : undefined;
    if (object !== undefined) object.messages = decodeMessages(value);
  }
  return [...objects.values()];
}

/** Returns the books of a minute's row. A message in two objects counts once. */
export function booksOf(row: Row): ListedBooks {
  const objects = objectsOf(0, row.cells);
  const sums = new MinuteObjectSums();
  for (const object of objects) sums.add(object);
  const { archived, backfilled, declared, direct } = sums;
  const books = { writes: 0, objects: objects.length, archived, backfilled, declared, direct, changeSequence: 0 };
  for (const { family, qualifier, value } of row.cells) {
    if (family !== SEQUENCE_FAMILY) continue;
    if (qualifier === WRITES) books.writes = decodeIntegers(value, 1)[0]!;
    else if (qualifier === CHANGES) books.changeSequence = decodeIntegers(value, 1)[0]!;
  }
  return books;
}

export function encodeBooks(books: ListedBooks): Buffer {
  const { objects, archived, backfilled, declared, direct, changeSequence } = books;
  // An earlier release reads the first five numbers, and takes direct producers' events for declared ones.
  return encodeIntegers([objects, archived, backfilled, declared + direct, changeSequence, direct]);
}

export function decodeBooks(version: number, value: Buffer): ListedBooks {
  const [objects = 0, archived = 0, backfilled = 0, accepted = 0, changeSequence = 0, direct = 0] = decodeIntegers(
    value,
    6,
  );
  return { writes: version, objects, archived, backfilled, declared: accepted - direct, direct, changeSequence };
}

export function encodePartition({ received, counted, duplicate, late, reusedIds }: LedgerRow): Buffer {
  return encodeIntegers([received, counted, duplicate, late, reusedIds]);
}

export function decodePartition(value: Buffer): Omit<LedgerRow, "minute" | "part"> {
  const [received, counted, duplicate, late, reusedIds] = decodeIntegers(value, 5) as [
    number,
    number,
    number,
    number,
    number,
  ];
  return { received, counted, duplicate, late, reusedIds };
}

const ALL_COUNTED = ":all";

/**
 * The columns of audits and operators for a minute are in the family of the messages, which an earlier release does not
 * read in rows of books.
 */
export const allCountedColumn = (minuteOfHour: string): string => `${minuteOfHour}${ALL_COUNTED}`;
export const isAllCounted = (column: string): boolean => column.endsWith(ALL_COUNTED);

export function encodeSettled({ counted, duplicate, archived }: Settled): Buffer {
  return encodeIntegers(archived === undefined ? [counted, duplicate] : [counted, duplicate, archived]);
}

export function decodeSettled(value: Buffer): Settled {
  const [counted, duplicate, archived] = decodeIntegers(value, 3) as [number, number, number];
  return value.length < 3 * INT64_BYTES ? { counted, duplicate } : { counted, duplicate, archived };
}

/** Encodes a write-off. The cell's version is the time of the write-off. */
export function encodeWriteOff({ events, reason, auditId }: WriteOff): Buffer {
  return Buffer.from(JSON.stringify({ events, reason, auditId }));
}

export function decodeWriteOff(minute: number, atMs: number, value: Buffer): WriteOff {
  const { events, reason, auditId } = JSON.parse(value.toString()) as Omit<WriteOff, "minute" | "atMs">;
  return { minute, events, reason, atMs, auditId };
}

/**
 * The minutes of an hour that are audited by marks of their own and unchanged since. `version` grows with every change
 * of the hour's books or marks.
 */
interface AuditedMinutes {
  version: number;
  /** Bit n stands for minute n. */
  audited: bigint;
  /** Minutes that have changed, which no range of audited minutes covers. */
  changed: bigint;
}

const ALL_MINUTES = (1n << 60n) - 1n;

/**
 * Returns the audited minutes of an hour's row (`b#...`). A mark's version is the change sequence for which it was
 * made.
 */
export function auditedOf(row: Row): AuditedMinutes {
  const sequences = new Map<string, number>();
  const marks = new Map<string, number>();
  let version = 0;
  for (const { family, qualifier, version: cell, value } of row.cells) {
    if (family === BOOKS_FAMILY) {
      sequences.set(qualifier, decodeBooks(cell, value).changeSequence);
      version += cell;
    } else if (family === AUDITED_FAMILY) {
      marks.set(qualifier, cell);
      version += cell + 1;
    }
  }
  let [audited, changed] = [0n, 0n];
  for (const [minute, sequence] of marks) {
    if ((sequences.get(minute) ?? 0) === sequence) audited |= 1n << BigInt(minute);
  }
  for (const [minute, sequence] of sequences) if (sequence > 0) changed |= 1n << BigInt(minute);
  return { version, audited, changed };
}

export function encodeAudited({ audited, changed }: Omit<AuditedMinutes, "version">): Buffer {
  const value = Buffer.alloc(2 * INT64_BYTES);
  value.writeBigUInt64BE(audited);
  value.writeBigUInt64BE(changed, INT64_BYTES);
  return value;
}

export const isOfEarlierRelease = (value: Buffer): boolean => value.length < 2 * INT64_BYTES;

/**
 * Decodes audited minutes. An earlier release marked every audited minute and did not record which have changed, so no
 * range covers its hours.
 */
export function decodeAudited(value: Buffer): Omit<AuditedMinutes, "version"> {
  if (value.length < INT64_BYTES) return { audited: 0n, changed: ALL_MINUTES };
  const changed = isOfEarlierRelease(value) ? ALL_MINUTES : value.readBigUInt64BE(INT64_BYTES);
  return { audited: value.readBigUInt64BE(), changed };
}
