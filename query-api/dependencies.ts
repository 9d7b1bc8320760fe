// SPDX-License-Identifier: Apache-2.0
/**
 * What the read API is given: stores, clocks and limits. `serve` fills it, and each endpoint takes the part that it
 * needs.
 */
import type { IncomingMessage } from "node:http";
import type { Logger } from "pino";
import type { Registry } from "prom-client";

import type { Admission } from "../admission/admission";
import type { AlertRule } from "../domain/rules/alerts";
import type { CounterStore, DeadLetter, DeadLetters, Ledger, LogProgress, Versioned, VideoCatalog } from "../io/ports";
import type { AccessKeys } from "../io/ports/access-keys";
import type { AlertStore } from "../io/ports/alert-store";
import type { AnswerCache } from "./answer-cache";
import type { UnknownVideos } from "./unknown-videos";

export interface Readiness {
  name: string;
  ok: boolean;
  detail: string;
  /** Whether the service is not ready without the dependency. Default true. */
  required?: boolean;
}

/** A number of the log's own, e.g. how many bytes wait. */
export interface LogGauge {
  /** Prometheus name, `viewmill_...` */
  name: string;
  help: string;
  value: () => Promise<number>;
}

/** The dependencies of the read API. */
export interface QueryDependencies {
  counters: Pick<CounterStore, "totals" | "read" | "top" | "rising" | "videoIds" | "videosSeen"> & Partial<Versioned>;
  /** How long one look at the stores' versions may serve several reads. Default 0: each read looks. */
  versionsKeptMs?: number;
  /** Keeps answers for a moment; absent: each answer is read anew. */
  answers?: AnswerCache;
  /** Titles and channels; absent in a deployment without a catalog. */
  catalog?: VideoCatalog & Partial<Versioned>;
  /** The videos of the channel "unknown"; made by createQueryApi where catalog and store allow. */
  unknown?: UnknownVideos;
  ledger: Pick<Ledger, "auditedCounts" | "audits" | "books">;
  progress: LogProgress;
  /** Further numbers of the log for /metrics, read at each scrape. */
  gauges: readonly LogGauge[];
  deadLetters: Pick<DeadLetters, "rejectedByMinute">;
  /** The judge of who may read and operate; absent: every client may. */
  admission?: Admission;
  /** The separate listener of /metrics and operating endpoints. Absent: there is none. */
  operations?: {
    /** Returns whether the request came by another listener, which has no such path. */
    isElsewhere(request: IncomingMessage): boolean;
    /** Returns whether the request came by that listener, on which /metrics needs no key. */
    isWithin(request: IncomingMessage): boolean;
  };
  /** The store of access keys; absent: there is no admin endpoint for keys. */
  accessKeys?: Pick<AccessKeys, "list" | "add" | "revoke">;
  /** The dead letters to show and to send again; absent: there are no such endpoints. */
  replay?: {
    letters: Pick<DeadLetters, "list" | "get" | "waiting" | "markReplayed">;
    /**
     * Resolves with undefined when the letter's events are durable, otherwise with why they are refused again. Rejects
     * with StoreUnavailableError.
     */
    again: (letter: DeadLetter) => Promise<string | undefined>;
  };
  /** The messages and states of alerts; absent: there are no alerts. */
  alerts?: Pick<AlertStore, "list" | "replay" | "states">;
  /** Default none. */
  alertRules?: readonly AlertRule[];
  /** Returns epoch milliseconds. */
  clock: () => number;
  /** Returns milliseconds of a clock that only goes forward. Default: the one of the process. */
  tick?: () => number;
  logger: Logger;
  /** The registry, which may already hold the metrics of the process and of ingest. */
  registry: Registry;
  /** Returns all dependencies of the service. A dependency that takes longer than 2 s is answered as `not ok`. */
  readiness: () => Promise<Readiness[]>;
  /** Aborted when the service stops. Streams of server-sent events end then. */
  stopping: AbortSignal;
  /** The lateness horizon: how long after its end a minute may still grow. */
  finalAfterMs: number;
  /** The largest age of an event at its acceptance. */
  rawRetentionMs: number;
}
