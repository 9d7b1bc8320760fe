// SPDX-License-Identifier: Apache-2.0
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

/** Where a search by title goes on: behind this video. */
export interface TitlePlace {
  /** The title as it is compared. */
  key: string;
  videoId: string;
}

/** What is known of videos and channels: titles, publication, and which channel a video belonged to in which minute. */
export interface VideoCatalog {
  /**
   * Durable when it resolves, in one transaction each; of the same video the later line stands. `nowMinute`: see
   * `changed` in domain/catalog/channel-history.ts. Throws RangeError for a history beyond its bound, and then nothing
   * of the call is loaded. Rejects with `StoreUnavailableError`.
   */
  loadVideos(videos: readonly CatalogVideo[], nowMinute: number): Promise<void>;
  loadChannels(channels: readonly CatalogChannel[]): Promise<void>;
  /** Those that are known, of at most 1,000. */
  videos(videoIds: readonly string[], nowMinute: number): Promise<Map<string, VideoInfo>>;
  channels(channelIds: readonly string[]): Promise<Map<string, ChannelInfo>>;
  /** The video's channels, minute by minute; empty where none was ever said. */
  channelHistory(videoId: string): Promise<readonly ChannelPoint[]>;
  /** Videos that belong to the channel, or did in some minute; by id, behind `afterId`, at most `limit`. */
  videosOf(channelId: string, afterId: string, limit: number): Promise<string[]>;
  /** Videos whose id begins with the text, by id, behind `afterId`, at most `limit`. */
  idsFrom(text: string, afterId: string, limit: number): Promise<string[]>;
  /** Videos whose title begins with the text in any case, and whose id does not, by title and id, behind `after`. */
  titlesFrom(text: string, after: TitlePlace | undefined, limit: number): Promise<TitlePlace[]>;
  close(): Promise<void>;
}
