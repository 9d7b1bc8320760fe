// SPDX-License-Identifier: Apache-2.0
import type { EmbeddedLedger, EmbeddedLog } from "../../io/ports";
import type { LogGauge } from "../../query-api";

/**
 * Returns the gauges of the embedded log and its stream for /metrics. `serve` gives them to the read API, where its log
 * is the embedded one.
 */
export function embeddedGauges(
  log: Pick<EmbeddedLog, "backlogBytes" | "head" | "firstAfter">,
  ledger: Pick<EmbeddedLedger, "countedThrough">,
  clock: () => number,
): LogGauge[] {
  return [
    {
      name: "viewmill_log_backlog_bytes",
      help: "Bytes of the event log that wait to be counted",
      value: () => log.backlogBytes(),
    },
    { name: "viewmill_log_head_position", help: "The newest position of the event log", value: () => log.head() },
    {
      name: "viewmill_checkpoint_position",
      help: "The position up to which the log is archived and counted",
      value: () => ledger.countedThrough(),
    },
    {
      name: "viewmill_checkpoint_lag_seconds",
      help: "Age of the first log entry that is not counted yet; 0: none",
      value: async () => {
        const next = await log.firstAfter(await ledger.countedThrough());
        return next === undefined ? 0 : Math.max(0, clock() - next.appendedAtMs) / 1000;
      },
    },
  ];
}
