// SPDX-License-Identifier: Apache-2.0
import { LedgerProgress } from "../../io/cluster/ledger-progress";
import type { Ledger, LogProgress } from "../../io/ports";
import type { Settings } from "../config/schema";

/**
 * Opens the progress of counting: by the embedded log itself, or by the books of a shared one. Every opened deployment
 * has it, and freshness is told from it.
 */
export async function openProgress(
  config: Settings<"data" | "log">,
  ledger: Ledger,
): Promise<{ progress: LogProgress; close(): Promise<void> }> {
  if (config.log.kind !== "embedded") {
    return { progress: new LedgerProgress(ledger, { clock: Date.now }), close: async () => undefined };
  }
  const [{ SqliteLogReader }, { SqliteLogProgress }, { SqliteLedger }] = await Promise.all([
    import("../../io/sqlite/log-reader.js"),
    import("../../io/sqlite/log-progress.js"),
    import("../../io/sqlite/ledger.js"),
  ]);
  const log = new SqliteLogReader({ folder: config.data });
  const checkpoints = new SqliteLedger({ folder: config.data });
  return {
    progress: new SqliteLogProgress(log, checkpoints, ledger),
    close: async () => {
      await Promise.all([log.close(), checkpoints.close()]);
    },
  };
}
