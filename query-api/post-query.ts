// SPDX-License-Identifier: Apache-2.0
import { calendarOf } from "../domain/calendar";
import type { CounterStore } from "../io/ports";
import { countersJson, NO_STORE, refused } from "./answer";
import { bucketStates } from "./bucket-state";
import { bareBucketsText, revisionText, sourceText, withMember } from "./bucket-text";
import { ChannelCounters, ChannelTooLargeError } from "./channel-counters";
import type { QueryDependencies } from "./dependencies";
import { type Endpoint, endpoint } from "./endpoint";
import { readFreshness } from "./freshness";
import { addsUp, NOT_ADDED_UP } from "./get-channel";
import { nextTurn } from "./next-turn";
import { invalid } from "./problem";
import { type BucketedRange, bucketed, effectiveRange, timeText } from "./range";
import { nothingAsked, queryAnswerSchema, queryAsked } from "./schemas";
import { type AggregateFunction, type Aggregates, aggregateText, readSeries } from "./series";
import { titlesOf } from "./titles";

/**
 * Series are read one after the other. After this many buckets (a short series counts as 50) other requests get a turn.
 */
const BUCKETS_A_TURN = 1_000;
const LEAST_WORK = 50;
/** The endpoint has no pages. */
const REMEDY = "ask for a shorter range, a coarser granularity, or fewer videos, channels or event types";

/** POST /v1/query: many videos and types in one call, all over the same buckets. */
export function postQuery(dependencies: QueryDependencies): Endpoint {
  return endpoint({
    method: "post",
    path: "/v1/query",
    query: nothingAsked,
    body: queryAsked,
    operation: {
      operationId: "query",
      tag: "counters",
      summary: "Many videos, event types and functions in one call",
      description:
        "One series for each video and event type, then for each channel and type; at most 10,000 buckets together. What is asked twice is answered once. Channels are added up as for /v1/channels/{channelId}/counts.",
      answer: queryAnswerSchema,
      problems: [400, 404, 413, 415, 503],
    },
    async handle({ body }) {
      const asked = {
        videoIds: [...new Set(body.videoIds)],
        channelIds: [...new Set(body.channelIds)],
        eventTypes: [...new Set(body.eventTypes)],
        functions: [...new Set(body.functions)],
      };
      const subjects = asked.videoIds.length + asked.channelIds.length;
      if (subjects === 0) return refused(invalid("videoIds: at least one video or channel is wanted"));
      if (asked.channelIds.length > 0 && !addsUp(dependencies, asked.channelIds)) return refused(NOT_ADDED_UP);
      const { granularity, tz = "UTC" } = body;
      const freshness = await readFreshness(dependencies);
      const within = effectiveRange(body, freshness.asOfMs);
      const series = subjects * asked.eventTypes.length;
      const cut = { granularity, calendar: calendarOf(tz), series, remedy: REMEDY };
      const ranged = within.ok ? bucketed(within.range, cut) : within;
      if (!ranged.ok) return refused(invalid(ranged.detail));
      const { range } = ranged;
      const states = await bucketStates(range, dependencies, freshness);
      const content = {
        start: timeText(range.startMs),
        end: timeText(range.endMs),
        granularity: range.granularity,
        ...(body.tz === undefined ? {} : { tz }),
      };
      const buckets = bareBucketsText(range, states);
      let texts: string[];
      try {
        texts = await seriesTexts(dependencies, asked, range);
      } catch (error) {
        if (error instanceof ChannelTooLargeError) return refused(invalid(error.message));
        throw error;
      }
      const text = withMember(content, "buckets", `${buckets},"series":[${texts.join(",")}]`);
      return countersJson(text, freshness, NO_STORE);
    },
  });
}

interface AskedSeries {
  videoIds: readonly string[];
  channelIds: readonly string[];
  eventTypes: readonly string[];
  functions: readonly AggregateFunction[];
}

/** A video or a channel, with the counters to read. */
interface Subject {
  id: string;
  member: ({ videoId: string } | { channelId: string }) & { title?: string };
  counters: Pick<CounterStore, "read">;
}

async function seriesTexts(
  dependencies: QueryDependencies,
  { videoIds, channelIds, eventTypes, functions }: AskedSeries,
  range: BucketedRange,
): Promise<string[]> {
  const { counters, catalog } = dependencies;
  const texts: string[] = [];
  const functionsOf = (aggregates: Aggregates) =>
    functions.map((name) => `"${name}":${aggregateText(name, aggregates)}`).join(",");
  const valuesOf = (aggregates: Aggregates) => `{${functionsOf(aggregates)}}`;
  const bucketOf = (aggregates: Aggregates) =>
    `{${functionsOf(aggregates)}${revisionText(aggregates)}${sourceText(aggregates)}}`;
  let work = 0;
  const titled = await titlesOf(
    dependencies,
    videoIds.map((videoId) => ({ videoId })),
  );
  const subjects = videoIds.map((id): Subject => ({ id, member: { videoId: id, ...titled(id) }, counters }));
  if (catalog !== undefined && channelIds.length > 0) {
    const channels = new ChannelCounters({ counters, catalog, unknown: dependencies.unknown });
    const known = await catalog.channels(channelIds);
    for (const id of channelIds) subjects.push({ id, member: { channelId: id, ...known.get(id) }, counters: channels });
  }
  for (const { id, member, counters: its } of subjects) {
    for (const eventType of eventTypes) {
      const { whole, buckets } = await readSeries(its, id, eventType, range);
      const values = `${valuesOf(whole)},"buckets":[${buckets.map(bucketOf).join(",")}]`;
      texts.push(withMember({ ...member, eventType }, "values", values));
      work += Math.max(LEAST_WORK, range.buckets);
      if (work < BUCKETS_A_TURN) continue;
      await nextTurn();
      work = 0;
    }
  }
  return texts;
}
