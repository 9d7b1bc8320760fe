// SPDX-License-Identifier: Apache-2.0
/** GET /v1/webhooks and the replay of messages, for operators; `viewmill webhooks` shows the same. */
import type { Delivery } from "../io/ports/alert-store";
import { plainJson } from "./answer";
import type { QueryDependencies } from "./dependencies";
import { type Endpoint, endpoint } from "./endpoint";
import { nothingAsked } from "./schemas";
import { deliveriesAsked, deliveriesSchema, webhookReplayAsked, webhooksReplayedSchema } from "./webhook-schemas";

/** /v1/webhooks: the messages of alerts. A service without alerts answers that there are none. */
export function webhookEndpoints(dependencies: QueryDependencies): Endpoint[] {
  return [getDeliveries(dependencies), postReplay(dependencies)];
}

function getDeliveries({ alerts }: QueryDependencies): Endpoint {
  return endpoint({
    method: "get",
    path: "/v1/webhooks",
    query: deliveriesAsked,
    operation: {
      operationId: "listDeliveries",
      tag: "operation",
      scope: "operate",
      summary: "Messages of alerts to webhooks, the newest first",
      answer: deliveriesSchema,
      problems: [400, 503],
    },
    async handle({ query: { state, webhook, limit, cursor } }) {
      const found = await alerts?.list({
        limit: limit + 1,
        ...(state && { state }),
        ...(webhook !== undefined && { webhook }),
        ...(cursor !== undefined && { beforeSequence: Number(cursor) }),
      });
      const shown = (found ?? []).slice(0, limit);
      const isMore = (found ?? []).length > limit;
      const next = isMore ? { cursor: String(shown.at(-1)?.sequence) } : {};
      return plainJson({ deliveries: shown.map(shownDelivery), ...next });
    },
  });
}

function postReplay({ alerts, clock }: QueryDependencies): Endpoint {
  return endpoint({
    method: "post",
    path: "/v1/webhooks/replay",
    query: nothingAsked,
    body: webhookReplayAsked,
    operation: {
      operationId: "replayWebhooks",
      tag: "operation",
      scope: "operate",
      summary: "Delivers messages of alerts again",
      description: "Of the messages that match everything said. A message keeps its id.",
      answer: webhooksReplayedSchema,
      problems: [400, 413, 415, 503],
    },
    async handle({ body: { messageId, webhook, state } }) {
      const query = {
        ...(messageId !== undefined && { messageId }),
        ...(webhook !== undefined && { webhook }),
        ...(state && { state }),
      };
      return plainJson({ replayed: (await alerts?.replay(query, clock())) ?? 0 });
    },
  });
}

/** A delivery as answers and commands show it. */
export function shownDelivery(delivery: Delivery): Record<string, unknown> {
  const { messageId, webhook, rule, state, attempts, lastOutcome, body } = delivery;
  const text = (timeMs: number) => new Date(timeMs).toISOString();
  return {
    ...{ messageId, webhook, rule, state },
    createdAt: text(delivery.createdAtMs),
    attempts,
    ...(state === "waiting" && { nextAttemptAt: text(delivery.nextAttemptAtMs) }),
    ...(delivery.endedAtMs !== undefined && { endedAt: text(delivery.endedAtMs) }),
    ...(lastOutcome !== undefined && { lastOutcome }),
    payload: body,
  };
}
