// SPDX-License-Identifier: Apache-2.0
import type { ReceiptStamps } from "../../io/ports";
import type { Settings } from "../config/schema";
import { bigtableLocation } from "./open-counters";

/**
 * Opens the receipt stamps of services on a shared log, in the store of the counters, which every service reaches. The
 * embedded log keeps its own.
 */
export async function openReceiptStamps(config: Settings<"counters" | "data" | "project">): Promise<ReceiptStamps> {
  if (config.counters.kind === "sqlite") {
    const { SqliteReceiptStamps } = await import("../../io/sqlite/receipt-stamps.js");
    return new SqliteReceiptStamps({ folder: config.data });
  }
  const { BigtableReceiptStamps } = await import("../../io/bigtable/receipt-stamps.js");
  return new BigtableReceiptStamps(bigtableLocation(config));
}
