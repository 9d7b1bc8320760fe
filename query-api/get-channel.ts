// SPDX-License-Identifier: Apache-2.0
import { UNKNOWN_CHANNEL } from "../domain/catalog/channel-history";
import { type Answer, countersJson, refused } from "./answer";
import { cacheControl, PROVISIONAL_CACHE, rangeState } from "./bucket-state";
import { ChannelCounters, ChannelTooLargeError } from "./channel-counters";
import { channelCountsSchema, channelSchema, channelStatsSchema, channelTopSchema } from "./channel-schemas";
import type { QueryDependencies } from "./dependencies";
import { type Endpoint, endpoint } from "./endpoint";
import { readFreshness } from "./freshness";
import { invalid, overloaded } from "./problem";
import { effectiveRange, type Range, timeText } from "./range";
import { countsAsked, statsAsked, topAsked, videoAsked } from "./schemas";
import { countsWanted, SERIES_DESCRIPTION, seriesAnswer, statsWanted } from "./series-answer";
import { ShortCache } from "./short-cache";
import { channelTitle, titlesOf } from "./titles";
import { totalsMember } from "./totals";

const KEEP_MS = 1_000;
const MAX_RUNNING = 16;
const MAX_KEPT = 256;
const PROBLEMS = [400, 404, 429, 503];
const SUMS =
  "Added up from the channel's videos, of each video for the minutes in which it belonged to the channel; `unknown` has the minutes without a known channel. At most 10,000 videos a channel. Identical questions share an answer for a second.";

/** GET /v1/channels/{channelId} and the paths below it: the counts of a channel's videos. */
export function channelEndpoints(dependencies: QueryDependencies): Endpoint[] {
  const { tick = () => performance.now() } = dependencies;
  const cache = new ShortCache({ keepMs: KEEP_MS, maxRunning: MAX_RUNNING, maxKept: MAX_KEPT, tick });
  const shared = async (
    channelId: string,
    question: object,
    answer: (channels: ChannelCounters) => Promise<Answer>,
  ): Promise<Answer> => {
    const { catalog, counters, unknown } = dependencies;
    if (catalog === undefined || !addsUp(dependencies, [channelId])) return refused(NOT_ADDED_UP);
    const channels = new ChannelCounters({ counters, catalog, unknown });
    try {
      const kept = cache.ask(JSON.stringify([channelId, question]), () => answer(channels));
      return (await kept) ?? refused(overloaded("too many different channels are being added up"));
    } catch (error) {
      if (error instanceof ChannelTooLargeError) return refused(invalid(error.message));
      throw error;
    }
  };
  return [
    ...seriesEndpoints(dependencies, shared),
    topEndpoint(dependencies, shared),
    endpoint({
      method: "get",
      path: "/v1/channels/{channelId}",
      match: /^\/v1\/channels\/(.+)$/,
      query: videoAsked,
      operation: {
        operationId: "getChannel",
        tag: "counters",
        summary: "Totals of a channel by event type",
        description: `A channel without videos has empty totals. ${SUMS}`,
        answer: channelSchema,
        problems: PROBLEMS,
      },
      handle: ({ channelId }) =>
        shared(channelId, {}, async (channels) => {
          const freshness = await readFreshness(dependencies);
          const totals = totalsMember(await channels.totals(channelId));
          const content = { channelId, ...(await channelTitle(dependencies, channelId)), totals };
          return countersJson(JSON.stringify(content), freshness, PROVISIONAL_CACHE);
        }),
    }),
  ];
}

export const addsUp = ({ catalog, unknown }: QueryDependencies, channelIds: readonly string[]): boolean =>
  catalog !== undefined && (unknown !== undefined || !channelIds.includes(UNKNOWN_CHANNEL));

export const NOT_ADDED_UP = {
  kind: "not-found",
  status: 404,
  detail: 'channels are added up where there is a catalog, and "unknown" where the counter store lists its videos',
} as const;

type Shared = (
  channelId: string,
  question: object,
  answer: (channels: ChannelCounters) => Promise<Answer>,
) => Promise<Answer>;

function seriesEndpoints(dependencies: QueryDependencies, shared: Shared): Endpoint[] {
  return [
    endpoint({
      method: "get",
      path: "/v1/channels/{channelId}/counts",
      match: /^\/v1\/channels\/(.+)\/counts$/,
      query: countsAsked,
      operation: {
        operationId: "getChannelCounts",
        tag: "counters",
        summary: "Counts of a channel over time",
        description: `${SUMS} ${SERIES_DESCRIPTION}`,
        answer: channelCountsSchema,
        problems: PROBLEMS,
      },
      handle: ({ channelId, query }) =>
        shared(channelId, { counts: query }, (counters) =>
          seriesAnswer({ ...dependencies, counters }, countsWanted({ channelId }, query)),
        ),
    }),
    endpoint({
      method: "get",
      path: "/v1/channels/{channelId}/stats",
      match: /^\/v1\/channels\/(.+)\/stats$/,
      query: statsAsked,
      operation: {
        operationId: "getChannelStats",
        tag: "counters",
        summary: "Count, sum or average of a channel's values over time",
        description: `${SUMS} ${SERIES_DESCRIPTION}`,
        answer: channelStatsSchema,
        problems: PROBLEMS,
      },
      handle: ({ channelId, query }) =>
        shared(channelId, { stats: query }, (counters) =>
          seriesAnswer({ ...dependencies, counters }, statsWanted({ channelId }, query)),
        ),
    }),
  ];
}

function topEndpoint(dependencies: QueryDependencies, shared: Shared): Endpoint {
  return endpoint({
    method: "get",
    path: "/v1/channels/{channelId}/top",
    match: /^\/v1\/channels\/(.+)\/top$/,
    query: topAsked,
    operation: {
      operationId: "getChannelTop",
      tag: "counters",
      summary: "The videos of a channel with the most events of a type",
      description: `By count descending, ties by videoId. ${SUMS}`,
      answer: channelTopSchema,
      problems: PROBLEMS,
    },
    async handle({ channelId, query: { eventType, limit, ...asked } }) {
      const ranged = effectiveRange(asked, dependencies.clock());
      if (!ranged.ok) return refused(invalid(ranged.detail));
      const { range } = ranged;
      return shared(channelId, { top: range, eventType, limit }, (channels) =>
        channelTop(dependencies, channels, { channelId, eventType, range, limit }),
      );
    },
  });
}

interface ChannelTop {
  channelId: string;
  eventType: string;
  range: Range;
  limit: number;
}

async function channelTop(
  dependencies: QueryDependencies,
  channels: ChannelCounters,
  { channelId, eventType, range, limit }: ChannelTop,
): Promise<Answer> {
  const freshness = await readFreshness(dependencies);
  const state = await rangeState(range, dependencies, freshness);
  const videos = await channels.top(channelId, eventType, range.startMs, range.endMs, limit);
  const titled = await titlesOf(dependencies, videos);
  const content = {
    channelId,
    start: timeText(range.startMs),
    end: timeText(range.endMs),
    eventType,
    videos: videos.map(({ videoId, count }) => ({ videoId, ...titled(videoId), count })),
  };
  return countersJson(JSON.stringify(content), freshness, cacheControl([state], true), range.endMs);
}
