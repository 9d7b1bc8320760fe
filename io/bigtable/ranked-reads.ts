// SPDX-License-Identifier: Apache-2.0
/** Rankings of any range of minutes by the ranking index; the counts are read from cells. */
import { HOURS_A_DAY, MINUTE_MS, MINUTES_AN_HOUR } from "../../domain/rules/time";
import type { VideoGrowth } from "../ports";
import type { BigtableConnection } from "./connection";
import { completeOnes } from "./index-marks";
import type { MinuteRange, RangeCounts } from "./range-counts";
import { type RankedFamily, timeText } from "./rank-rows";
import { type RankedTimes, RankedVideos } from "./ranked-videos";
import { DAY_FAMILY, HOUR_FAMILY, MONTH_FAMILY } from "./row-keys";
import type { TierGuard } from "./tier-guard";

/** A longer answer reads every cell of its range. */
const MAX_LIMIT = 1_000;
/**
 * A range is covered by few times, because what a video may have without being a candidate grows with their number. A
 * time that the range covers in part bounds that part, too.
 */
const MAX_HOURS = 6;
const MAX_DAYS = 20;

export class RankedReads {
  readonly #videos: RankedVideos;

  constructor(
    private readonly connection: BigtableConnection,
    private readonly counts: RangeCounts,
    private readonly tiers: Pick<TierGuard, "mayBeCold">,
  ) {
    this.#videos = new RankedVideos(connection);
  }

  /**
   * Returns the videos of the first `limit` places by count, or by growth where there is a range before; ties by
   * videoId. Returns undefined where the index is not complete or cannot prove the answer.
   */
  async largest(
    type: string,
    range: MinuteRange,
    before: MinuteRange | undefined,
    limit: number,
  ): Promise<VideoGrowth[] | undefined> {
    if (limit > MAX_LIMIT) return undefined;
    const counted = async (videoIds: readonly string[]) => {
      const [counts, previous] = await Promise.all([
        this.counts.within(videoIds, type, range),
        before === undefined ? new Map<string, number>() : this.counts.within(videoIds, type, before),
      ]);
      return [...counts]
        .map(([videoId, count]) => ({ videoId, count, previous: previous.get(videoId) ?? 0 }))
        .filter((one) => one.count > one.previous);
    };
    const [complete, found] = await Promise.all([
      completeOnes(this.connection),
      this.#timesOf(type, range).then((times) => this.#videos.largest(times, limit, counted)),
    ]);
    if (found === undefined || !complete.has("ranks")) return undefined;
    return found
      .sort((a, b) => b.count - b.previous - (a.count - a.previous) || (a.videoId < b.videoId ? -1 : 1))
      .slice(0, limit);
  }

  async #timesOf(type: string, { from, to }: MinuteRange): Promise<RankedTimes> {
    const first = Math.floor(from / MINUTES_AN_HOUR);
    const last = Math.ceil(to / MINUTES_AN_HOUR) - 1;
    const hours = last - first + 1;
    const days = Math.floor(last / HOURS_A_DAY) - Math.floor(first / HOURS_A_DAY) + 1;
    // Entries of hours are deleted when the hours leave the store; those of days and months stay.
    if (hours <= MAX_HOURS && !(await this.tiers.mayBeCold(from * MINUTE_MS, to * MINUTE_MS)))
      return timesFrom(type, HOUR_FAMILY, first, last, hours);
    if (days <= MAX_DAYS) return timesFrom(type, DAY_FAMILY, first, last, days);
    return timesFrom(type, MONTH_FAMILY, first, last, monthOf(last) - monthOf(first) + 1);
  }
}

/** `$` follows the `#` behind a time. */
function timesFrom(type: string, family: RankedFamily, first: number, last: number, times: number): RankedTimes {
  return { family, type, from: timeText(family, first), to: `${timeText(family, last)}$`, times };
}

/** Returns the months since the year 0. */
function monthOf(hour: number): number {
  const text = timeText(MONTH_FAMILY, hour);
  return Number(text.slice(0, 4)) * 12 + Number(text.slice(4));
}
