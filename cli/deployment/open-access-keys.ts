// SPDX-License-Identifier: Apache-2.0
import type { AccessKeys } from "../../io/ports/access-keys";
import type { Settings } from "../config/schema";
import { bigtableLocation } from "./open-counters";

/**
 * The access keys are in the store of the counters. Rejects with `StoreUnavailableError`. `serve` opens them for
 * admission, and `viewmill keys` to change them.
 */
export async function openAccessKeys(config: Settings<"counters" | "data" | "project">): Promise<AccessKeys> {
  if (config.counters.kind === "bigtable") {
    const { BigtableAccessKeys } = await import("../../io/bigtable/access-keys.js");
    return new BigtableAccessKeys(bigtableLocation(config));
  }
  const { SqliteAccessKeys } = await import("../../io/sqlite/access-keys.js");
  return new SqliteAccessKeys({ folder: config.data });
}
