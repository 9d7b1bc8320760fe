import { countersJson } from "./answer";
import { PROVISIONAL_CACHE } from "./bucket-state";
import type { QueryDependencies } from "./dependencies";
import { type Endpoint, endpoint } from "./endpoint";
import { exactInteger } from "./exact-json";
import { readFreshness } from "./freshness";
import { videoAsked, videoSchema } from "./schemas";

/** GET /v1/videos/{videoId}: everything counted for a video, ever. */
export function getVideo(dependencies: QueryDependencies): Endpoint {
  return endpoint({
    method: "get",
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
      const totals: Record<string, object> = {};
      for (const [eventType, { count, sum, lastEventAtMs }] of await dependencies.counters.totals(videoId)) {
        totals[eventType] = { count, sum: exactInteger(sum), lastEventAt: new Date(lastEventAtMs).toISOString() };
      }
      return countersJson(JSON.stringify({ videoId, totals }), freshness, PROVISIONAL_CACHE);
    },
  });
}
