import { isCanaryVideo, MAX_CANARIES } from "../domain/canary";
import { type Answer, countersJson, refused } from "./answer";
import { cacheControl, rangeState } from "./bucket-state";
import type { QueryDependencies } from "./dependencies";
import { type Endpoint, endpoint } from "./endpoint";
import { readFreshness } from "./freshness";
import { invalid, overloaded } from "./problem";
import { effectiveRange, type Range, timeText } from "./range";
import { topAsked, topSchema } from "./schemas";
import { ShortCache } from "./short-cache";
import { titlesOf } from "./titles";

const KEEP_MS = 1_000;
const MAX_RUNNING = 64;
const MAX_KEPT = 256;

/** GET /v1/top: the videos with the most events of a type. */
export function getTop(dependencies: QueryDependencies): Endpoint {
  const { clock } = dependencies;
  const cache = new ShortCache<Answer>({ keepMs: KEEP_MS, maxRunning: MAX_RUNNING, maxKept: MAX_KEPT, clock });
  return endpoint({
    method: "get",
    path: "/v1/top",
    query: topAsked,
    operation: {
      operationId: "getTop",
      tag: "counters",
      summary: "The videos with the most events of a type",
      description:
        "By count descending, ties by videoId. Videos of canaries are left out. Identical questions share an answer for a second.",
      answer: topSchema,
      problems: [400, 429, 503],
    },
    async handle({ query }) {
      const { eventType, limit } = query;
      const ranged = effectiveRange(query, clock());
      if (!ranged.ok) return refused(invalid(ranged.detail));
      const { range } = ranged;
      const question = `${eventType} ${range.startMs} ${range.endMs} ${limit}`;
      const answer = cache.ask(question, () => topOf(dependencies, eventType, range, limit));
      return answer ?? refused(overloaded("too many different rankings are being made"));
    },
  });
}

async function topOf(dependencies: QueryDependencies, eventType: string, range: Range, limit: number): Promise<Answer> {
  const freshness = await readFreshness(dependencies);
  const state = await rangeState(range, dependencies, freshness);
  const found = await dependencies.counters.top(eventType, range.startMs, range.endMs, limit + MAX_CANARIES);
  const videos = found.filter(({ videoId }) => !isCanaryVideo(videoId)).slice(0, limit);
  const titled = await titlesOf(dependencies, videos);
  const content = {
    start: timeText(range.startMs),
    end: timeText(range.endMs),
    eventType,
    videos: videos.map(({ videoId, count }) => ({ videoId, ...titled(videoId), count })),
  };
  return countersJson(JSON.stringify(content), freshness, cacheControl([state]), range.endMs);
}
