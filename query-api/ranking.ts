// SPDX-License-Identifier: Apache-2.0
import { isCanaryVideo, MAX_CANARIES } from "../domain/canary";
import type { VideoCount } from "../io/ports";
import { type Answer, countersJson, refused } from "./answer";
import { cacheControl, rangeState } from "./bucket-state";
import type { QueryDependencies } from "./dependencies";
import { readFreshness } from "./freshness";
import { invalid, overloaded } from "./problem";
import { effectiveRange, type Range, timeText } from "./range";
import { ShortCache } from "./short-cache";
import { titlesOf } from "./titles";

const MAX_KEPT = 256;
const KEPT_MS = 1_000;

interface Asked {
  eventType: string;
  range: Range;
  limit: number;
}

/** The order of videos, and the members of each video beside its names. */
export interface Ranking<Ranked extends VideoCount> {
  rank(asked: Asked): Promise<readonly Ranked[]>;
  show(video: Ranked): object;
  /** The number of rankings that run at the same time; further questions are refused. */
  maxRunning: number;
}

/** Answers questions for a ranking. Identical questions share an answer for a second. */
export function rankingAnswers<Ranked extends VideoCount>(
  dependencies: QueryDependencies,
  ranking: Ranking<Ranked>,
): (query: Parameters<typeof effectiveRange>[0] & { eventType: string; limit: number }) => Promise<Answer> {
  const { clock } = dependencies;
  const { maxRunning } = ranking;
  const cache = new ShortCache<Answer>({ keepMs: KEPT_MS, maxRunning, maxKept: MAX_KEPT, clock });
  return async (query) => {
    const { eventType, limit } = query;
    const ranged = effectiveRange(query, clock());
    if (!ranged.ok) return refused(invalid(ranged.detail));
    const { range } = ranged;
    const question = `${eventType} ${range.startMs} ${range.endMs} ${limit}`;
    const answer = cache.ask(question, () => rankedVideos(dependencies, { eventType, range, limit }, ranking));
    return answer ?? refused(overloaded("too many different rankings are being made"));
  };
}

/** Returns the ranked videos without those of canaries. */
async function rankedVideos<Ranked extends VideoCount>(
  dependencies: QueryDependencies,
  { eventType, range, limit }: Asked,
  { rank, show }: Ranking<Ranked>,
): Promise<Answer> {
  const freshness = await readFreshness(dependencies);
  const state = await rangeState(range, dependencies, freshness);
  const found = await rank({ eventType, range, limit: limit + MAX_CANARIES });
  const ranked = found.filter(({ videoId }) => !isCanaryVideo(videoId)).slice(0, limit);
  const titled = await titlesOf(dependencies, ranked);
  const content = {
    start: timeText(range.startMs),
    end: timeText(range.endMs),
    eventType,
    videos: ranked.map((video) => ({ videoId: video.videoId, ...titled(video.videoId), ...show(video) })),
  };
  return countersJson(JSON.stringify(content), freshness, cacheControl([state]), range.endMs);
}
