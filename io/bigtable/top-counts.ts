// SPDX-License-Identifier: Apache-2.0
import type { VideoCount } from "../ports";

/**
 * Counts by video, the largest first, ties by videoId in byte order (ids are ASCII). Rankings of the read API are made
 * of them.
 */
export class TopCounts {
  readonly #counts = new Map<string, number>();

  add(videoId: string, count: number): void {
    this.#counts.set(videoId, (this.#counts.get(videoId) ?? 0) + count);
  }

  largest(limit: number): VideoCount[] {
    const all = [...this.#counts].filter(([, count]) => count > 0).map(([videoId, count]) => ({ videoId, count }));
    return all.sort((a, b) => b.count - a.count || (a.videoId < b.videoId ? -1 : 1)).slice(0, limit);
  }
}
