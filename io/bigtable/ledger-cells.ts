/** The ledger's cells: what their bytes and versions are. */
import { isBackfilled } from "../../domain/archive-name";
import type { ArchivedObject, PartitionLedger } from "../ports";
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

/** What the listed objects of a minute add up to. */
export interface MinuteBooks {
  /** How often the minute's row was written: the version of its books. */
  writes: number;
  objects: number;
  archived: number;
  backfilled: number;
  accepted: number;
  changeSequence: number;
}

type Message = NonNullable<ArchivedObject["messages"]>[number];

const INT64_BYTES = 8;

/** Integers as int64, one after the other. Throws a RangeError for one that is not exact. */
export function encodeIntegers(integers: readonly number[]): Buffer {
  const value = Buffer.alloc(integers.length * INT64_BYTES);
  for (const [index, integer] of integers.entries()) {
    if (!Number.isSafeInteger(integer)) throw new RangeError(`${integer} is not an integer within 2^53-1`);
    value.writeBigInt64BE(BigInt(integer), index * INT64_BYTES);
  }
  return value;
}

/** `count` integers; what is missing is 0. */
export function decodeIntegers(value: Buffer, count: number): number[] {
  return Array.from({ length: count }, (_, index) => {
    const at = index * INT64_BYTES;
    return at + INT64_BYTES <= value.length ? Number(value.readBigInt64BE(at)) : 0;
  });
}

export function encodeObject({ events, sizeBytes, accepted }: ArchivedObject): Buffer {
  return encodeIntegers(accepted === undefined ? [events, sizeBytes] : [events, sizeBytes, accepted]);
}

function decodeObject(name: string, minute: number, value: Buffer): ArchivedObject {
  const [events, sizeBytes, accepted] = decodeIntegers(value, 3) as [number, number, number];
  return { name, minute, events, sizeBytes, ...(value.length > 2 * INT64_BYTES && { accepted }) };
}

export function encodeMessages(messages: readonly Message[]): Buffer {
  return Buffer.from(JSON.stringify(messages.map(({ id, events, accepted }) => [id, events, accepted])));
}

function decodeMessages(value: Buffer): Message[] {
  const rows = JSON.parse(value.toString()) as [string, number, number][];
  return rows.map(([id, events, accepted]) => ({ id, events, accepted }));
}

/** The objects of a minute's row (`o#...`), by name. */
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

/** Of a minute's row. A message that is in two objects counts once. */
export function booksOf(row: Row): MinuteBooks {
  const objects = objectsOf(0, row.cells);
  const books = { writes: 0, objects: objects.length, archived: 0, backfilled: 0, accepted: 0, changeSequence: 0 };
  for (const { family, qualifier, value } of row.cells) {
    if (family !== SEQUENCE_FAMILY) continue;
    if (qualifier === WRITES) books.writes = decodeIntegers(value, 1)[0]!;
    else if (qualifier === CHANGES) books.changeSequence = decodeIntegers(value, 1)[0]!;
  }
  const seen = new Set<string>();
  for (const { name, events, accepted = 0, messages } of objects) {
    const fresh = messages?.filter(({ id }) => !seen.has(id)) ?? [{ id: name, events, accepted }];
    for (const message of fresh) {
      books.archived += message.events;
      books.accepted += message.accepted;
      if (isBackfilled(name)) books.backfilled += message.events;
    }
    for (const { id } of messages ?? []) seen.add(id);
  }
  return books;
}

export function encodeBooks({ objects, archived, backfilled, accepted, changeSequence }: MinuteBooks): Buffer {
  return encodeIntegers([objects, archived, backfilled, accepted, changeSequence]);
}

export function decodeBooks(version: number, value: Buffer): MinuteBooks {
  const [objects, archived, backfilled, accepted, changeSequence] = decodeIntegers(value, 5) as [
    number,
    number,
    number,
    number,
    number,
  ];
  return { writes: version, objects, archived, backfilled, accepted, changeSequence };
}

const TIE_BITS = 23;
const CAME_LIMIT = 2 ** 30;

/**
 * The row for which more came is the later one; of two for which as many came, the one with more counted (which states of one pane never
 * differ in; counts of a partition's minute beyond 2^23 are compared by their first 23 bits). Throws a RangeError beyond 2^30 events.
 */
export function partitionVersion({ received, late, counted }: PartitionLedger): number {
  const came = received + late;
  if (came >= CAME_LIMIT)
    throw new RangeError(`${came} events of one partition's minute; at most ${CAME_LIMIT - 1} fit`);
  const shift = Math.max(0, Math.ceil(Math.log2(came + 1)) - TIE_BITS);
  return came * 2 ** TIE_BITS + Math.floor(counted / 2 ** shift);
}

export function encodePartition({ received, counted, duplicate, late, reusedIds }: PartitionLedger): Buffer {
  return encodeIntegers([received, counted, duplicate, late, reusedIds]);
}

export function decodePartition(value: Buffer): Omit<PartitionLedger, "minute" | "partition"> {
  const [received, counted, duplicate, late, reusedIds] = decodeIntegers(value, 5) as [
    number,
    number,
    number,
    number,
    number,
  ];
  return { received, counted, duplicate, late, reusedIds };
}

/** Which minutes of an hour are audited and unchanged since; `version` grows with every change of the hour's books or marks. */
export interface AuditedMinutes {
  version: number;
  /** Bit n: minute n. */
  bits: bigint;
}

/** Of an hour's row (`b#...`). A mark's version is the change sequence it was made for. */
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
  let bits = 0n;
  for (const [minute, sequence] of marks) {
    if ((sequences.get(minute) ?? 0) === sequence) bits |= 1n << BigInt(minute);
  }
  return { version, bits };
}
