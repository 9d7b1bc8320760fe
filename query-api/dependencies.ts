// SPDX-License-Identifier: Apache-2.0
import type { IncomingMessage } from "node:http";
import type { Logger } from "pino";
import type { Registry } from "prom-client";

import type { Admission } from "../admission/admission";
import type { CounterStore, DeadLetter, DeadLetters, Ledger, LogProgress, VideoCatalog } from "../io/ports";
import type { AccessKeys } from "../io/ports/access-keys";
import type { AnswerCache } from "./answer-cache";

export interface Readiness {
  name: string;
  ok: boolean;
  detail: string;
  /** Without it the service is not ready. Default true. */
  required?: boolean;
}

/** A number of the log's own, e.g. how many bytes wait. */
export interface LogGauge {
  /** Prometheus name, `viewmill_...` */
  name: string;
  help: string;
  value: () => Promise<number>;
}

/** What the read API needs of the service around it. */
export interface QueryDependencies {
  counters: Pick<CounterStore, "totals" | "read" | "top" | "rising" | "videoIds">;
  /** Keeps answers for a moment; absent: each is read anew. */
  answers?: AnswerCache;
  /** Titles and channels; a deployment may have none. */
  catalog?: VideoCatalog;
  ledger: Pick<Ledger, "auditedCounts" | "audits" | "books">;
  progress: LogProgress;
  /** What else /metrics says of the log, read at each scrape. */
  gauges: readonly LogGauge[];
  deadLetters: Pick<DeadLetters, "rejectedByMinute">;
  /** Who may read and operate; absent: everybody. */
  admission?: Admission;
  /** Where /metrics and operating endpoints have a listener of their own. Absent: they have none. */
  operations?: {
    /** The request came by another listener: there is nothing at such a path. */
    isElsewhere(request: IncomingMessage): boolean;
    /** The request came by that listener: /metrics needs no key. */
    isWithin(request: IncomingMessage): boolean;
  };
  /** Where access keys are kept; absent: there is no admin endpoint of them. */
  accessKeys?: AccessKeys;
  /** Dead letters to look at and to send again; absent: there are no such endpoints. */
  replay?: {
    letters: Pick<DeadLetters, "list" | "markReplayed">;
    /**
     * Undefined: the letter's events are durable. Else why they are refused again. Rejects with StoreUnavailableError.
     */
    again: (letter: DeadLetter) => Promise<string | undefined>;
  };
  /** Epoch milliseconds. */
  clock: () => number;
  logger: Logger;
  /** May already hold the process metrics, and what ingest measures. */
  registry: Registry;
  /** Everything the service depends on; answered as `not ok` when it takes longer than 2 s. */
  readiness: () => Promise<Readiness[]>;
  /** Aborted when the service stops: streams of server-sent events end then. */
  stopping: AbortSignal;
  /** The lateness horizon: how long after its end a minute may still grow. */
  finalAfterMs: number;
  /** How old an event may be when it is accepted. */
  rawRetentionMs: number;
}
