// SPDX-License-Identifier: Apache-2.0
import { plainJson } from "./answer";
import { shownReport } from "./audit-report";
import { auditsSchema } from "./audit-schemas";
import type { QueryDependencies } from "./dependencies";
import { type Endpoint, endpoint } from "./endpoint";
import { auditsAsked } from "./schemas";

/** GET /v1/audits: the reports of strong audits, newest first. */
export function getAudits({ ledger }: QueryDependencies): Endpoint {
  return endpoint({
    method: "get",
    path: "/v1/audits",
    query: auditsAsked,
    operation: {
      operationId: "getAudits",
      tag: "proof",
      summary: "The strong audit's reports, newest first",
      description: "The same reports as the audit command prints with --json.",
      answer: auditsSchema,
      problems: [400, 503],
    },
    async handle({ query }) {
      const reports = await ledger.audits(query.limit);
      return plainJson({ audits: reports.map(shownReport) }, "no-cache");
    },
  });
}
