import { countersJson, refused } from "./answer";
import { bucketStates, cacheControl } from "./bucket-state";
import { bucketsText, withMember } from "./bucket-text";
import type { QueryDependencies } from "./dependencies";
import { type Endpoint, endpoint } from "./endpoint";
import { readFreshness } from "./freshness";
import { invalid } from "./problem";
import { bucketed, effectiveRange, timeText } from "./range";
import { statsAsked, statsSchema } from "./schemas";
import { aggregateText, readSeries } from "./series";

/** GET /v1/videos/{videoId}/stats: count, sum or average of the events' values, bucket by bucket. */
export function getStats(dependencies: QueryDependencies): Endpoint {
  return endpoint({
    method: "get",
    path: "/v1/videos/{videoId}/stats",
    match: /^\/v1\/videos\/(.+)\/stats$/,
    query: statsAsked,
    operation: {
      operationId: "getStats",
      tag: "counters",
      summary: "Count, sum or average of a video's values over time",
      description: "An event without a value adds nothing to a sum, and an average is over the events that have one.",
      answer: statsSchema,
      problems: [400, 503],
    },
    async handle({ videoId, query }) {
      const { eventType, granularity, function: aggregate } = query;
      const freshness = await readFreshness(dependencies);
      const asked = effectiveRange(query, freshness.asOfMs);
      const ranged = asked.ok ? bucketed(asked.range, granularity) : asked;
      if (!ranged.ok) return refused(invalid(ranged.detail));
      const { range } = ranged;
      const states = await bucketStates(range, dependencies, freshness);
      const series = await readSeries(dependencies.counters, videoId, eventType, range);
      const content = {
        videoId,
        eventType,
        function: aggregate,
        start: timeText(range.startMs),
        end: timeText(range.endMs),
        granularity: range.granularity,
      };
      const memberOf = (bucket: number) => `"value":${aggregateText(aggregate, series.buckets[bucket]!)}`;
      const buckets = bucketsText(range, states, memberOf, series.buckets);
      const value = aggregateText(aggregate, series.whole);
      const text = withMember(content, "value", `${value},"buckets":${buckets}`);
      return countersJson(text, freshness, cacheControl(states), range.endMs);
    },
  });
}
