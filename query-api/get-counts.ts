// SPDX-License-Identifier: Apache-2.0
import type { QueryDependencies } from "./dependencies";
import { type Endpoint, endpoint } from "./endpoint";
import { countsAsked, countsSchema } from "./schemas";
import { countsWanted, SERIES_DESCRIPTION, seriesAnswer } from "./series-answer";

/** GET /v1/videos/{videoId}/counts: the number of events of a type, bucket by bucket. */
export function getCounts(dependencies: QueryDependencies): Endpoint {
  return endpoint({
    method: "get",
    isHot: true,
    isShared: true,
    path: "/v1/videos/{videoId}/counts",
    match: /^\/v1\/videos\/(.+)\/counts$/,
    query: countsAsked,
    operation: {
      operationId: "getCounts",
      tag: "counters",
      summary: "Counts of a video over time",
      description: SERIES_DESCRIPTION,
      answer: countsSchema,
      problems: [400, 503],
    },
    async handle({ videoId, query }) {
      return seriesAnswer(dependencies, countsWanted({ videoId }, query));
    },
  });
}
