// SPDX-License-Identifier: Apache-2.0
import type { AlertRule, AlertState } from "../domain/rules/alerts";
import { plainJson } from "./answer";
import type { QueryDependencies } from "./dependencies";
import { type Endpoint, endpoint } from "./endpoint";
import { nothingAsked } from "./schemas";
import { alertsSchema } from "./webhook-schemas";

/** GET /v1/alerts: every rule and whether it fires now. A service without rules answers that there are none. */
export function getAlerts({ alerts, alertRules = [] }: QueryDependencies): Endpoint {
  return endpoint({
    method: "get",
    path: "/v1/alerts",
    query: nothingAsked,
    operation: {
      operationId: "getAlerts",
      tag: "proof",
      summary: "The rules of alerts, and whether each fires now",
      description: "Messages to webhooks are at /v1/webhooks, for keys that may operate.",
      answer: alertsSchema,
      problems: [400, 503],
    },
    async handle() {
      const states = (await alerts?.states()) ?? new Map<string, AlertState>();
      const rules = alertRules.map((rule) => shownRule(rule, states.get(rule.name)));
      return plainJson({ rules }, "no-cache");
    },
  });
}

/** `since` is when the condition of the rule began to hold; of several subjects, the first. */
function shownRule({ name, kind }: AlertRule, state: AlertState | undefined) {
  const sinceMs = Math.min(...Object.values(state?.since ?? {}));
  if (!Number.isFinite(sinceMs)) return { name, kind, state: "quiet" };
  const isFiring = (state?.fired.length ?? 0) > 0;
  return { name, kind, state: isFiring ? "firing" : "pending", since: new Date(sinceMs).toISOString() };
}
