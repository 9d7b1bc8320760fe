// SPDX-License-Identifier: Apache-2.0
/** The answers of /counts and /stats, of videos and of channels alike. */
import type { CounterStore } from "../io/ports";
import { type Answer, countersAnswer, digestedContent, refused } from "./answer";
import { askedRange, type SeriesAsked } from "./asked-range";
import { type BucketState, bucketStates, cacheControl } from "./bucket-state";
import { bucketsText } from "./bucket-text";
import type { QueryDependencies } from "./dependencies";
import { type Freshness, readFreshness } from "./freshness";
import { invalid } from "./problem";
import { type BucketedRange, timeText } from "./range";
import { type AggregateFunction, type Aggregates, aggregateText, readSeries } from "./series";

export const SERIES_DESCRIPTION =
  "More than 10,000 buckets are refused, or answered by pages: with limit each answer has the buckets [start, end) of its page, what they add up to, and a cursor while there are more.";

/** The subject of a series, and the members of its answer. */
interface SeriesWanted {
  /** The video; or the channel, where the counters are those of channels. */
  videoId: string;
  ofChannel: boolean;
  eventType: string;
  query: SeriesAsked;
  /** The members before the range. */
  head: object;
  /** Returns the member for the counted value of a bucket or of the whole range, such as `"count":3`. */
  memberOf(aggregates: Aggregates): string;
}

type Subject = { videoId: string } | { channelId: string };

const wantedOf = (subject: Subject): Pick<SeriesWanted, "videoId" | "ofChannel"> =>
  "videoId" in subject
    ? { videoId: subject.videoId, ofChannel: false }
    : { videoId: subject.channelId, ofChannel: true };

/** Returns the series that a question for counts asks of a video or a channel. */
export function countsWanted(subject: Subject, query: SeriesAsked & { eventType: string }): SeriesWanted {
  const { eventType } = query;
  const memberOf = ({ count }: Aggregates) => `"count":${count}`;
  return { ...wantedOf(subject), eventType, query, head: { ...subject, eventType }, memberOf };
}

/** Returns the series that a question for stats asks of a video or a channel. */
export function statsWanted(
  subject: Subject,
  query: SeriesAsked & { eventType: string; function: AggregateFunction },
): SeriesWanted {
  const { eventType, function: aggregate } = query;
  const memberOf = (aggregates: Aggregates) => `"value":${aggregateText(aggregate, aggregates)}`;
  const head = { ...subject, eventType, function: aggregate };
  return { ...wantedOf(subject), eventType, query, head, memberOf };
}

/** The counters of videos, or of channels. */
interface Counters {
  counters: Pick<CounterStore, "read">;
}

/** Returns the answer of counts and stats: buckets over time, perhaps with those before, perhaps a page of them. */
export async function seriesAnswer(
  dependencies: Pick<QueryDependencies, "ledger" | "progress" | "clock" | "finalAfterMs" | "rawRetentionMs"> & Counters,
  wanted: SeriesWanted,
): Promise<Answer> {
  const freshness = await readFreshness(dependencies);
  const answered = askedRange(wanted.query, freshness.asOfMs);
  if (!answered.ok) return refused(invalid(answered.detail));
  const { range, previous, cursor, tz } = answered.asked;
  const own = await bucketsOf(dependencies, wanted, range, freshness);
  const before = previous && (await bucketsOf(dependencies, wanted, previous, freshness));
  const head = { ...wanted.head, start: timeText(range.startMs), end: timeText(range.endMs) };
  const cut = { granularity: range.granularity, ...(tz === undefined ? {} : { tz }) };
  const members = `${JSON.stringify(head).slice(1, -1)},${JSON.stringify(cut).slice(1, -1)}`;
  const [text, digest] = (["text", "digest"] as const).map((form) => {
    const then = before === undefined ? "" : `,"previous":{${rangeText(previous!)},${before[form]}}`;
    return `{${members},${own[form]}${then}${cursor === undefined ? "" : `,"cursor":"${cursor}"`}}`;
  }) as [string, string];
  const states = before === undefined ? own.states : [...own.states, ...before.states];
  return countersAnswer(digestedContent(text, digest), freshness, cacheControl(states, wanted.ofChannel), range.endMs);
}

const rangeText = ({ startMs, endMs }: BucketedRange): string =>
  `"start":"${timeText(startMs)}","end":"${timeText(endMs)}"`;

async function bucketsOf(
  dependencies: Pick<QueryDependencies, "ledger" | "finalAfterMs" | "rawRetentionMs"> & Counters,
  { videoId, eventType, memberOf }: SeriesWanted,
  range: BucketedRange,
  freshness: Freshness,
): Promise<{ text: string; digest: string; states: readonly BucketState[] }> {
  const states = await bucketStates(range, dependencies, freshness);
  const { whole, buckets } = await readSeries(dependencies.counters, videoId, eventType, range);
  const { text, digest } = bucketsText(range, states, memberOf, buckets);
  const all = memberOf(whole);
  // The average of the whole range does not follow from those of its buckets.
  return { text: `${all},"buckets":${text}`, digest: `${all} ${digest}`, states };
}
