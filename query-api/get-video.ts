// SPDX-License-Identifier: Apache-2.0
import type { QueryDependencies } from "./dependencies";
import { type Endpoint, endpoint } from "./endpoint";
import { KeptTotals } from "./kept-totals";
import { videoAsked, videoSchema } from "./schemas";

/** GET /v1/videos/{videoId}: all counts of a video, over all time. */
export function getVideo(dependencies: QueryDependencies): Endpoint {
  const totals = new KeptTotals(dependencies);
  return endpoint({
    method: "get",
    isHot: true,
    isShared: true,
    path: "/v1/videos/{videoId}",
    match: /^\/v1\/videos\/(.+)$/,
    query: videoAsked,
    operation: {
      operationId: "getVideo",
      tag: "counters",
      summary: "Totals of a video by event type",
      description:
        "An unknown video has empty totals. A videoId may hold slashes; one that ends in /counts or /stats must have them percent-encoded (%2F).",
      answer: videoSchema,
      problems: [400, 503],
    },
    handle: ({ videoId }) => totals.answer(videoId),
  });
}
