// SPDX-License-Identifier: Apache-2.0
/**
 * What one request to Bigtable may hold: mutations of rows, the limits of both, and how many rows fit. Every write of
 * this folder is cut into requests with it.
 */
import { timestampMicros } from "./versions";

const MAX_PAGE_ROWS = 1_000;
/** The cells of a page: some 20 MB. A single row with more is held whole. */
const PAGE_CELLS = 100_000;
const ENTRIES_A_REQUEST = 500;
const MUTATIONS_A_REQUEST = 20_000;
const BYTES_A_REQUEST = 8 << 20;

/** The bytes of a mutation beside its column and value. */
const MUTATION_BYTES = 32;

/**
 * The limits of Bigtable: https://cloud.google.com/bigtable/quotas#limits. A row is at most 256 MB, which Bigtable
 * alone can check.
 */
export const LIMITS = {
  keyBytes: 4 << 10,
  qualifierBytes: 16 << 10,
  valueBytes: 100 << 20,
  /** The mutations of a row in one request, which are applied together. */
  rowMutations: 100_000,
} as const;

export type Mutation = Record<string, unknown>;

export interface RowMutation {
  key: string;
  /** Mutations that are applied together or not at all. */
  mutations: Mutation[];
}

/** Sets a cell. Throws a RangeError for a column or a value beyond Bigtable's limits. */
export function setCell(family: string, qualifier: string, version: number, value: Uint8Array): Mutation {
  refuseBeyond("a column's name", qualifier.length, LIMITS.qualifierBytes);
  refuseBeyond("a cell", value.length, LIMITS.valueBytes);
  return {
    setCell: {
      familyName: family,
      columnQualifier: Buffer.from(qualifier, "latin1"),
      timestampMicros: timestampMicros(version),
      value,
    },
  };
}

export function deleteColumn(family: string, qualifier: string): Mutation {
  return { deleteFromColumn: { familyName: family, columnQualifier: Buffer.from(qualifier, "latin1") } };
}

function refuseBeyond(what: string, size: number, limit: number): void {
  if (size > limit) throw new RangeError(`${what} of ${size} bytes; Bigtable takes at most ${limit}`);
}

/**
 * Divides rows into requests within the limits; a row stays whole. Throws a RangeError for a row beyond the limits of
 * one request.
 */
export function asRequests(rows: readonly RowMutation[]): RowMutation[][] {
  const requests: RowMutation[][] = [];
  let mutations = 0;
  let bytes = 0;
  for (const row of rows) {
    refuseBeyond("a row's key", row.key.length, LIMITS.keyBytes);
    if (row.mutations.length > LIMITS.rowMutations)
      throw new RangeError(
        `${row.mutations.length} mutations of one row; Bigtable takes at most ${LIMITS.rowMutations}`,
      );
    const size = row.mutations.reduce((sum, mutation) => sum + sizeOf(mutation), row.key.length);
    const isFull =
      requests.length === 0 ||
      mutations + row.mutations.length > MUTATIONS_A_REQUEST ||
      bytes + size > BYTES_A_REQUEST ||
      requests.at(-1)!.length >= ENTRIES_A_REQUEST;
    if (isFull) {
      requests.push([]);
      mutations = 0;
      bytes = 0;
    }
    requests.at(-1)!.push(row);
    mutations += row.mutations.length;
    bytes += size;
  }
  return requests;
}

function sizeOf({ setCell }: Mutation): number {
  if (setCell === undefined) return MUTATION_BYTES;
  const { columnQualifier, value } = setCell as { columnQualifier: Uint8Array; value: Uint8Array };
  return MUTATION_BYTES + columnQualifier.length + value.length;
}

/** Returns how many rows as wide as these fit into a page. */
export function pageRows(rows: readonly { cells: readonly unknown[] }[]): number {
  const cells = rows.reduce((sum, row) => sum + row.cells.length, 0);
  const fitting = Math.floor((PAGE_CELLS * rows.length) / Math.max(1, cells));
  return Math.max(1, Math.min(fitting, rows.length * 8, MAX_PAGE_ROWS));
}
