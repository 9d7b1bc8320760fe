// SPDX-License-Identifier: Apache-2.0
/**
 * The ledger on Bigtable. It stores facts (an object and its numbers, a partition's counts, an audit's mark), in any
 * order and any number of times. Frequent answers are computed from the facts and stored with a version that says from
 * how many facts they were computed: see docs/decisions/0006-bigtable-rows.md. The stream, archivers, ingest and audits
 * write it, and the read API answers from it.
 */

import { isBackfilled } from "../../domain/archive-name";
import { LedgerBooks } from "../../domain/rules/ledger-books";
import { countByBucket, type MinuteRange, unionOf, without } from "../../domain/rules/minute-ranges";
import { rowVersion } from "../../domain/rules/row-version";
import { hourOf, MINUTES_AN_HOUR } from "../../domain/rules/time";
import type {
  ArchivedObject,
  ArchiveReader,
  AuditedRange,
  AuditReport,
  BookRetention,
  IngestAccount,
  IngestBooking,
  Ledger,
  LedgerMinute,
  LedgerRow,
  ListedOpenMinute,
  SettledMinute,
  WriteOff,
} from "../ports";
import type { BigtableConfig } from "./config";
import { BigtableConnection } from "./connection";
import { BigtableAcceptance, type Opening } from "./ledger-acceptance";
import {
  allCountedColumn,
  auditedOf,
  booksOf,
  decodeAudited,
  decodeBooks,
  decodeIntegers,
  decodePartition,
  decodeSettled,
  decodeWriteOff,
  encodeAudited,
  encodeBooks,
  encodeIntegers,
  encodeMessages,
  encodeObject,
  encodePartition,
  encodeSettled,
  encodeWriteOff,
  isAllCounted,
  isOfEarlierRelease,
  objectsOf,
} from "./ledger-cells";
import { expireAudits, expireBooks } from "./ledger-expiry";
import {
  AUDIT_FAMILY,
  AUDITED_FAMILY,
  auditedKey,
  auditedRange,
  BOOKS_FAMILY,
  booksKey,
  booksRange,
  CHANGES,
  increment,
  MESSAGES_FAMILY,
  OBJECTS_FAMILY,
  objectsKey,
  objectsRange,
  PARTITION_FAMILY,
  RANGES_KEY,
  REPORTS,
  reportKey,
  storableMinutes,
  WRITES,
} from "./ledger-keys";
import { deleteColumn, type Mutation, setCell } from "./requests";
import { allOf } from "./row-filters";
import { dayStartHour, hourOfText, minuteText } from "./row-keys";
import { type KeyRange, mutateRows, pages, type Row, type RowFilter, readRows } from "./rows";

const EVERYTHING: RowFilter = { passAllFilter: true };
const EMPTY = Buffer.alloc(0);

export class BigtableLedger implements Ledger, BookRetention {
  readonly #connection: BigtableConnection;
  readonly #table: string;
  readonly #acceptance: BigtableAcceptance;

  /** Opens no connection yet. Throws a RangeError for invalid names. */
  constructor(config: BigtableConfig) {
    this.#connection = new BigtableConnection(config);
    this.#table = this.#connection.tables.ledger;
    this.#acceptance = new BigtableAcceptance(this.#connection, this.#table);
  }

  /**
   * Lists the objects first, then their sums. An audit that reads in between marks the minute with the old sequence,
   * and its mark is void. The minutes are opened last, so that a reader of an open minute finds the objects in the
   * books. A crash in between is repaired when the caller lists the objects again, which it does before the log's
   * messages are done.
   */
  async addObjects(objects: readonly ArchivedObject[], changedMinutes: readonly number[]): Promise<void> {
    const minutes = new Set([...changedMinutes, ...objects.map(({ minute }) => minute)]);
    const rows = new Map([...minutes].map((minute) => [objectsKey(minute), [increment(WRITES)]]));
    for (const minute of new Set(changedMinutes)) add(rows, objectsKey(minute), increment(CHANGES));
    for (const object of objects) {
      const { minute, name, messages } = object;
      // The last listing of an object stays, because all its cells have one timestamp.
      add(rows, objectsKey(minute), setCell(OBJECTS_FAMILY, name, 0, encodeObject(object)));
      const listed = messages === undefined ? EMPTY : encodeMessages(messages);
      add(rows, objectsKey(minute), setCell(MESSAGES_FAMILY, name, 0, listed));
    }
    await this.#mutate(rows);
    await this.#makeBooks([...minutes]);
    await this.#acceptance.open(openingsOf(objects, Date.now()));
  }

  async expireObjects(objects: readonly { minute: number; name: string }[]): Promise<void> {
    const byMinute = new Map<number, Set<string>>();
    for (const { minute, name } of objects) byMinute.set(minute, (byMinute.get(minute) ?? new Set()).add(name));
    for (const [minute, names] of byMinute) {
      const listed = (await this.archivedObjects(minute, minute + 1)).filter(({ name }) => names.has(name));
      const rows = new Map<string, Mutation[]>();
      for (const object of listed) {
        const expired = encodeObject({ ...object, sizeBytes: 0 });
        add(rows, objectsKey(minute), setCell(OBJECTS_FAMILY, object.name, 0, expired));
      }
      await this.#mutate(rows);
    }
  }

  async archivedObjects(fromMinute: number, toMinute: number): Promise<ArchivedObject[]> {
    const minutes = storableMinutes(fromMinute, toMinute);
    if (minutes === undefined) return [];
    const objects: ArchivedObject[] = [];
    for await (const { key, cells } of this.#rows(objectsRange(minutes.from, minutes.to), EVERYTHING)) {
      const minute = hourOfText(key.slice(2, 12)) * MINUTES_AN_HOUR + Number(key.slice(12));
      objects.push(...objectsOf(minute, cells));
    }
    return objects;
  }

  async writeRows(rows: readonly LedgerRow[]): Promise<void> {
    const byHour = new Map<string, Mutation[]>();
    for (const row of rows) {
      const { minute, part } = row;
      const cell = setCell(PARTITION_FAMILY, `${minuteText(minute)}:${part}`, rowVersion(row), encodePartition(row));
      add(byHour, booksKey(hourOf(minute)), cell);
    }
    await this.#mutate(byHour);
  }

  async books(fromMinute: number, toMinute: number): Promise<LedgerMinute[]> {
    const books = new LedgerBooks();
    for await (const { minute, cell } of this.#books(fromMinute, toMinute, EVERYTHING)) {
      const { family, version, value } = cell;
      if (family === BOOKS_FAMILY) {
        const listed = decodeBooks(version, value);
        if (listed.objects > 0) books.objects(minute, listed);
      } else if (family === PARTITION_FAMILY) books.stream(minute, decodePartition(value));
      else if (family === OBJECTS_FAMILY) books.promised(minute, decodeIntegers(value, 1)[0]!);
      else if (family === AUDIT_FAMILY) books.settled(minute, decodeSettled(value));
      else if (family === MESSAGES_FAMILY && isAllCounted(cell.qualifier)) books.settled(minute, decodeSettled(value));
      else if (family === MESSAGES_FAMILY) books.writtenOff(decodeWriteOff(minute, version, value));
    }
    return books.minutes();
  }

  async changeSequences(fromMinute: number, toMinute: number): Promise<Map<number, number>> {
    const sequences = new Map<number, number>();
    for await (const { minute, cell } of this.#books(fromMinute, toMinute, allOf(BOOKS_FAMILY))) {
      const { changeSequence } = decodeBooks(cell.version, cell.value);
      if (changeSequence > 0) sequences.set(minute, changeSequence);
    }
    return sequences;
  }

  /** Writes a mark for every minute that has changed, and the range for all others. */
  async markAudited({ fromMinute, toMinute, sequences, except }: AuditedRange): Promise<void> {
    const minutes = storableMinutes(fromMinute, toMinute);
    if (minutes === undefined) return;
    const excepted = new Set(except);
    const byHour = new Map<string, Mutation[]>();
    for (const [minute, sequence] of sequences) {
      if (sequence === 0 || minute < minutes.from || minute >= minutes.to || excepted.has(minute)) continue;
      const mark = setCell(AUDITED_FAMILY, minuteText(minute), sequence, EMPTY);
      add(byHour, booksKey(hourOf(minute)), mark);
    }
    await this.#mutate(byHour);
    await this.#makeAudited([...new Set([...byHour.keys(), ...(await this.#hoursOfEarlierReleases(minutes))])]);
    await this.#addRanges(without({ fromMinute: minutes.from, toMinute: minutes.to }, except));
  }

  /** Returns the hours of which an earlier release did not record the changed minutes. No range can cover them. */
  async #hoursOfEarlierReleases({ from, to }: { from: number; to: number }): Promise<string[]> {
    const hours: string[] = [];
    for await (const { key, cells } of this.#rows(auditedRange(from, to), allOf(AUDITED_FAMILY))) {
      const day = dayStartHour(key.slice(2));
      for (const { qualifier, value } of cells)
        if (isOfEarlierRelease(value)) hours.push(booksKey(day + Number(qualifier)));
    }
    return hours;
  }

  /**
   * Writes the union first, then deletes the ranges that it replaces. A crash in between leaves ranges that overlap.
   */
  async #addRanges(added: readonly MinuteRange[]): Promise<void> {
    const known = await this.#ranges();
    const union = unionOf([...known, ...added]);
    const column = ({ fromMinute }: MinuteRange) => String(fromMinute);
    const isKnown = new Set(known.map((range) => `${range.fromMinute} ${range.toMinute}`));
    const written = union
      .filter((range) => !isKnown.has(`${range.fromMinute} ${range.toMinute}`))
      .map((range) => {
        const { fromMinute, toMinute } = range;
        return setCell(AUDITED_FAMILY, column(range), toMinute - fromMinute, encodeIntegers([fromMinute, toMinute]));
      });
    const kept = new Set(union.map(column));
    const absorbed = known.filter((range) => !kept.has(column(range)));
    await this.#mutate(new Map([[RANGES_KEY, written]]));
    await this.#mutate(new Map([[RANGES_KEY, absorbed.map((range) => deleteColumn(AUDITED_FAMILY, column(range)))]]));
  }

  async #ranges(): Promise<MinuteRange[]> {
    const query = { tableName: this.#table, keys: [RANGES_KEY], filter: allOf(AUDITED_FAMILY) };
    return ((await readRows(this.#connection, query))[0]?.cells ?? []).map(({ value }) => {
      const [fromMinute, toMinute] = decodeIntegers(value, 2) as [number, number];
      return { fromMinute, toMinute };
    });
  }

  async auditedCounts(fromMinute: number, toMinute: number, bucketMinutes: number): Promise<Map<number, number>> {
    const counts = new Map<number, number>();
    const minutes = storableMinutes(fromMinute, toMinute);
    if (minutes === undefined) return counts;
    const asked = { fromMinute: minutes.from, toMinute: minutes.to };
    const ranges = unionOf(await this.#ranges());
    countByBucket(counts, ranges, asked, bucketMinutes);
    for await (const { key, cells } of this.#rows(auditedRange(minutes.from, minutes.to), allOf(AUDITED_FAMILY))) {
      const firstHour = dayStartHour(key.slice(2));
      for (const { qualifier, value } of cells) {
        const firstMinute = (firstHour + Number(qualifier)) * MINUTES_AN_HOUR;
        const { audited, changed } = decodeAudited(value);
        for (let n = 0; n < 60; n++) {
          const minute = firstMinute + n;
          if (minute < minutes.from || minute >= minutes.to) continue;
          const bit = 1n << BigInt(n);
          const inRange = isWithin(ranges, minute);
          const isAudited = (audited & bit) !== 0n || (inRange && (changed & bit) === 0n);
          if (isAudited === inRange) continue;
          const bucket = Math.floor(minute / bucketMinutes) * bucketMinutes;
          counts.set(bucket, (counts.get(bucket) ?? 0) + (isAudited ? 1 : -1));
        }
      }
    }
    return new Map([...counts].filter(([, audited]) => audited > 0).sort(([a], [b]) => a - b));
  }

  async settleLate(rows: readonly SettledMinute[], { auditedAtMs }: { auditedAtMs: number }): Promise<void> {
    const byHour = new Map<string, Mutation[]>();
    for (const row of rows) {
      const { minute } = row;
      const value = encodeSettled(row);
      const cell =
        row.archived === undefined
          ? setCell(AUDIT_FAMILY, minuteText(minute), auditedAtMs, value)
          : setCell(MESSAGES_FAMILY, allCountedColumn(minuteText(minute)), auditedAtMs, value);
      add(byHour, booksKey(hourOf(minute)), cell);
    }
    await this.#mutate(byHour);
  }

  async writeOff(losses: readonly WriteOff[]): Promise<void> {
    const byHour = new Map<string, Mutation[]>();
    for (const loss of losses) {
      const cell = setCell(MESSAGES_FAMILY, minuteText(loss.minute), loss.atMs, encodeWriteOff(loss));
      add(byHour, booksKey(hourOf(loss.minute)), cell);
    }
    await this.#mutate(byHour);
  }

  bookAccepted(booking: IngestBooking): Promise<void> {
    return this.#acceptance.bookAccepted(booking);
  }
  ingestAccounts(): Promise<IngestAccount[]> {
    return this.#acceptance.ingestAccounts();
  }
  setArchivedThrough(reader: string, timeMs: number, leaseUntilMs: number): Promise<void> {
    return this.#acceptance.setArchivedThrough(reader, timeMs, leaseUntilMs);
  }
  archiveReaders(): Promise<ArchiveReader[]> {
    return this.#acceptance.archiveReaders();
  }
  openMinutes(limit: number): Promise<ListedOpenMinute[]> {
    return this.#acceptance.openMinutes(limit);
  }
  closeMinutes(open: readonly ListedOpenMinute[]): Promise<void> {
    return this.#acceptance.closeMinutes(open);
  }
  completeThroughMs(): Promise<number | undefined> {
    return this.#acceptance.completeThroughMs();
  }
  setCompleteThrough(timeMs: number, atMs: number): Promise<void> {
    return this.#acceptance.setCompleteThrough(timeMs, atMs);
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

  expireBooks(beforeMinute: number): Promise<number> {
    return expireBooks(this.#connection, beforeMinute, (minutes) => this.#makeBooks(minutes));
  }
  expireAudits(beforeMs: number): Promise<number> {
    return expireAudits(this.#connection, beforeMs);
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  /** Computes the books of minutes from their current rows. */
  async #makeBooks(minutes: readonly number[]): Promise<void> {
    const byHour = new Map<string, Mutation[]>();
    const minuteOf = new Map(minutes.map((minute) => [objectsKey(minute), minute]));
    const query = { tableName: this.#table, keys: [...minuteOf.keys()].sort(), filter: EVERYTHING };
    for (const row of await readRows(this.#connection, query)) {
      const books = booksOf(row);
      const minute = minuteOf.get(row.key)!;
      const cell = setCell(BOOKS_FAMILY, minuteText(minute), books.writes, encodeBooks(books));
      add(byHour, booksKey(hourOf(minute)), cell);
    }
    await this.#mutate(byHour);
    await this.#makeAudited([...byHour.keys()]);
  }

  /** Computes the audited minutes of hours from the current books and marks. */
  async #makeAudited(hourKeys: readonly string[]): Promise<void> {
    const byDay = new Map<string, Mutation[]>();
    const keys = [...hourKeys].sort();
    const filter = { familyNameRegexFilter: `${BOOKS_FAMILY}|${AUDITED_FAMILY}` };
    for (const row of await readRows(this.#connection, { tableName: this.#table, keys, filter })) {
      const { version, ...minutes } = auditedOf(row);
      const cell = setCell(AUDITED_FAMILY, row.key.slice(-2), version, encodeAudited(minutes));
      add(byDay, auditedKey(row.key.slice(2, 10)), cell);
    }
    await this.#mutate(byDay);
  }

  async #mutate(byKey: ReadonlyMap<string, Mutation[]>): Promise<void> {
    // Facts need not be written together, so a row with many mutations is written in several requests.
    const rows = [...byKey].flatMap(([key, mutations]) => inParts(mutations).map((part) => ({ key, mutations: part })));
    await mutateRows(this.#connection, this.#table, rows);
  }

  /** Yields the cells of hours' rows with their minutes, which are in [fromMinute, toMinute). */
  async *#books(fromMinute: number, toMinute: number, filter: RowFilter) {
    const minutes = storableMinutes(fromMinute, toMinute);
    if (minutes === undefined) return;
    for await (const { key, cells } of this.#rows(booksRange(minutes.from, minutes.to), filter)) {
      const firstMinute = hourOfText(key.slice(2)) * MINUTES_AN_HOUR;
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

function add(byKey: Map<string, Mutation[]>, key: string, mutation: Mutation): void {
  const mutations = byKey.get(key);
  if (mutations === undefined) byKey.set(key, [mutation]);
  else mutations.push(mutation);
}

const MUTATIONS_A_PART = 10_000;

function inParts(mutations: Mutation[]): Mutation[][] {
  if (mutations.length <= MUTATIONS_A_PART) return mutations.length === 0 ? [] : [mutations];
  const parts: Mutation[][] = [];
  for (let from = 0; from < mutations.length; from += MUTATIONS_A_PART)
    parts.push(mutations.slice(from, from + MUTATIONS_A_PART));
  return parts;
}

/**
 * Returns the reasons for which minutes are open. A backfilled object is accepted when it is listed; the log's objects
 * carry the time of their acceptance.
 */
function openingsOf(objects: readonly ArchivedObject[], nowMs: number): Opening[] {
  return objects.flatMap(({ minute, name, acceptedSinceMs }) => {
    const sinceMs = acceptedSinceMs ?? (isBackfilled(name) ? nowMs : undefined);
    return sinceMs === undefined ? [] : [{ minute, what: name, sinceMs }];
  });
}

/** Searches by bisection: `ranges` are ascending and disjoint. */
function isWithin(ranges: readonly MinuteRange[], minute: number): boolean {
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[middle]!.toMinute <= minute) low = middle + 1;
    else high = middle;
  }
  return low < ranges.length && ranges[low]!.fromMinute <= minute;
}
