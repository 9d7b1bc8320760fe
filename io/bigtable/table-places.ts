// SPDX-License-Identifier: Apache-2.0
/**
 * Compares the tables with the needs of a deployment, and changes none (tables.ts creates them).
 * `viewmill bigtable init` shows the differences.
 */

import { BigtableTableAdminClient } from "@google-cloud/bigtable/build/src/v2";
import { status } from "@grpc/grpc-js";
import { MINUTE_MS } from "../../domain/rules/time";
import { type Place, placeOf } from "../ports/places";
import { type BigtableConfig, tableNames } from "./config";
import { clientOptions } from "./connection";
import { asFailure, withRetries } from "./errors";
import { FAMILIES } from "./tables";

/** Rejects with `StoreUnavailableError`, and with a RangeError for invalid names. */
export async function tablePlaces(config: BigtableConfig): Promise<Place[]> {
  const names = tableNames(config);
  const times = {
    attemptTimeoutMs: config.attemptTimeoutMs ?? 10_000,
    totalTimeoutMs: config.totalTimeoutMs ?? MINUTE_MS,
  };
  const admin = new BigtableTableAdminClient(clientOptions(config));
  const families = async (name: string): Promise<object | undefined> =>
    withRetries(`looking at ${name}`, times, async (deadlineMs) => {
      const options = { timeout: Math.max(1, deadlineMs - Date.now()), retry: null as never };
      try {
        const [table] = await admin.getTable({ name, view: "SCHEMA_VIEW" }, options);
        return table.columnFamilies ?? {};
      } catch (error) {
        if (asFailure(error)?.code === status.NOT_FOUND) return undefined;
        throw error;
      }
    });
  try {
    const places: Place[] = [];
    for (const role of ["minutes", "summaries", "ledger"] as const) {
      const present = await families(names[role]);
      const missing = Object.keys(FAMILIES[role]).filter((family) => !Object.hasOwn(present ?? {}, family));
      if (present === undefined)
        places.push({ kind: "table", name: names[role], outcome: "missing", differences: ["there is no such table"] });
      else {
        const found = missing.map((family) => ({ words: `it has no column family ${family}`, canChange: true }));
        places.push(placeOf("table", names[role], found, false));
      }
    }
    return places;
  } finally {
    await admin.close();
  }
}
