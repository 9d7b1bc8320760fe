// SPDX-License-Identifier: Apache-2.0
/** Counters of channels. The endpoints of channels, rankings and live totals read channels through this file. */
import { type ChannelPoint, FIRST_MINUTE, UNKNOWN_CHANNEL } from "../domain/catalog/channel-history";
import { addTo, latestSumOf, NO_SUMS } from "../domain/rules/cell-sums";
import { grownMost } from "../domain/rules/growth";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../domain/rules/time";
import type { Cell, CounterStore, Granularity, Total, VideoCatalog, VideoCount, VideoGrowth } from "../io/ports";
import { nextTurn } from "./next-turn";
import { piecesOf } from "./range-pieces";
import { added } from "./series";
import type { UnknownVideos } from "./unknown-videos";

/** Thrown when the channel has more videos than one answer adds up. */
export class ChannelTooLargeError extends Error {
  override readonly name = "ChannelTooLargeError";

  constructor() {
    super(`a channel of more than ${MAX_VIDEOS} videos is not added up`);
  }
}

interface Sources {
  counters: Pick<CounterStore, "totals" | "read">;
  catalog: Pick<VideoCatalog, "videosOf" | "channelHistory">;
  /** Absent: the channel "unknown" has no videos. */
  unknown?: Pick<UnknownVideos, "videos"> | undefined;
}

/** A half-open range of epoch milliseconds. */
interface Span {
  fromMs: number;
  toMs: number;
}

interface Member {
  videoId: string;
  /** The times at which the video belonged to the channel. */
  spans: readonly Span[];
}

const MAX_VIDEOS = 10_000;
const VIDEOS_A_PAGE = 1_000;
/** Videos are read one after the other. After this many, other requests get a turn. */
const VIDEOS_A_TURN = 50;
const UNIT_MS: Record<Granularity, number> = { minute: MINUTE_MS, hour: HOUR_MS, day: DAY_MS };

/**
 * Counters of channels, added up from the counters of their videos, for each video over the minutes in which it
 * belonged to the channel. So a channel equals the sum of its videos in every answer, and new knowledge of the catalog
 * holds for a video's past at once. Each answer makes its own instance, so that the whole answer has one state of the
 * catalog. All methods reject with ChannelTooLargeError.
 */
export class ChannelCounters {
  /** The channel read last: one answer reads a channel piece by piece, and type by type. */
  #last: { channelId: string; videos: readonly Member[] } | undefined;

  constructor(private readonly sources: Sources) {}

  /**
   * As CounterStore.totals. For a video that did not belong to the channel all the time, the last event is known to its
   * minute, hour or day.
   */
  async totals(channelId: string): Promise<Map<string, Total>> {
    const totals = new Map<string, Total>();
    await this.#eachVideo(channelId, async (videoId, spans) => {
      for (const [eventType, total] of await this.sources.counters.totals(videoId)) {
        const own = isAlways(spans) ? total : await this.#totalWithin(videoId, spans, eventType, total.lastEventAtMs);
        if (own.count > 0) totals.set(eventType, latestSumOf(totals.get(eventType), own));
      }
    });
    return new Map([...totals].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** As CounterStore.read. */
  async read(
    channelId: string,
    eventType: string,
    startMs: number,
    endMs: number,
    granularity: Granularity,
  ): Promise<Cell[]> {
    const cells = new Map<number, Cell>();
    await this.#eachVideo(channelId, async (videoId, spans) => {
      for (const span of within(spans, startMs, endMs)) {
        for (const [part, its] of partsOf(span, granularity)) {
          for (const cell of await this.sources.counters.read(videoId, eventType, part.fromMs, part.toMs, its)) {
            const atMs = Math.floor(cell.startMs / UNIT_MS[granularity]) * UNIT_MS[granularity];
            cells.set(atMs, addedCell(cells.get(atMs), { ...cell, startMs: atMs }));
          }
        }
      }
    });
    return [...cells.values()].sort((a, b) => a.startMs - b.startMs);
  }

  /**
   * Returns the channel's videos with the most events of a type, in the minutes in which they belonged to the channel.
   */
  async top(
    channelId: string,
    eventType: string,
    startMs: number,
    endMs: number,
    limit: number,
  ): Promise<VideoCount[]> {
    const counts: VideoCount[] = [];
    await this.#eachVideo(channelId, async (videoId, spans) => {
      const { count } = await this.#sumWithin(videoId, within(spans, startMs, endMs), eventType);
      if (count > 0) counts.push({ videoId, count });
    });
    return counts.sort((a, b) => b.count - a.count || (a.videoId < b.videoId ? -1 : 1)).slice(0, limit);
  }

  /** The channel's videos that grew most against as long a period directly before, as CounterStore.rising. */
  async rising(
    channelId: string,
    eventType: string,
    startMs: number,
    endMs: number,
    limit: number,
  ): Promise<VideoGrowth[]> {
    const all = Number.MAX_SAFE_INTEGER;
    const after = await this.top(channelId, eventType, startMs, endMs, all);
    const before = await this.top(channelId, eventType, startMs - (endMs - startMs), startMs, all);
    return grownMost(after, before, limit);
  }

  async #eachVideo(channelId: string, visit: (videoId: string, spans: readonly Span[]) => Promise<void>) {
    if (this.#last?.channelId !== channelId) this.#last = { channelId, videos: await this.#videosOf(channelId) };
    for (const [index, { videoId, spans }] of this.#last.videos.entries()) {
      await visit(videoId, spans);
      if ((index + 1) % VIDEOS_A_TURN === 0) await nextTurn();
    }
  }

  async #videosOf(channelId: string): Promise<Member[]> {
    const { catalog, unknown } = this.sources;
    const videoIds = channelId === UNKNOWN_CHANNEL ? await unknown?.videos(MAX_VIDEOS) : await this.#listed(channelId);
    if (videoIds === undefined) throw new ChannelTooLargeError();
    const videos: Member[] = [];
    for (const videoId of videoIds) {
      videos.push({ videoId, spans: spansOf(await catalog.channelHistory(videoId), channelId) });
      if (videos.length % VIDEOS_A_TURN === 0) await nextTurn();
    }
    return videos;
  }

  /** Returns undefined beyond MAX_VIDEOS. */
  async #listed(channelId: string): Promise<string[] | undefined> {
    const { catalog } = this.sources;
    const videoIds: string[] = [];
    for (let after = ""; ; after = videoIds.at(-1)!) {
      const page = await catalog.videosOf(channelId, after, VIDEOS_A_PAGE);
      videoIds.push(...page);
      if (videoIds.length > MAX_VIDEOS) return undefined;
      if (page.length < VIDEOS_A_PAGE) return videoIds;
    }
  }

  async #totalWithin(videoId: string, spans: readonly Span[], eventType: string, lastEventAtMs: number) {
    const { lastMs, ...sums } = await this.#sumWithin(videoId, within(spans, 0, lastEventAtMs + 1), eventType);
    const isLast = spans.some(({ fromMs, toMs }) => lastEventAtMs >= fromMs && lastEventAtMs < toMs);
    return { ...sums, lastEventAtMs: isLast ? lastEventAtMs : lastMs };
  }

  /** `lastMs` is the start of the last cell that has an event. */
  async #sumWithin(videoId: string, spans: readonly Span[], eventType: string) {
    const whole = { ...NO_SUMS, lastMs: 0 };
    for (const span of spans) {
      const edges = [span.fromMs, Math.ceil(span.toMs / MINUTE_MS) * MINUTE_MS];
      for (const { granularity, fromMs, toMs } of piecesOf(edges)) {
        for (const cell of await this.sources.counters.read(videoId, eventType, fromMs, toMs, granularity)) {
          addTo(whole, cell);
          whole.lastMs = Math.max(whole.lastMs, cell.startMs);
        }
      }
    }
    return whole;
  }
}

function spansOf(history: readonly ChannelPoint[], channelId: string): Span[] {
  const isLate = history.length === 0 || history[0]!.fromMinute > FIRST_MINUTE;
  const whole = isLate ? [{ fromMinute: FIRST_MINUTE, channelId: UNKNOWN_CHANNEL }, ...history] : history;
  return whole.flatMap((point, index) => {
    if (point.channelId !== channelId) return [];
    const next = whole[index + 1];
    const toMs = next === undefined ? Number.POSITIVE_INFINITY : next.fromMinute * MINUTE_MS;
    return [{ fromMs: point.fromMinute * MINUTE_MS, toMs }];
  });
}

const isAlways = ([first, ...more]: readonly Span[]): boolean =>
  first !== undefined &&
  more.length === 0 &&
  first.fromMs === FIRST_MINUTE * MINUTE_MS &&
  first.toMs === Number.POSITIVE_INFINITY;

function within(spans: readonly Span[], startMs: number, endMs: number): Span[] {
  return spans
    .map(({ fromMs, toMs }) => ({ fromMs: Math.max(fromMs, startMs), toMs: Math.min(toMs, endMs) }))
    .filter(({ fromMs, toMs }) => fromMs < toMs);
}

/** Splits a span into whole cells of the granularity, and minutes at its ends. */
function partsOf({ fromMs, toMs }: Span, granularity: Granularity): [Span, Granularity][] {
  const unitMs = UNIT_MS[granularity];
  const [firstMs, lastMs] = [Math.ceil(fromMs / unitMs) * unitMs, Math.floor(toMs / unitMs) * unitMs];
  if (firstMs >= lastMs) return [[{ fromMs, toMs }, "minute"]];
  const parts: [Span, Granularity][] = [
    [{ fromMs, toMs: firstMs }, "minute"],
    [{ fromMs: firstMs, toMs: lastMs }, granularity],
    [{ fromMs: lastMs, toMs }, "minute"],
  ];
  return parts.filter(([part]) => part.fromMs < part.toMs);
}

const addedCell = (a: Cell | undefined, b: Cell): Cell =>
  a === undefined ? b : { startMs: a.startMs, ...added(a, b) };
