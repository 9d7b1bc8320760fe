// SPDX-License-Identifier: Apache-2.0
import { plainJson } from "./answer";
import { type Endpoint, endpoint } from "./endpoint";
import { healthSchema, nothingAsked } from "./schemas";

/**
 * GET /healthz: the process answers. /readyz says whether the process can do its work. Orchestrators ask it whether to
 * restart the process.
 */
export function getHealth(): Endpoint {
  return endpoint({
    method: "get",
    path: "/healthz",
    query: nothingAsked,
    operation: {
      operationId: "getHealth",
      tag: "operation",
      scope: "none",
      summary: "Liveness",
      answer: healthSchema,
      problems: [],
    },
    async handle() {
      return plainJson({ status: "ok" });
    },
  });
}
