// SPDX-License-Identifier: Apache-2.0
interface Counted {
  videoId: string;
  count: number;
}

interface Grown extends Counted {
  /** Of the period before. */
  previous: number;
}

/**
 * Returns the videos that grew most from `before` to `after`, for /v1/trending: by growth descending, ties by videoId;
 * only those that grew. The counter stores rank by it, and so does the read API for a channel.
 */
export function grownMost(after: readonly Counted[], before: readonly Counted[], limit: number): Grown[] {
  const previousOf = new Map(before.map(({ videoId, count }) => [videoId, count]));
  return after
    .map(({ videoId, count }) => ({ videoId, count, previous: previousOf.get(videoId) ?? 0 }))
    .filter(({ count, previous }) => count > previous)
    .sort((a, b) => b.count - b.previous - (a.count - a.previous) || (a.videoId < b.videoId ? -1 : 1))
    .slice(0, limit);
}
