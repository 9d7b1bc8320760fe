// SPDX-License-Identifier: Apache-2.0
/**
 * The port of the video catalog: titles, channels and publication. The read API names videos and adds up channels by
 * it, and `viewmill catalog` loads it. io/sqlite/ implements it.
 */
import type { CatalogChannel, CatalogVideo } from "../../domain/catalog/catalog-line";
import type { ChannelPoint } from "../../domain/catalog/channel-history";

export interface VideoInfo {
  title?: string;
  /** The channel that the video belongs to now. */
  channelId?: string;
  channelTitle?: string;
  publishedAtMs?: number;
}

export interface ChannelInfo {
  title?: string;
}

/** The position at which a search by title continues: after this video. */
export interface TitlePlace {
  /** The title in the form in which titles are compared. */
  key: string;
  videoId: string;
}

/** The position after which the list of the newest videos goes on. */
export interface PublicationPlace {
  publishedAtMs: number;
  videoId: string;
}

/** A line that is not loaded. `video` is the object of the call. */
export interface RefusedVideo {
  video: CatalogVideo;
  detail: string;
}

/** The known facts of videos and channels: titles, publication, and the channel of a video in each minute. */
export interface VideoCatalog {
  /**
   * Loads lines in one transaction; durable when it resolves. For the same video the later line stands. `nowMinute`:
   * see `changed` in domain/catalog/channel-history.ts. Resolves with the lines that a full history of their video
   * refuses, and why; nothing of them is loaded. Rejects with `StoreUnavailableError`.
   */
  loadVideos(videos: readonly CatalogVideo[], nowMinute: number): Promise<readonly RefusedVideo[]>;
  loadChannels(channels: readonly CatalogChannel[]): Promise<void>;
  /** Returns the known videos among at most 1,000. */
  videos(videoIds: readonly string[], nowMinute: number): Promise<Map<string, VideoInfo>>;
  channels(channelIds: readonly string[]): Promise<Map<string, ChannelInfo>>;
  /** Returns the video's channels, minute by minute; empty where the channel was never stated. */
  channelHistory(videoId: string): Promise<readonly ChannelPoint[]>;
  /**
   * Returns the videos that belong to the channel, or did in some minute; by id, after `afterId`, at most `limit`. Of
   * the channel "unknown": the videos of which a line says that they have no channel from some minute on.
   */
  videosOf(channelId: string, afterId: string, limit: number): Promise<string[]>;
  /** Returns the videos whose id begins with the text, by id, after `afterId`, at most `limit`. */
  idsFrom(text: string, afterId: string, limit: number): Promise<string[]>;
  /**
   * Returns the videos whose title begins with the text in any case, and whose id does not, by title and id, after
   * `after`.
   */
  titlesFrom(text: string, after: TitlePlace | undefined, limit: number): Promise<TitlePlace[]>;
  /** Videos whose publication is known, the newest first, ties by id, behind `after`, at most `limit`. */
  newest(after: PublicationPlace | undefined, limit: number): Promise<PublicationPlace[]>;
  close(): Promise<void>;
}
