// SPDX-License-Identifier: Apache-2.0
/**
 * The accepted events by source, and the progress of ingest and archivers. The records are facts in any order, of which
 * the larger version stays. A minute is open while it has a column that is written once and deleted once, so that
 * closing a minute never removes what was added since. The ledger keeps this part of its port here.
 */

import { randomBytes } from "node:crypto";
import { DAY_MS, hourOf } from "../../domain/rules/time";
import type { ArchiveReader, IngestAccount, IngestBooking, ListedOpenMinute } from "../ports";
import type { BigtableConnection } from "./connection";
import { decodeIntegers, encodeIntegers } from "./ledger-cells";
import {
  ACCOUNTS_KEY,
  ARCHIVED,
  BOOKS_FAMILY,
  booksKey,
  COMPLETE,
  OBJECTS_FAMILY,
  OPEN_KEY,
  PROGRESS_KEY,
} from "./ledger-keys";
import { deleteColumn, type Mutation, setCell } from "./requests";
import { allOf } from "./row-filters";
import { minuteText } from "./row-keys";
import { mutateRows, type RowCell, readRows } from "./rows";

/** An account without a booking for this long is forgotten; its promised events are kept. */
const ACCOUNT_KEPT_MS = 7 * DAY_MS;
/** The columns of one open minute, which are read every second. Beyond this number they are merged into one. */
const MAX_COLUMNS_A_MINUTE = 4;

/** A reason for which a minute is open. */
export interface Opening {
  minute: number;
  /** Unique among the reasons of the minute: the same reason twice is one column. */
  what: string;
  sinceMs: number;
}

export class BigtableAcceptance {
  constructor(
    private readonly connection: BigtableConnection,
    private readonly table: string,
  ) {}

  /**
   * Writes first the accepted events, then the open minutes, then the account's progress. A crash in between promises
   * less, never more.
   */
  async bookAccepted(booking: IngestBooking): Promise<void> {
    const { instance, sequence, minutes, sinceMs, throughMs, leaseUntilMs } = booking;
    const byHour = new Map<string, Mutation[]>();
    for (const [minute, events] of minutes) {
      const key = booksKey(hourOf(minute));
      const cell = setCell(OBJECTS_FAMILY, `${minuteText(minute)}:${instance}`, events, encodeIntegers([events]));
      byHour.set(key, [...(byHour.get(key) ?? []), cell]);
    }
    const rows = [...byHour].map(([key, mutations]) => ({ key, mutations }));
    await mutateRows(this.connection, this.table, rows);
    await this.open([...minutes.keys()].map((minute) => ({ minute, what: `${instance}:${sequence}`, sinceMs })));
    const account = setCell(BOOKS_FAMILY, instance, sequence, encodeIntegers([throughMs, leaseUntilMs]));
    await this.#mutate(ACCOUNTS_KEY, [account]);
  }

  async ingestAccounts(): Promise<IngestAccount[]> {
    const accounts = (await this.#cells(ACCOUNTS_KEY)).map(({ qualifier, value }) => {
      const [throughMs, leaseUntilMs] = decodeIntegers(value, 2) as [number, number];
      return { instance: qualifier, throughMs, leaseUntilMs };
    });
    const newestMs = Math.max(...accounts.map(({ throughMs }) => throughMs));
    const old = accounts.filter(({ throughMs }) => throughMs < newestMs - ACCOUNT_KEPT_MS);
    if (old.length > 0)
      await this.#mutate(
        ACCOUNTS_KEY,
        old.map(({ instance }) => deleteColumn(BOOKS_FAMILY, instance)),
      );
    return accounts.filter((account) => account.leaseUntilMs > 0 && !old.includes(account));
  }

  /** The time is the version: the largest stays, with the lease that was written last. */
  async setArchivedThrough(reader: string, timeMs: number, leaseUntilMs: number): Promise<void> {
    const column = `${ARCHIVED}:${reader}`;
    const known = (await this.#cells(PROGRESS_KEY)).find(({ qualifier }) => qualifier === column)?.version ?? 0;
    const version = Math.max(0, known, timeMs);
    await this.#mutate(PROGRESS_KEY, [setCell(BOOKS_FAMILY, column, version, encodeIntegers([leaseUntilMs]))]);
  }

  async archiveReaders(): Promise<ArchiveReader[]> {
    return (await this.#cells(PROGRESS_KEY)).flatMap(({ qualifier, version, value }) => {
      if (qualifier !== ARCHIVED && !qualifier.startsWith(`${ARCHIVED}:`)) return [];
      const reader = qualifier.slice(ARCHIVED.length + 1);
      return [{ reader, throughMs: version, leaseUntilMs: decodeIntegers(value, 1)[0]! }];
    });
  }

  /** The promise is written after the columns that make the minutes open. */
  async open(openings: readonly Opening[]): Promise<void> {
    if (openings.length === 0) return;
    await this.#mutate(
      OPEN_KEY,
      openings.map(({ minute, what, sinceMs }) =>
        setCell(BOOKS_FAMILY, `${minute}:${what}`, 0, encodeIntegers([minute, sinceMs])),
      ),
    );
  }

  async openMinutes(limit: number): Promise<ListedOpenMinute[]> {
    const minutes = new Map<number, { sinceMs: number; columns: string[] }>();
    for (const { qualifier, value } of await this.#cells(OPEN_KEY)) {
      const [minute, sinceMs] = decodeIntegers(value, 2) as [number, number];
      const known = minutes.get(minute);
      if (known === undefined) minutes.set(minute, { sinceMs, columns: [qualifier] });
      else {
        known.sinceMs = Math.min(known.sinceMs, sinceMs);
        known.columns.push(qualifier);
      }
    }
    await this.#merge(minutes);
    return [...minutes]
      .map(([minute, { sinceMs, columns }]) => ({ minute, sinceMs, token: JSON.stringify(columns) }))
      .sort((a, b) => a.sinceMs - b.sinceMs || a.minute - b.minute)
      .slice(0, limit);
  }

  async closeMinutes(open: readonly ListedOpenMinute[]): Promise<void> {
    const columns = open.flatMap(({ token }) => JSON.parse(token) as string[]);
    await this.#mutate(
      OPEN_KEY,
      columns.map((column) => deleteColumn(BOOKS_FAMILY, column)),
    );
  }

  async completeThroughMs(): Promise<number | undefined> {
    const cell = (await this.#cells(PROGRESS_KEY)).find(({ qualifier }) => qualifier === COMPLETE);
    return cell === undefined ? undefined : decodeIntegers(cell.value, 1)[0];
  }

  async setCompleteThrough(timeMs: number, atMs: number): Promise<void> {
    await this.#mutate(PROGRESS_KEY, [setCell(BOOKS_FAMILY, COMPLETE, atMs, encodeIntegers([timeMs]))]);
  }

  /**
   * Writes the merged column first, then deletes the columns that it replaces. A crash in between leaves more columns,
   * never fewer.
   */
  async #merge(minutes: ReadonlyMap<number, { sinceMs: number; columns: string[] }>): Promise<void> {
    const merged = [...minutes].filter(([, { columns }]) => columns.length > MAX_COLUMNS_A_MINUTE);
    if (merged.length === 0) return;
    const what = randomBytes(8).toString("hex");
    await this.open(merged.map(([minute, { sinceMs }]) => ({ minute, what, sinceMs })));
    const replaced = merged.flatMap(([, { columns }]) => columns.splice(0));
    for (const [minute, { columns }] of merged) columns.push(`${minute}:${what}`);
    await this.#mutate(
      OPEN_KEY,
      replaced.map((column) => deleteColumn(BOOKS_FAMILY, column)),
    );
  }

  async #cells(key: string): Promise<RowCell[]> {
    const query = { tableName: this.table, keys: [key], filter: allOf(BOOKS_FAMILY) };
    return (await readRows(this.connection, query))[0]?.cells ?? [];
  }

  async #mutate(key: string, mutations: readonly Mutation[]): Promise<void> {
    for (let from = 0; from < mutations.length; from += MUTATIONS_AT_ONCE) {
      const some = mutations.slice(from, from + MUTATIONS_AT_ONCE);
      await mutateRows(this.connection, this.table, [{ key, mutations: some }]);
    }
  }
}

/** Bigtable accepts 100,000 mutations of one row. */
const MUTATIONS_AT_ONCE = 20_000;
