import { countersJson, refused } from "./answer";
import { bucketStates, cacheControl } from "./bucket-state";
import { bucketsText, withMember } from "./bucket-text";
import type { QueryDependencies } from "./dependencies";
import { type Endpoint, endpoint } from "./endpoint";
import { readFreshness } from "./freshness";
import { invalid } from "./problem";
import { bucketed, effectiveRange, timeText } from "./range";
import { countsAsked, countsSchema } from "./schemas";
import { readSeries } from "./series";

/** GET /v1/videos/{videoId}/counts: how many events of a type, bucket by bucket. */
export function getCounts(dependencies: QueryDependencies): Endpoint {
  return endpoint({
    method: "get",
    path: "/v1/videos/{videoId}/counts",
    match: /^\/v1\/videos\/(.+)\/counts$/,
    query: countsAsked,
    operation: {
      operationId: "getCounts",
      tag: "counters",
      summary: "Counts of a video over time",
      answer: countsSchema,
      problems: [400, 503],
    },
    async handle({ videoId, query }) {
      const { eventType, granularity } = query;
      const freshness = await readFreshness(dependencies);
      const asked = effectiveRange(query, freshness.asOfMs);
      const ranged = asked.ok ? bucketed(asked.range, granularity) : asked;
      if (!ranged.ok) return refused(invalid(ranged.detail));
      const { range } = ranged;
      const states = await bucketStates(range, dependencies, freshness);
      const { whole, buckets: cells } = await readSeries(dependencies.counters, videoId, eventType, range);
      const content = {
        videoId,
        eventType,
        start: timeText(range.startMs),
        end: timeText(range.endMs),
        granularity: range.granularity,
        count: whole.count,
      };
      const buckets = bucketsText(range, states, (bucket) => `"count":${cells[bucket]!.count}`, cells);
      return countersJson(withMember(content, "buckets", buckets), freshness, cacheControl(states), range.endMs);
    },
  });
}
