// SPDX-License-Identifier: Apache-2.0
/**
 * Bulk reads and writes of rows: requests, answers, and the work left after a failure. Every read and write of this
 * folder goes through it.
 */

import { status } from "@grpc/grpc-js";
import { inParallel } from "../flow/in-parallel";
import type { BigtableConnection } from "./connection";
import { type Failure, failureKind, withRetries } from "./errors";
import { asRequests, type Mutation, pageRows, type RowMutation } from "./requests";
import { versionOf } from "./versions";

export interface RowCell {
  family: string;
  qualifier: string;
  /** The milliseconds of the cell's timestamp. */
  version: number;
  value: Buffer;
}

export interface Row {
  key: string;
  cells: RowCell[];
}

/** Keys from `start` (inclusive) to `end` (exclusive). */
export interface KeyRange {
  start: string;
  end: string;
}

interface RowQuery {
  tableName: string;
  /** Ascending, each once. */
  keys?: readonly string[];
  /** Ascending, without overlaps. */
  ranges?: readonly KeyRange[];
  filter: RowFilter;
  limit?: number;
}

export type RowFilter = Record<string, unknown>;

/** The keys of one request, which is about as large as an answer of small rows. */
const KEYS_A_REQUEST = 1_000;
/** The rows of the first page, before the width of rows is known. */
const FIRST_PAGE_ROWS = 64;
interface Chunk {
  rowKey: Buffer;
  familyName: { value: string } | null;
  qualifier: { value: Buffer } | null;
  timestampMicros: string;
  value: Buffer;
  valueSize: number;
  resetRow?: boolean;
  commitRow?: boolean;
}

/**
 * Returns rows in key order, with the newest version of each cell. Keys beyond one request are read by several, which
 * run together.
 */
export async function readRows(connection: BigtableConnection, query: RowQuery): Promise<Row[]> {
  const { keys = [], ...rest } = query;
  if (keys.length <= KEYS_A_REQUEST) return readRequest(connection, query);
  const parts: Promise<Row[]>[] = [];
  for (let from = 0; from < keys.length; from += KEYS_A_REQUEST) {
    parts.push(readRequest(connection, { ...rest, keys: keys.slice(from, from + KEYS_A_REQUEST) }));
  }
  return (await Promise.all(parts)).flat();
}

async function readRequest(connection: BigtableConnection, query: RowQuery): Promise<Row[]> {
  const rows: Row[] = [];
  const { limit = 0, filter, tableName } = query;
  if ((query.keys?.length ?? 0) + (query.ranges?.length ?? 0) === 0) return rows;
  await withRetries("reading", connection.times, async (deadlineMs) => {
    const last = rows.at(-1)?.key;
    const left = last === undefined ? query : behind(query, last);
    const done = (left.keys?.length ?? 0) + (left.ranges?.length ?? 0) === 0 || (limit > 0 && rows.length >= limit);
    if (done) return;
    const request = {
      tableName,
      rows: {
        rowKeys: (left.keys ?? []).map((key) => Buffer.from(key, "latin1")),
        rowRanges: (left.ranges ?? []).map(({ start, end }) => ({
          startKeyClosed: Buffer.from(start, "latin1"),
          endKeyOpen: Buffer.from(end, "latin1"),
        })),
      },
      filter: { chain: { filters: [filter, { cellsPerColumnLimitFilter: 1 }] } },
      rowsLimit: limit === 0 ? 0 : limit - rows.length,
    };
    const assembly = new RowAssembly(rows);
    await connection.stream<{ chunks: Chunk[] }>("readRows", request, deadlineMs, (answer) => {
      for (const chunk of answer.chunks) assembly.take(chunk);
    });
  });
  return rows;
}

/** Returns the part of a query behind a key. */
function behind(query: RowQuery, last: string): RowQuery {
  return {
    ...query,
    keys: (query.keys ?? []).filter((key) => key > last),
    ranges: (query.ranges ?? [])
      .map(({ start, end }) => ({ start: start > last ? start : `${last}\0`, end }))
      .filter(({ start, end }) => start < end),
  };
}

/** Assembles rows from chunks: a row, and within it a family or column, is named once and holds until the next name. */
class RowAssembly {
  #row: Row = { key: "", cells: [] };
  #family = "";
  #qualifier = "";
  #parts: Buffer[] = [];
  #version = 0;

  constructor(private readonly rows: Row[]) {}

  take(chunk: Chunk): void {
    if (chunk.resetRow === true) {
      this.#row = { key: "", cells: [] };
      this.#parts = [];
      return;
    }
    if (chunk.rowKey.length > 0) this.#row.key = chunk.rowKey.toString("latin1");
    if (chunk.familyName !== null) this.#family = chunk.familyName.value;
    if (chunk.qualifier !== null) this.#qualifier = chunk.qualifier.value.toString("latin1");
    // A large value is sent in parts. The first part alone has the timestamp; all but the last announce the size.
    if (this.#parts.length === 0) this.#version = versionOf(chunk.timestampMicros);
    this.#parts.push(chunk.value);
    if (chunk.valueSize === 0) {
      const value = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
      this.#row.cells.push({ family: this.#family, qualifier: this.#qualifier, version: this.#version, value });
      this.#parts = [];
    }
    if (chunk.commitRow === true) {
      this.rows.push(this.#row);
      this.#row = { key: "", cells: [] };
    }
  }
}

/** Yields the rows of a range page by page. One page is in memory at a time, and a page of wide rows has fewer rows. */
export async function* pages(
  connection: BigtableConnection,
  tableName: string,
  range: KeyRange,
  filter: RowFilter,
): AsyncGenerator<Row, void, undefined> {
  let { start } = range;
  let limit = FIRST_PAGE_ROWS;
  for (;;) {
    const rows = await readRows(connection, { tableName, ranges: [{ ...range, start }], filter, limit });
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < limit) return;
    start = `${last.key}\0`;
    limit = pageRows(rows);
  }
}

/**
 * Writes every row in one of several requests, which run together. Mutations must tolerate a second application,
 * because an answer may be lost. Rejects with `StoreUnavailableError` (some rows may be written), or RangeError (beyond
 * Bigtable's limits; no row is written).
 */
export async function mutateRows(
  connection: BigtableConnection,
  tableName: string,
  rows: readonly RowMutation[],
): Promise<void> {
  const requests = asRequests(rows);
  await inParallel(requests, requests.length, (request) => mutateRequest(connection, tableName, request));
}

interface MutateAnswer {
  entries: { index: string; status: { code: number; message: string } | null }[];
}

async function mutateRequest(connection: BigtableConnection, tableName: string, rows: RowMutation[]): Promise<void> {
  let left = rows;
  await withRetries("writing", connection.times, async (deadlineMs) => {
    const failures = new Map<number, Failure>(
      left.map((_, index) => [index, { code: status.UNAVAILABLE, details: "no answer for a row" }]),
    );
    const entries = left.map(({ key, mutations }) => ({ rowKey: Buffer.from(key, "latin1"), mutations }));
    try {
      await connection.stream<MutateAnswer>("mutateRows", { tableName, entries }, deadlineMs, (answer) => {
        for (const { index, status: result } of answer.entries) {
          const code = result?.code ?? 0;
          if (code === 0) failures.delete(Number(index));
          else failures.set(Number(index), { code, details: result?.message ?? "" });
        }
      });
    } finally {
      left = left.filter((_, index) => failures.has(index));
    }
    if (failures.size > 0) {
      throw [...failures.values()].find((one) => failureKind(one) !== "again") ?? failures.values().next().value;
    }
  });
}

/**
 * Writes unless the predicate matches the row; returns whether it matched. The call is repeated when the outcome is
 * unknown, so the predicate may match the write of an earlier attempt.
 */
export async function mutateUnless(
  connection: BigtableConnection,
  tableName: string,
  key: string,
  predicateFilter: RowFilter,
  falseMutations: Mutation[],
): Promise<boolean> {
  return withRetries("writing", connection.times, async (deadlineMs) => {
    const request = { tableName, rowKey: Buffer.from(key, "latin1"), predicateFilter, falseMutations };
    return (await connection.checkAndMutateRow(request, deadlineMs)).predicateMatched;
  });
}

/**
 * Deletes or replaces under a condition; returns whether the condition held. The call is not repeated: the caller looks
 * again after an unknown outcome.
 */
export async function mutateIf(
  connection: BigtableConnection,
  tableName: string,
  key: string,
  predicateFilter: RowFilter,
  trueMutations: Mutation[],
): Promise<boolean> {
  return withRetries("writing", connection.times, async (deadlineMs) => {
    const request = { tableName, rowKey: Buffer.from(key, "latin1"), predicateFilter, trueMutations };
    return (await connection.checkAndMutateRow(request, deadlineMs)).predicateMatched;
  });
}
