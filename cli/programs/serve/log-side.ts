// SPDX-License-Identifier: Apache-2.0
import type { EventLog, ReceiptStamps, Stamp } from "../../../io/ports";
import type { LogGauge, Readiness } from "../../../query-api";
import type { Check } from "./readiness";

/** The log of a service, and what the service does for its counting. */
export interface LogSide {
  log: EventLog;
  gauges: readonly LogGauge[];
  /** Stamps that an earlier process gave. */
  recentStamps(): Promise<readonly Stamp[]>;
  /** Where instances agree on stamps; absent: the log keeps them, and has one writer. */
  receiptStamps?: ReceiptStamps;
  /** Dependencies beside the stores that any service has. */
  readonly checks: readonly Check[];
  /** What the service's own processes say. */
  readiness(): Promise<Readiness[]>;
  /** The service listens: what runs beside it may start. */
  begin(): void;
  stop(): Promise<void>;
}
