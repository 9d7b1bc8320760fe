// SPDX-License-Identifier: Apache-2.0

/** The videos of the channel "unknown", which the endpoints of channels count like those of any channel. */
import { isCanaryVideo } from "../domain/canary";
import { hasUnknownMinutes, UNKNOWN_CHANNEL } from "../domain/catalog/channel-history";
import type { CounterStore, VideoCatalog } from "../io/ports";
import { nextTurn } from "./next-turn";

interface Sources {
  counters: Required<Pick<CounterStore, "videosSeen">>;
  catalog: Pick<VideoCatalog, "videosOf" | "channelHistory">;
}

const VIDEOS_A_PAGE = 1_000;
/** After this many look-ups, other requests get a turn. */
const VIDEOS_A_TURN = 50;

/**
 * The counted videos of the channel "unknown": those without a known channel in some minute, canaries left out. Each
 * counted video is looked up in the catalog once, when its name is first seen; a video that is unknown then is looked
 * up again by every question, and so leaves the channel when the catalog learns of it. A video whose channel was known
 * for all of its past can become unknown only by a line that says so, and the catalog lists such videos.
 */
export class UnknownVideos {
  readonly #candidates = new Set<string>();
  #after = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(private readonly sources: Sources) {}

  /**
   * Returns at most `most` videos, or undefined where there are more. Questions take turns, so that each sees every
   * video that was counted before it was asked.
   */
  videos(most: number): Promise<readonly string[] | undefined> {
    const found = this.#last.then(() => this.#find(most));
    this.#last = found.catch(() => undefined);
    return found;
  }

  async #find(most: number): Promise<readonly string[] | undefined> {
    await this.#lookAgain(this.#candidates);
    for (;;) {
      if (this.#candidates.size > most) return undefined;
      const { videoIds, last } = await this.sources.counters.videosSeen(this.#after, VIDEOS_A_PAGE);
      if (videoIds.length === 0) break;
      const found = new Set(videoIds.filter((videoId) => !isCanaryVideo(videoId)));
      await this.#lookAgain(found);
      for (const videoId of found) this.#candidates.add(videoId);
      this.#after = last;
    }
    const videos = new Set(this.#candidates);
    for (let after = ""; videos.size <= most; ) {
      const page = await this.sources.catalog.videosOf(UNKNOWN_CHANNEL, after, VIDEOS_A_PAGE);
      if (page.length === 0) break;
      for (const videoId of page) if (!isCanaryVideo(videoId)) videos.add(videoId);
      after = page.at(-1)!;
    }
    return videos.size > most ? undefined : [...videos].sort();
  }

  /** Takes away the videos whose channel is known by now for every minute. */
  async #lookAgain(videos: Set<string>): Promise<void> {
    let looked = 0;
    for (const videoId of videos) {
      if (!hasUnknownMinutes(await this.sources.catalog.channelHistory(videoId))) videos.delete(videoId);
      if (++looked % VIDEOS_A_TURN === 0) await nextTurn();
    }
  }
}

/** Returns undefined without a catalog, and where the store does not list the videos that it has seen. */
export function unknownVideos({
  counters,
  catalog,
}: {
  counters: Pick<CounterStore, "videosSeen">;
  catalog?: VideoCatalog | undefined;
}): UnknownVideos | undefined {
  const { videosSeen } = counters;
  if (catalog === undefined || videosSeen === undefined) return undefined;
  return new UnknownVideos({
    catalog,
    counters: { videosSeen: (after, limit) => videosSeen.call(counters, after, limit) },
  });
}
