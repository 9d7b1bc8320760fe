// SPDX-License-Identifier: Apache-2.0
import { collectDefaultMetrics, Gauge, Histogram, type Registry } from "prom-client";
import { standingAudits, worstOutcome } from "../domain/rules/standing-audits";
import type { AuditReport } from "../io/ports";
import type { QueryDependencies } from "./dependencies";

const OUTCOMES: readonly AuditReport["outcome"][] = ["equal", "repaired", "differences", "not-comparable"];

/**
 * Metrics of the process (with its event loop lag, nodejs_eventloop_lag_*), of the reads by route, and of the delay of
 * counting. A gauge whose store cannot be read keeps its last value: /metrics answers while every dependency is away.
 * The router counts every answer with it.
 */
export class QueryMetrics {
  readonly #seconds: Histogram<"route" | "method" | "status">;

  constructor(dependencies: QueryDependencies) {
    const { registry } = dependencies;
    if (registry.getSingleMetric("process_cpu_seconds_total") === undefined) {
      collectDefaultMetrics({ register: registry });
    }
    this.#seconds = new Histogram({
      name: "viewmill_http_request_seconds",
      help: "Reads by route, from the first byte of a request to its answer",
      labelNames: ["route", "method", "status"],
      buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers: [registry],
    });
    backlogGauges(registry, dependencies);
    auditGauges(registry, dependencies);
  }

  answered(route: string, method: string, status: number, seconds: number): void {
    this.#seconds.observe({ route, method, status: String(status) }, seconds);
  }
}

function backlogGauges(registry: Registry, { gauges, logger }: QueryDependencies): void {
  const gauge = (name: string, help: string, value: () => Promise<number>) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        try {
          this.set(await value());
        } catch (error) {
          logger.warn({ err: error, metric: name }, "a metric could not be read");
        }
      },
    });
  for (const { name, help, value } of gauges) gauge(name, help, value);
}

/** The number of reports among which those are looked for that still stand. */
const REPORTS_READ = 50;

interface AuditState {
  startedAtMs: number;
  cellsDiffering: number;
  outcome: AuditReport["outcome"] | undefined;
}

/** Reads the state of the audits; the reports are read again when there is a newer one. */
function auditState(ledger: QueryDependencies["ledger"]): () => Promise<AuditState> {
  let known: { newestId: string | undefined; state: AuditState } | undefined;
  return async () => {
    const [newest] = await ledger.audits(1);
    if (known !== undefined && known.newestId === newest?.id) return known.state;
    const standing = standingAudits(await ledger.audits(REPORTS_READ));
    const state = {
      startedAtMs: newest?.startedAtMs ?? 0,
      cellsDiffering: standing.reduce((sum, { cellsDiffering }) => sum + cellsDiffering, 0),
      outcome: worstOutcome(standing),
    };
    known = { newestId: newest?.id, state };
    return state;
  };
}

/** The gauges of one scrape are collected together, and share one reading of the reports. */
function auditGauges(registry: Registry, { ledger, logger }: QueryDependencies): void {
  const read = auditState(ledger);
  let reading: Promise<AuditState> | undefined;
  const shared = () => {
    reading ??= read().finally(() => {
      reading = undefined;
    });
    return reading;
  };
  const gauge = (name: string, help: string, set: (gauge: Gauge<"outcome">, state: AuditState) => void) =>
    new Gauge<"outcome">({
      name,
      help,
      labelNames: name.endsWith("outcome") ? ["outcome"] : [],
      registers: [registry],
      async collect() {
        try {
          set(this, await shared());
        } catch (error) {
          logger.warn({ err: error, metric: name }, "a metric could not be read");
        }
      },
    });
  gauge("viewmill_last_audit_start_seconds", "When the newest audit began, since 1970; 0: none yet", (one, state) =>
    one.set(state.startedAtMs / 1000),
  );
  gauge(
    "viewmill_last_audit_differing_cells",
    "Cells found different: by the newest audit of a range, of the totals, and of problems not looked at since",
    (one, state) => one.set(state.cellsDiffering),
  );
  gauge(
    "viewmill_last_audit_outcome",
    "1 for the worst outcome: of the newest audit of a range, of the totals, and of problems not looked at since",
    (one, state) => {
      for (const outcome of OUTCOMES) one.set({ outcome }, state.outcome === outcome ? 1 : 0);
    },
  );
}
