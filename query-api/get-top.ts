// SPDX-License-Identifier: Apache-2.0
import type { QueryDependencies } from "./dependencies";
import { type Endpoint, endpoint } from "./endpoint";
import { rankingAnswers } from "./ranking";
import { rankingAsked, topSchema } from "./schemas";

/** GET /v1/top: the videos with the most events of a type. */
export function getTop(dependencies: QueryDependencies): Endpoint {
  const answers = rankingAnswers(dependencies, {
    maxRunning: 64,
    rank: ({ eventType, range, limit }) => dependencies.counters.top(eventType, range.startMs, range.endMs, limit),
    rankChannel: (channels, channelId, { eventType, range, limit }) =>
      channels.top(channelId, eventType, range.startMs, range.endMs, limit),
    show: ({ count }) => ({ count }),
  });
  return endpoint({
    method: "get",
    isHot: true,
    isShared: true,
    path: "/v1/top",
    query: rankingAsked,
    operation: {
      operationId: "getTop",
      tag: "counters",
      summary: "The videos with the most events of a type",
      description:
        "By count descending, ties by videoId. Videos of canaries are left out. With `channelId`, its videos only, of each the minutes in which it belonged to the channel. Identical questions share an answer for a second.",
      answer: topSchema,
      problems: [400, 404, 429, 503],
    },
    handle: ({ query }) => answers(query),
  });
}
