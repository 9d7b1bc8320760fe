// SPDX-License-Identifier: Apache-2.0
/** Titles and channels from the catalog, for every answer that lists videos. */
import { MINUTE_MS } from "../domain/rules/time";
import type { VideoCatalog, VideoInfo } from "../io/ports";

/** The part of the catalog that answers use; a deployment may have no catalog. */
interface Titles {
  catalog?: VideoCatalog;
  clock: () => number;
}

export interface VideoMembers {
  title?: string;
  channelId?: string;
  channelTitle?: string;
  publishedAt?: string;
}

const NOTHING: VideoMembers = {};

/** Returns the members of an answer for each of these videos, of any number. */
export async function videoMembers(
  { catalog, clock }: Titles,
  videoIds: readonly string[],
): Promise<(videoId: string) => VideoMembers> {
  if (catalog === undefined || videoIds.length === 0) return () => NOTHING;
  const known = await catalog.videos(videoIds, Math.floor(clock() / MINUTE_MS));
  return (videoId) => {
    const info = known.get(videoId);
    return info === undefined ? NOTHING : membersOf(info);
  };
}

function membersOf({ publishedAtMs, ...members }: VideoInfo): VideoMembers {
  return publishedAtMs === undefined ? members : { ...members, publishedAt: new Date(publishedAtMs).toISOString() };
}

export async function channelTitle({ catalog }: Titles, channelId: string): Promise<{ title?: string }> {
  return (await catalog?.channels([channelId]))?.get(channelId) ?? {};
}

/** Returns the title member of each of these videos. */
export async function titlesOf(
  titles: Titles,
  videos: readonly { videoId: string }[],
): Promise<(videoId: string) => { title?: string }> {
  const membersOf = await videoMembers(
    titles,
    videos.map(({ videoId }) => videoId),
  );
  return (videoId) => {
    const { title } = membersOf(videoId);
    return title === undefined ? {} : { title };
  };
}
