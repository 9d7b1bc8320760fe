import type { Logger } from "pino";
import type { Registry } from "prom-client";
import type { CounterStore, DeadLetters, EventLog, StreamState } from "../io/ports";

export interface Readiness {
  name: string;
  ok: boolean;
  detail: string;
}

/** What the read API needs of the service around it. */
export interface QueryDependencies {
  counters: Pick<CounterStore, "totals" | "read" | "top">;
  state: Pick<StreamState, "checkpoint" | "auditedCounts" | "audits" | "ledger">;
  log: Pick<EventLog, "firstAfter" | "accepted" | "backlogBytes" | "head">;
  deadLetters: Pick<DeadLetters, "rejectedByMinute">;
  /** Epoch milliseconds. */
  clock: () => number;
  logger: Logger;
  /** May already hold the process metrics, and what ingest measures. */
  registry: Registry;
  /** Everything the service depends on; answered as `not ok` when it takes longer than 2 s. */
  readiness: () => Promise<Readiness[]>;
  /** The lateness horizon: how long after its end a minute may still grow. */
  finalAfterMs: number;
}
