// SPDX-License-Identifier: Apache-2.0
import type { EventLog, ReceiptStamps, Stamp } from "../../../io/ports";
import type { LogGauge, Readiness } from "../../../query-api";
import type { Check } from "./readiness";

/**
 * The log of a service, with the service's part in counting it. embedded-counting.ts and shared-log.ts implement it,
 * and the service asks it for readiness and gauges.
 */
export interface LogSide {
  log: EventLog;
  gauges: readonly LogGauge[];
  /** Returns the stamps that an earlier process gave. */
  recentStamps(): Promise<readonly Stamp[]>;
  /** The store in which instances agree on stamps; absent: the log keeps them, and has one writer. */
  receiptStamps?: ReceiptStamps;
  /** The checks of dependencies beside the stores that any service has. */
  readonly checks: readonly Check[];
  /** Returns the readiness of the service's own processes. */
  readiness(): Promise<Readiness[]>;
  /** Called when the service listens, to start the processes beside it. */
  begin(): void;
  stop(): Promise<void>;
}
