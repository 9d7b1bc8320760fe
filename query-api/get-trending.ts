import { isCanaryVideo, MAX_CANARIES } from "../domain/canary";
import { type Answer, countersJson, refused } from "./answer";
import { cacheControl, rangeState } from "./bucket-state";
import type { QueryDependencies } from "./dependencies";
import { type Endpoint, endpoint } from "./endpoint";
import { readFreshness } from "./freshness";
import { invalid, overloaded } from "./problem";
import { effectiveRange, type Range, timeText } from "./range";
import { topAsked, trendingSchema } from "./schemas";
import { ShortCache } from "./short-cache";
import { titlesOf } from "./titles";

const KEEP_MS = 1_000;
const MAX_RUNNING = 16;
const MAX_KEPT = 256;

/** GET /v1/trending: the videos that grew most against the period before. */
export function getTrending(dependencies: QueryDependencies): Endpoint {
  const { clock } = dependencies;
  const cache = new ShortCache<Answer>({ keepMs: KEEP_MS, maxRunning: MAX_RUNNING, maxKept: MAX_KEPT, clock });
  return endpoint({
    method: "get",
    path: "/v1/trending",
    query: topAsked,
    operation: {
      operationId: "getTrending",
      tag: "counters",
      summary: "The videos that grew most against the period before",
      description:
        "By growth descending, ties by videoId; growth is the count of the range less that of as long a period directly before it, and only videos that grew are listed. 404 where the counter store has no ranking index (Bigtable). Identical questions share an answer for a second.",
      answer: trendingSchema,
      problems: [400, 404, 429, 503],
    },
    async handle({ query }) {
      const { eventType, limit } = query;
      if (dependencies.counters.rising === undefined)
        return refused({ kind: "not-found", status: 404, detail: "this counter store ranks no growth" });
      const ranged = effectiveRange(query, clock());
      if (!ranged.ok) return refused(invalid(ranged.detail));
      const { range } = ranged;
      const question = `${eventType} ${range.startMs} ${range.endMs} ${limit}`;
      const answer = cache.ask(question, () => trending(dependencies, eventType, range, limit));
      return answer ?? refused(overloaded("too many different rankings are being made"));
    },
  });
}

async function trending(
  dependencies: QueryDependencies,
  eventType: string,
  range: Range,
  limit: number,
): Promise<Answer> {
  const freshness = await readFreshness(dependencies);
  const state = await rangeState(range, dependencies, freshness);
  const { startMs, endMs } = range;
  const found = (await dependencies.counters.rising?.(eventType, startMs, endMs, limit + MAX_CANARIES)) ?? [];
  const videos = found.filter(({ videoId }) => !isCanaryVideo(videoId)).slice(0, limit);
  const titled = await titlesOf(dependencies, videos);
  const content = {
    start: timeText(range.startMs),
    end: timeText(range.endMs),
    eventType,
    videos: videos.map(({ videoId, count, previous }) => ({
      videoId,
      ...titled(videoId),
      count,
      previous,
      growth: count - previous,
    })),
  };
  return countersJson(JSON.stringify(content), freshness, cacheControl([state]), range.endMs);
}
