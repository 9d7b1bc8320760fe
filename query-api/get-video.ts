// SPDX-License-Identifier: Apache-2.0
import { countersJson } from "./answer";
import { PROVISIONAL_CACHE } from "./bucket-state";
import type { QueryDependencies } from "./dependencies";
import { type Endpoint, endpoint } from "./endpoint";
import { readFreshness } from "./freshness";
import { videoAsked, videoSchema } from "./schemas";
import { videoMembers } from "./titles";
import { totalsMember } from "./totals";

/** GET /v1/videos/{videoId}: all counts of a video, over all time. */
export function getVideo(dependencies: QueryDependencies): Endpoint {
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
    async handle({ videoId }) {
      const freshness = await readFreshness(dependencies);
      const totals = totalsMember(await dependencies.counters.totals(videoId));
      const members = (await videoMembers(dependencies, [videoId]))(videoId);
      return countersJson(JSON.stringify({ videoId, ...members, totals }), freshness, PROVISIONAL_CACHE);
    },
  });
}
