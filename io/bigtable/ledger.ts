/**
 * The ledger on Bigtable. What is written are facts (an object and its numbers, a partition's counts, an audit's mark), in any order and any number
 * of times; what is asked often is made from them, and its version says from how much of them: see docs/decisions/0006-bigtable-rows.md.
 */
import type { ArchivedObject, AuditReport, Ledger, LedgerMinute, PartitionLedger } from "../ports";
import type { BigtableConfig } from "./config";
import { BigtableConnection } from "./connection";
import {
  auditedOf,
  booksOf,
  decodeBooks,
  decodePartition,
  encodeBooks,
  encodeMessages,
  encodeObject,
  encodePartition,
  objectsOf,
  partitionVersion,
} from "./ledger-cells";
import {
  AUDIT_FAMILY,
  AUDITED_FAMILY,
  auditedKey,
  auditedRange,
  BOOKS_FAMILY,
  booksKey,
  booksRange,
  CHANGES,
  MESSAGES_FAMILY,
  OBJECTS_FAMILY,
  objectsKey,
  objectsRange,
  PARTITION_FAMILY,
  PROGRESS_KEY,
  REPORTS,
  reportKey,
  SEQUENCE_FAMILY,
  storableMinutes,
  WRITES,
} from "./ledger-keys";
import { allOf } from "./row-filters";
import { dayStartHour, hourOfText, minuteText } from "./row-keys";
import { type KeyRange, type Mutation, mutateRows, pages, type Row, type RowFilter, readRows, setCell } from "./rows";

const EVERYTHING: RowFilter = { passAllFilter: true };
const EMPTY = Buffer.alloc(0);

export class BigtableLedger implements Ledger {
  readonly #connection: BigtableConnection;
  readonly #table: string;

  /** Opens nothing yet. Throws a RangeError for names that are none. */
  constructor(config: BigtableConfig) {
    this.#connection = new BigtableConnection(config);
    this.#table = this.#connection.tables.ledger;
  }

  /**
   * The objects first, what is made of them after: an audit that reads between the two marks the minute with the old sequence, and the
   * mark is void. A crash between the two is made good when the caller lists the objects again.
   */
  async addObjects(objects: readonly ArchivedObject[], changedMinutes: readonly number[]): Promise<void> {
    const minutes = new Set([...changedMinutes, ...objects.map(({ minute }) => minute)]);
    const rows = new Map([...minutes].map((minute) => [objectsKey(minute), [increment(WRITES)]]));
    for (const minute of new Set(changedMinutes)) add(rows, objectsKey(minute), increment(CHANGES));
    for (const object of objects) {
      const { minute, name, messages } = object;
      // Of the same object the last listing stays: one timestamp for all.
      add(rows, objectsKey(minute), setCell(OBJECTS_FAMILY, name, 0, encodeObject(object)));
      const listed = messages === undefined ? EMPTY : encodeMessages(messages);
      add(rows, objectsKey(minute), setCell(MESSAGES_FAMILY, name, 0, listed));
    }
    await this.#mutate(rows);
    await this.#makeBooks([...minutes]);
  }

  async archivedObjects(fromMinute: number, toMinute: number): Promise<ArchivedObject[]> {
    const minutes = storableMinutes(fromMinute, toMinute);
    if (minutes === undefined) return [];
    const objects: ArchivedObject[] = [];
    for await (const { key, cells } of this.#rows(objectsRange(minutes.from, minutes.to), EVERYTHING)) {
      const minute = hourOfText(key.slice(2, 12)) * 60 + Number(key.slice(12));
      objects.push(...objectsOf(minute, cells));
    }
    return objects;
  }

  async writeLedger(rows: readonly PartitionLedger[]): Promise<void> {
    const byHour = new Map<string, Mutation[]>();
    for (const row of rows) {
      const { minute, partition } = row;
      const cell = setCell(
        PARTITION_FAMILY,
        `${minuteText(minute)}:${partition}`,
        partitionVersion(row),
        encodePartition(row),
      );
      add(byHour, booksKey(Math.floor(minute / 60)), cell);
    }
    await this.#mutate(byHour);
  }

  async ledger(fromMinute: number, toMinute: number): Promise<LedgerMinute[]> {
    const minutes = new Map<number, LedgerMinute>();
    for await (const { minute, cell } of this.#books(fromMinute, toMinute, EVERYTHING)) {
      const { family, version, value } = cell;
      if (family === BOOKS_FAMILY) {
        const { objects, archived, backfilled, accepted } = decodeBooks(version, value);
        if (objects > 0) Object.assign(ledgerMinute(minutes, minute), { archived, backfilled, accepted });
      } else if (family === PARTITION_FAMILY) {
        const { counted, duplicate, late, reusedIds } = decodePartition(value);
        const sums = ledgerMinute(minutes, minute);
        sums.counted += counted;
        sums.duplicate += duplicate;
        sums.late += late;
        sums.reusedIds += reusedIds;
      }
    }
    return [...minutes.values()].sort((a, b) => a.minute - b.minute);
  }

  async changeSequences(fromMinute: number, toMinute: number): Promise<Map<number, number>> {
    const sequences = new Map<number, number>();
    for await (const { minute, cell } of this.#books(fromMinute, toMinute, allOf(BOOKS_FAMILY))) {
      const { changeSequence } = decodeBooks(cell.version, cell.value);
      if (changeSequence > 0) sequences.set(minute, changeSequence);
    }
    return sequences;
  }

  async markAudited(minutes: readonly { minute: number; changeSequence: number }[]): Promise<void> {
    const byHour = new Map<string, Mutation[]>();
    for (const { minute, changeSequence } of minutes) {
      const mark = setCell(AUDITED_FAMILY, minuteText(minute), changeSequence, EMPTY);
      add(byHour, booksKey(Math.floor(minute / 60)), mark);
    }
    await this.#mutate(byHour);
    await this.#makeAudited([...byHour.keys()]);
  }

  async auditedCounts(fromMinute: number, toMinute: number, bucketMinutes: number): Promise<Map<number, number>> {
    const counts = new Map<number, number>();
    const minutes = storableMinutes(fromMinute, toMinute);
    if (minutes === undefined) return counts;
    for await (const { key, cells } of this.#rows(auditedRange(minutes.from, minutes.to), allOf(AUDITED_FAMILY))) {
      const firstHour = dayStartHour(key.slice(2));
      for (const { qualifier, value } of cells) {
        const firstMinute = (firstHour + Number(qualifier)) * 60;
        const bits = value.length === 8 ? value.readBigUInt64BE() : 0n;
        for (let n = 0; n < 60; n++) {
          const minute = firstMinute + n;
          if ((bits & (1n << BigInt(n))) === 0n || minute < minutes.from || minute >= minutes.to) continue;
          const bucket = Math.floor(minute / bucketMinutes) * bucketMinutes;
          counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
        }
      }
    }
    return counts;
  }

  async setArchivedThrough(timeMs: number): Promise<void> {
    // The time is the version: the largest stays.
    const mutations = [setCell(BOOKS_FAMILY, "archived", Math.max(0, timeMs), EMPTY)];
    await mutateRows(this.#connection, this.#table, [{ key: PROGRESS_KEY, mutations }]);
  }

  async archivedThroughMs(): Promise<number> {
    const query = { tableName: this.#table, keys: [PROGRESS_KEY], filter: allOf(BOOKS_FAMILY) };
    const [row] = await readRows(this.#connection, query);
    return row?.cells[0]?.version ?? 0;
  }

  async addAudit(report: AuditReport): Promise<void> {
    const value = Buffer.from(JSON.stringify(report));
    const key = reportKey(report.startedAtMs, report.id);
    await mutateRows(this.#connection, this.#table, [{ key, mutations: [setCell(AUDIT_FAMILY, "report", 0, value)] }]);
  }

  async audits(limit: number): Promise<AuditReport[]> {
    if (limit <= 0) return [];
    const query = { tableName: this.#table, ranges: [REPORTS], filter: allOf(AUDIT_FAMILY), limit };
    const rows = await readRows(this.#connection, query);
    return rows.flatMap(({ cells }) => cells.map(({ value }) => JSON.parse(value.toString()) as AuditReport));
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  /** The books of minutes from their rows, as these are now. */
  async #makeBooks(minutes: readonly number[]): Promise<void> {
    const byHour = new Map<string, Mutation[]>();
    const minuteOf = new Map(minutes.map((minute) => [objectsKey(minute), minute]));
    const query = { tableName: this.#table, keys: [...minuteOf.keys()].sort(), filter: EVERYTHING };
    for (const row of await readRows(this.#connection, query)) {
      const books = booksOf(row);
      const minute = minuteOf.get(row.key)!;
      const cell = setCell(BOOKS_FAMILY, minuteText(minute), books.writes, encodeBooks(books));
      add(byHour, booksKey(Math.floor(minute / 60)), cell);
    }
    await this.#mutate(byHour);
    await this.#makeAudited([...byHour.keys()]);
  }

  /** Which minutes of hours are audited, from the books and marks as these are now. */
  async #makeAudited(hourKeys: readonly string[]): Promise<void> {
    const byDay = new Map<string, Mutation[]>();
    const keys = [...hourKeys].sort();
    const filter = { familyNameRegexFilter: `${BOOKS_FAMILY}|${AUDITED_FAMILY}` };
    for (const row of await readRows(this.#connection, { tableName: this.#table, keys, filter })) {
      const { version, bits } = auditedOf(row);
      const value = Buffer.alloc(8);
      value.writeBigUInt64BE(bits);
      const cell = setCell(AUDITED_FAMILY, row.key.slice(-2), version, value);
      add(byDay, auditedKey(row.key.slice(2, 10)), cell);
    }
    await this.#mutate(byDay);
  }

  async #mutate(byKey: ReadonlyMap<string, Mutation[]>): Promise<void> {
    // Facts need not be written together, so a row of many goes in several.
    const rows = [...byKey].flatMap(([key, mutations]) => inParts(mutations).map((part) => ({ key, mutations: part })));
    await mutateRows(this.#connection, this.#table, rows);
  }

  /** The cells of hours' rows, with their minutes, which are in [fromMinute, toMinute). */
  async *#books(fromMinute: number, toMinute: number, filter: RowFilter) {
    const minutes = storableMinutes(fromMinute, toMinute);
    if (minutes === undefined) return;
    for await (const { key, cells } of this.#rows(booksRange(minutes.from, minutes.to), filter)) {
      const firstMinute = hourOfText(key.slice(2)) * 60;
      for (const cell of cells) {
        const minute = firstMinute + Number(cell.qualifier.slice(0, 2));
        if (minute >= minutes.from && minute < minutes.to) yield { minute, cell };
      }
    }
  }

  #rows(range: KeyRange, filter: RowFilter): AsyncGenerator<Row, void, undefined> {
    return pages(this.#connection, this.#table, range, filter);
  }
}

/** Applied twice when an answer was lost, which makes the sequence grow by two: it only has to grow. */
function increment(qualifier: string): Mutation {
  return {
    addToCell: {
      familyName: SEQUENCE_FAMILY,
      columnQualifier: { rawValue: Buffer.from(qualifier, "latin1") },
      timestamp: { rawTimestampMicros: 0 },
      input: { intValue: 1 },
    },
  };
}

function add(byKey: Map<string, Mutation[]>, key: string, mutation: Mutation): void {
  const mutations = byKey.get(key);
  if (mutations === undefined) byKey.set(key, [mutation]);
  else mutations.push(mutation);
}

const MUTATIONS_A_PART = 10_000;

function inParts(mutations: Mutation[]): Mutation[][] {
  if (mutations.length <= MUTATIONS_A_PART) return [mutations];
  const parts: Mutation[][] = [];
  for (let from = 0; from < mutations.length; from += MUTATIONS_A_PART)
    parts.push(mutations.slice(from, from + MUTATIONS_A_PART));
  return parts;
}

function ledgerMinute(minutes: Map<number, LedgerMinute>, minute: number): LedgerMinute {
  let found = minutes.get(minute);
  if (found === undefined) {
    found = { minute, accepted: 0, archived: 0, backfilled: 0, counted: 0, duplicate: 0, late: 0, reusedIds: 0 };
    minutes.set(minute, found);
  }
  return found;
}
