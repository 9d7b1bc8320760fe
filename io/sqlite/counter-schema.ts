// SPDX-License-Identifier: Apache-2.0
/**
 * The tables of counters.sqlite. Names have ids in dictionaries; cells are packed into blocks of 64 neighbouring videos
 * (cell-block.ts, block-tables.ts). docs/decisions/0014-packed-cells.md. Whatever opens counters.sqlite opens it here.
 */
import type { DatabaseSync } from "node:sqlite";
import { CELL_CHANGES } from "./cell-changes";
import { type OpenOptions, openDatabase, openReadOnly, type Schema } from "./connection";
import { ACCEPTANCE, DEFERRED_RANGES, EXPIRED_BOOKS, SHARED_LOG, STREAM_STATE, WRITTEN_OFF } from "./ledger-schema";
import { rankBuckets } from "./rank-migration";
import { packCells, ROWS_A_CELL, VALUED_AND_REVISION } from "./row-migration";
import { ROLL_UPS } from "./tier-schema";

export { COUNTERS_FILE } from "./counter-file";

/**
 * The file holds the counters and the books of the stream (books-schema.ts), with one list of migrations and one
 * version.
 */
const COUNTERS_SCHEMA: Schema = {
  version: 11,
  migrations: [
    ROWS_A_CELL + STREAM_STATE,
    SHARED_LOG,
    DEFERRED_RANGES,
    VALUED_AND_REVISION,
    ACCEPTANCE,
    packCells,
    rankBuckets,
    ROLL_UPS,
    WRITTEN_OFF,
    EXPIRED_BOOKS,
    CELL_CHANGES,
  ],
  shrinks: true,
};

/** Opens for writing; creates the file when missing. Throws `StoreUnavailableError`, `SchemaVersionError`. */
export function openCounters(file: string, options: OpenOptions = {}): DatabaseSync {
  return openDatabase(file, COUNTERS_SCHEMA, { cacheBytes: 64 << 20, walAutocheckpointPages: 4000, ...options });
}

/** Opens for reading only; creates the file when missing. Throws `StoreUnavailableError`, `SchemaVersionError`. */
export function openCountersReadOnly(file: string, options: OpenOptions = {}): DatabaseSync {
  return openReadOnly(file, COUNTERS_SCHEMA, options);
}
