// SPDX-License-Identifier: Apache-2.0
/**
 * The tables: their families, the garbage collection of each, and their first split keys. `viewmill bigtable init`
 * creates them.
 */

import { BigtableTableAdminClient } from "@google-cloud/bigtable/build/src/v2";
import { status } from "@grpc/grpc-js";
import { SECONDS_A_DAY, SECONDS_AN_HOUR } from "../../domain/rules/time";
import { type BigtableConfig, type TableRole, tableNames } from "./config";
import { BigtableConnection, clientOptions } from "./connection";
import { asFailure, withRetries } from "./errors";
import { markComplete } from "./index-marks";
import {
  AUDIT_FAMILY,
  AUDITED_FAMILY,
  BOOKS_FAMILY,
  MESSAGES_FAMILY,
  OBJECTS_FAMILY,
  PARTITION_FAMILY,
  SEQUENCE_FAMILY,
  STAMPS_FAMILY,
} from "./ledger-keys";
import {
  DAY_FAMILY,
  HOUR_FAMILY,
  MINUTE_FAMILY,
  MONTH_FAMILY,
  SPLIT_KEYS,
  TOTAL_FAMILY,
  WRITER_FAMILY,
} from "./row-keys";

const NEWEST = { gcRule: { maxNumVersions: 1 } };
/**
 * Marks are compared with knowledge of at most ten minutes; older marks have no use. Their timestamps are times, unlike
 * all others.
 */
const MARKS = { gcRule: { union: { rules: [{ maxNumVersions: 1 }, { maxAge: { seconds: 7 * SECONDS_A_DAY } }] } } };
/** A stamp is valid for ten minutes of the clocks that give it; its timestamp is that time. */
const STAMPS = { gcRule: { union: { rules: [{ maxNumVersions: 1 }, { maxAge: { seconds: SECONDS_AN_HOUR } }] } } };
const INT64_SUM = {
  valueType: { aggregateType: { inputType: { int64Type: { encoding: { bigEndianBytes: {} } } }, sum: {} } },
};

type Families = Readonly<Record<string, object>>;

/** Only the families of marks and stamps have a rule of age: all other timestamps are versions and not times. */
export const FAMILIES: Readonly<Record<TableRole, Families>> = {
  minutes: { [MINUTE_FAMILY]: NEWEST, [WRITER_FAMILY]: MARKS },
  summaries: {
    [HOUR_FAMILY]: NEWEST,
    [DAY_FAMILY]: NEWEST,
    [MONTH_FAMILY]: NEWEST,
    [TOTAL_FAMILY]: NEWEST,
    [WRITER_FAMILY]: MARKS,
  },
  ledger: {
    [OBJECTS_FAMILY]: NEWEST,
    [MESSAGES_FAMILY]: NEWEST,
    [SEQUENCE_FAMILY]: INT64_SUM,
    [BOOKS_FAMILY]: NEWEST,
    [PARTITION_FAMILY]: NEWEST,
    [AUDITED_FAMILY]: NEWEST,
    [AUDIT_FAMILY]: NEWEST,
    [STAMPS_FAMILY]: STAMPS,
  },
};

const ROLES: readonly TableRole[] = ["minutes", "summaries", "ledger"];

interface CreatedTable {
  /** The full resource name. */
  name: string;
  outcome: "created" | "families-added" | "exists";
}

/**
 * Creates missing tables and families; existing ones stay as they are. Several processes may run it at any time.
 * Rejects with `StoreUnavailableError`, or with RangeError (an invalid name, or a request that Bigtable refuses).
 */
export async function createTables(config: BigtableConfig): Promise<CreatedTable[]> {
  const names = tableNames(config);
  const times = {
    attemptTimeoutMs: config.attemptTimeoutMs ?? 30_000,
    totalTimeoutMs: config.totalTimeoutMs ?? 120_000,
  };
  const admin = new BigtableTableAdminClient(clientOptions(config));
  try {
    const created: CreatedTable[] = [];
    for (const role of ROLES) {
      const outcome = await withRetries(`creating ${names[role]}`, times, (deadlineMs) =>
        ensureTable(admin, names.instance, names[role], role, Math.max(1, deadlineMs - Date.now())),
      );
      created.push({ name: names[role], outcome });
    }
    // What no earlier program has written has all of its indexes.
    if (created.every(({ outcome }) => outcome === "created")) await markNewTables(config);
    return created;
  } finally {
    await admin.close();
  }
}

async function markNewTables(config: BigtableConfig): Promise<void> {
  const connection = new BigtableConnection(config);
  try {
    await markComplete(connection, ["seen", "ranks"]);
  } finally {
    await connection.close();
  }
}

async function ensureTable(
  admin: BigtableTableAdminClient,
  instance: string,
  name: string,
  role: TableRole,
  timeout: number,
): Promise<CreatedTable["outcome"]> {
  // retry.ts alone decides on retries.
  const options = { timeout, retry: null as never };
  const families = FAMILIES[role];
  const initialSplits = role === "ledger" ? [] : SPLIT_KEYS.map((key) => ({ key: Buffer.from(key, "latin1") }));
  const tableId = name.slice(name.lastIndexOf("/") + 1);
  try {
    await admin.createTable({ parent: instance, tableId, table: { columnFamilies: families }, initialSplits }, options);
    return "created";
  } catch (error) {
    if (asFailure(error)?.code !== status.ALREADY_EXISTS) throw error;
  }
  const [table] = await admin.getTable({ name, view: "SCHEMA_VIEW" }, options);
  const missing = Object.keys(families).filter((family) => table.columnFamilies?.[family] === undefined);
  if (missing.length === 0) return "exists";
  const modifications = missing.map((id) => ({ id, create: families[id]! }));
  await admin.modifyColumnFamilies({ name, modifications }, options);
  return "families-added";
}
