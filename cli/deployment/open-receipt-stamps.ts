// SPDX-License-Identifier: Apache-2.0
import type { ReceiptStamps } from "../../io/ports";
import type { Config } from "../config/schema";
import { bigtableLocation } from "./open-counters";

/**
 * Receipt stamps of services on a log that several share: where the counters are, which every one of them reaches. The
 * embedded log keeps its own.
 */
export async function openReceiptStamps(config: Config): Promise<ReceiptStamps> {
  if (config.counters.kind === "sqlite") {
    const { SqliteReceiptStamps } = await import("../../io/sqlite/receipt-stamps.js");
    return new SqliteReceiptStamps({ folder: config.data });
  }
  const { BigtableReceiptStamps } = await import("../../io/bigtable/receipt-stamps.js");
  return new BigtableReceiptStamps(bigtableLocation(config));
}
