// SPDX-License-Identifier: Apache-2.0
import type { VideoGrowth } from "../io/ports";
import type { QueryDependencies } from "./dependencies";
import { type Endpoint, endpoint } from "./endpoint";
import { rankingAnswers } from "./ranking";
import { rankingAsked, trendingSchema } from "./schemas";

/** GET /v1/trending: the videos that grew most against the period before. */
export function getTrending(dependencies: QueryDependencies): Endpoint {
  const answers = rankingAnswers<VideoGrowth>(dependencies, {
    maxRunning: 16,
    rank: ({ eventType, range, limit }) => dependencies.counters.rising(eventType, range.startMs, range.endMs, limit),
    rankChannel: (channels, channelId, { eventType, range, limit }) =>
      channels.rising(channelId, eventType, range.startMs, range.endMs, limit),
    readsFrom: ({ startMs, endMs }) => Math.max(0, 2 * startMs - endMs),
    show: ({ count, previous }) => ({ count, previous, growth: count - previous }),
  });
  return endpoint({
    method: "get",
    isShared: true,
    path: "/v1/trending",
    query: rankingAsked,
    operation: {
      operationId: "getTrending",
      tag: "counters",
      summary: "The videos that grew most against the period before",
      description:
        "By growth descending, ties by videoId; growth is the count of the range less that of as long a period directly before it, and only videos that grew are listed. With `channelId`, its videos only. Identical questions share an answer for a second.",
      answer: trendingSchema,
      problems: [400, 404, 429, 503],
    },
    handle: ({ query }) => answers(query),
  });
}
