// SPDX-License-Identifier: Apache-2.0
import { refused } from "./answer";
import type { QueryDependencies } from "./dependencies";
import { type Endpoint, endpoint } from "./endpoint";
import { addsUp, NOT_ADDED_UP } from "./get-channel";
import { LiveHub } from "./live-hub";
import { overloaded } from "./problem";
import { liveAsked } from "./schemas";

const INTERVAL_MS = 1_000;
const MAX_CLIENTS = 5_000;

/**
 * GET /v1/live: changed totals, the rate and the books, as server-sent events. The dashboard and embedded counts listen
 * to it.
 */
export function getLive(dependencies: QueryDependencies): Endpoint {
  const hub = new LiveHub({ dependencies, intervalMs: INTERVAL_MS, maxClients: MAX_CLIENTS });
  return endpoint({
    method: "get",
    path: "/v1/live",
    query: liveAsked,
    operation: {
      operationId: "getLive",
      tag: "counters",
      summary: "What changes, as server-sent events",
      description:
        "At most one `live` event a second: asOf, completeThrough, rate (accepted events a second over the last ten), totals of the watched videos that changed, those of the watched channels (`channels`, each with its own completeThrough: a large channel is added up less often), and with books=1 the minutes of the last hour that changed. Values are absolute. Last-Event-ID goes on where the stream was cut.",
      contentType: "text/event-stream",
      problems: [400, 404, 429],
    },
    async handle({ query, lastEventId }) {
      if (hub.full) return refused(overloaded("too many live clients"));
      if (query.channels.length > 0 && !addsUp(dependencies, query.channels)) return refused(NOT_ADDED_UP);
      const question = { videoIds: query.videos, channelIds: query.channels, books: query.books, lastEventId };
      return { kind: "events", open: (send) => hub.subscribe(question, send), stopping: dependencies.stopping };
    },
  });
}
