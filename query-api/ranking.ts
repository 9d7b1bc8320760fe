// SPDX-License-Identifier: Apache-2.0
import { isCanaryVideo, MAX_CANARIES } from "../domain/canary";
import type { VideoCount } from "../io/ports";
import { type Answer, countersJson, refused } from "./answer";
import { cacheControl, rangeState } from "./bucket-state";
import { ChannelCounters, ChannelTooLargeError } from "./channel-counters";
import type { QueryDependencies } from "./dependencies";
import { readFreshness } from "./freshness";
import { addsUp, NOT_ADDED_UP } from "./get-channel";
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
  /** Absent: of all videos. */
  channelId?: string | undefined;
}

/** The order of videos, and the members of each video beside its names. */
interface Ranking<Ranked extends VideoCount> {
  rank(asked: Asked): Promise<readonly Ranked[]>;
  rankChannel(channels: ChannelCounters, channelId: string, asked: Asked): Promise<readonly Ranked[]>;
  show(video: Ranked): object;
  /** The earliest time whose counts the ranking of a range reads. Default: the start of the range. */
  readsFrom?(range: Range): number;
  /** The number of rankings that run at the same time; further questions are refused. */
  maxRunning: number;
}

type RankingQuery = Parameters<typeof effectiveRange>[0] & Omit<Asked, "range">;

/**
 * Answers questions for a ranking. Identical questions share an answer for a second. GET /v1/top, GET /v1/trending and
 * the top of a channel are answered with it.
 */
export function rankingAnswers<Ranked extends VideoCount>(
  dependencies: QueryDependencies,
  ranking: Ranking<Ranked>,
): (query: RankingQuery) => Promise<Answer> {
  const { clock, tick = () => performance.now() } = dependencies;
  const { maxRunning } = ranking;
  const cache = new ShortCache({ keepMs: KEPT_MS, maxRunning, maxKept: MAX_KEPT, tick });
  return async (query) => {
    const { eventType, limit, channelId } = query;
    if (channelId !== undefined && !addsUp(dependencies, [channelId])) return refused(NOT_ADDED_UP);
    const ranged = effectiveRange(query, clock());
    if (!ranged.ok) return refused(invalid(ranged.detail));
    const { range } = ranged;
    const question = JSON.stringify([eventType, range.startMs, range.endMs, limit, channelId]);
    const asked = { eventType, range, limit, channelId };
    try {
      const answer = await cache.ask(question, () => rankedVideos(dependencies, asked, ranking));
      return answer ?? refused(overloaded("too many different rankings are being made"));
    } catch (error) {
      if (error instanceof ChannelTooLargeError) return refused(invalid(error.message));
      throw error;
    }
  };
}

/** Returns the ranked videos without those of canaries. */
async function rankedVideos<Ranked extends VideoCount>(
  dependencies: QueryDependencies,
  { eventType, range, limit, channelId }: Asked,
  { rank, rankChannel, show, readsFrom = ({ startMs }) => startMs }: Ranking<Ranked>,
): Promise<Answer> {
  const { counters, catalog, unknown } = dependencies;
  const freshness = await readFreshness(dependencies);
  const read = { startMs: readsFrom(range), endMs: range.endMs };
  const state = await rangeState(read, dependencies, freshness);
  const asked = { eventType, range, limit: limit + MAX_CANARIES };
  const found =
    channelId === undefined || catalog === undefined
      ? await rank(asked)
      : await rankChannel(new ChannelCounters({ counters, catalog, unknown }), channelId, asked);
  const ranked = found.filter(({ videoId }) => !isCanaryVideo(videoId)).slice(0, limit);
  const titled = await titlesOf(dependencies, ranked);
  const content = {
    start: timeText(range.startMs),
    end: timeText(range.endMs),
    eventType,
    videos: ranked.map((video) => ({ videoId: video.videoId, ...titled(video.videoId), ...show(video) })),
  };
  return countersJson(JSON.stringify(content), freshness, cacheControl([state], channelId !== undefined), range.endMs);
}
