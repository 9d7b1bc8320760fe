import { MINUTE_MS } from "../domain/rules/time";
import type { AuditReport } from "../io/ports";
import { plainJson } from "./answer";
import type { QueryDependencies } from "./dependencies";
import { type Endpoint, endpoint } from "./endpoint";
import { auditsAsked, auditsSchema } from "./schemas";

/** GET /v1/audits: what the strong audits found, newest first. */
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
      return plainJson({ audits: reports.map(shown) }, "no-cache");
    },
  });
}

function shown({ startedAtMs, fromMs, toMs, notComparable, differences, reusedIds, ...rest }: AuditReport) {
  const iso = (timeMs: number) => new Date(timeMs).toISOString();
  return {
    ...rest,
    startedAt: iso(startedAtMs),
    from: iso(fromMs),
    to: iso(toMs),
    ...(reusedIds && {
      reusedIds: reusedIds.map(({ places, ...id }) => ({
        ...id,
        places: places.map(({ minute, ...place }) => ({ ...place, minute: iso(minute * MINUTE_MS) })),
      })),
    }),
    notComparable: notComparable.map(({ minute, reason }) => ({ minute: iso(minute * MINUTE_MS), reason })),
    differences: differences.map(({ startMs, ...cell }) => ({ ...cell, start: iso(startMs) })),
  };
}
