// SPDX-License-Identifier: Apache-2.0
/** GET /metrics, which Prometheus scrapes. */
import { NO_STORE, text } from "./answer";
import type { QueryDependencies } from "./dependencies";
import { type Endpoint, endpoint } from "./endpoint";
import { nothingAsked } from "./schemas";

export const METRICS_PATH = "/metrics";

/** GET /metrics: all metrics of the registry, those of ingest included. */
export function getMetrics({ registry }: QueryDependencies): Endpoint {
  return endpoint({
    method: "get",
    path: METRICS_PATH,
    query: nothingAsked,
    operation: {
      operationId: "getMetrics",
      tag: "operation",
      summary: "Metrics in the Prometheus text format",
      contentType: "text/plain",
      problems: [],
    },
    async handle() {
      return text(registry.contentType, await registry.metrics(), NO_STORE);
    },
  });
}
