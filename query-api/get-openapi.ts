// SPDX-License-Identifier: Apache-2.0
import { text } from "./answer";
import { type Endpoint, endpoint } from "./endpoint";
import type { OpenApi } from "./openapi";
import { nothingAsked } from "./schemas";

/**
 * GET /openapi.json. The first request builds the document, when every endpoint is known. Clients, the documentation's
 * page and Schemathesis read the document.
 */
export function getOpenApi(document: () => OpenApi): Endpoint {
  let body: string | undefined;
  return endpoint({
    method: "get",
    path: "/openapi.json",
    query: nothingAsked,
    operation: {
      operationId: "getOpenApi",
      tag: "operation",
      scope: "none",
      summary: "This interface, as OpenAPI 3.1",
      contentType: "application/json",
      problems: [],
    },
    async handle() {
      body ??= JSON.stringify(document(), null, 1);
      return text("application/json", body, "no-cache");
    },
  });
}
