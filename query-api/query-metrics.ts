// SPDX-License-Identifier: Apache-2.0
import { collectDefaultMetrics, Gauge, Histogram, type Registry } from "prom-client";
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

/** The gauges of one scrape are collected together, and share one reading of the newest report. */
function auditGauges(registry: Registry, { ledger, logger }: QueryDependencies): void {
  let reading: Promise<AuditReport | undefined> | undefined;
  const newest = () => {
    reading ??= ledger
      .audits(1)
      .then((reports) => reports[0])
      .finally(() => {
        reading = undefined;
      });
    return reading;
  };
  const gauge = (name: string, help: string, set: (gauge: Gauge<"outcome">, report: AuditReport | undefined) => void) =>
    new Gauge<"outcome">({
      name,
      help,
      labelNames: name.endsWith("outcome") ? ["outcome"] : [],
      registers: [registry],
      async collect() {
        try {
          set(this, await newest());
        } catch (error) {
          logger.warn({ err: error, metric: name }, "a metric could not be read");
        }
      },
    });
  gauge("viewmill_last_audit_start_seconds", "When the newest audit began, since 1970; 0: none yet", (one, report) =>
    one.set((report?.startedAtMs ?? 0) / 1000),
  );
  gauge("viewmill_last_audit_differing_cells", "Cells the newest audit found different", (one, report) =>
    one.set(report?.cellsDiffering ?? 0),
  );
  gauge("viewmill_last_audit_outcome", "1 for the outcome of the newest audit, 0 for the others", (one, report) => {
    for (const outcome of OUTCOMES) one.set({ outcome }, report?.outcome === outcome ? 1 : 0);
  });
}
