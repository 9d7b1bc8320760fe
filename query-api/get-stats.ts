// SPDX-License-Identifier: Apache-2.0
import type { QueryDependencies } from "./dependencies";
import { type Endpoint, endpoint } from "./endpoint";
import { statsAsked, statsSchema } from "./schemas";
import { SERIES_DESCRIPTION, seriesAnswer, statsWanted } from "./series-answer";

/** GET /v1/videos/{videoId}/stats: count, sum or average of the events' values, bucket by bucket. */
export function getStats(dependencies: QueryDependencies): Endpoint {
  return endpoint({
    method: "get",
    isShared: true,
    path: "/v1/videos/{videoId}/stats",
    match: /^\/v1\/videos\/(.+)\/stats$/,
    query: statsAsked,
    operation: {
      operationId: "getStats",
      tag: "counters",
      summary: "Count, sum or average of a video's values over time",
      description: `An event without a value adds nothing to a sum, and an average is over the events that have one. ${SERIES_DESCRIPTION}`,
      answer: statsSchema,
      problems: [400, 503],
    },
    async handle({ videoId, query }) {
      return seriesAnswer(dependencies, statsWanted({ videoId }, query));
    },
  });
}
