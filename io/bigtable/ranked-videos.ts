// SPDX-License-Identifier: Apache-2.0
/**
 * The videos with the largest counts of a range, or with the largest growth, by the ranking index (rank-rows.ts). The
 * index names the candidates: all videos that reach a power of two in some hour, day or month of the range. The counts
 * of candidates are read from their cells, those with the largest bounds first. A video that is no candidate has less
 * than that power in each of these times. The answer is complete when the count in the last place is larger than the
 * sum of what such a video can have; otherwise smaller powers are asked for.
 */
import type { VideoGrowth } from "../ports";
import type { BigtableConnection } from "./connection";
import { LEAST_EXPONENT, type RankEntry, type RankedFamily, readRanks } from "./rank-rows";

/** The times of a level that cover the range. */
export interface RankedTimes {
  family: RankedFamily;
  type: string;
  /** `YYYYMMDDHH`, `YYYYMMDD` or `YYYYMM`; half-open. */
  from: string;
  to: string;
  times: number;
}

/** The exponent asked for first, where nothing is known of such ranges: a million events. */
const FIRST_EXPONENT = 20;
/** While there are too few candidates, this many exponents less are asked for. */
const STEP = 3;
/** Beyond these numbers, reading every cell of the range is not much dearer. */
const MAX_ENTRIES = 20_000;
const MAX_COUNTED = 4_096;
/** Candidates that are counted together; at least twice as many as there are places. */
const COUNTED_AT_ONCE = 16;
const MAX_HINTS = 256;

export class RankedVideos {
  /** The exponents that sufficed last time, by kind of range. A wrong one costs time. */
  readonly #hints = new Map<string, number>();

  constructor(private readonly connection: BigtableConnection) {}

  /**
   * Returns at least the videos of the first `limit` places, unsorted; undefined where the index cannot prove that they
   * are all, because counts are small or too much alike. `counted` returns the counts of videos from their cells.
   */
  async largest(
    asked: RankedTimes,
    limit: number,
    counted: (videoIds: readonly string[]) => Promise<VideoGrowth[]>,
  ): Promise<VideoGrowth[] | undefined> {
    const kind = `${asked.family} ${asked.type} ${asked.times}`;
    const found = new Found(limit);
    for (let exponent = this.#hints.get(kind) ?? FIRST_EXPONENT; ; ) {
      const entries = await readRanks(this.connection, asked, exponent, MAX_ENTRIES);
      if (entries === undefined) return undefined;
      const others = asked.times * (2 ** exponent - 1);
      const bounds = boundsOf(entries, asked.times, exponent);
      if (!(await count(bounds, found, counted))) return undefined;
      if (found.least > others) {
        this.#remember(kind, asked.times * (2 ** (exponent + 1) - 1) < found.least ? exponent + 1 : exponent);
        return found.videos;
      }
      if (exponent === LEAST_EXPONENT) return undefined;
      exponent = Math.max(LEAST_EXPONENT, nextExponent(exponent, found.least, asked.times));
    }
  }

  #remember(kind: string, exponent: number): void {
    if (this.#hints.size >= MAX_HINTS) this.#hints.clear();
    this.#hints.set(kind, exponent);
  }
}

/** The candidates that are counted. */
class Found {
  readonly #counted = new Set<string>();
  videos: VideoGrowth[] = [];
  /** The score in the last place; 0 while there are fewer videos. */
  least = 0;

  constructor(readonly limit: number) {}

  get size(): number {
    return this.#counted.size;
  }

  has(videoId: string): boolean {
    return this.#counted.has(videoId);
  }

  add(videoIds: readonly string[], scored: readonly VideoGrowth[]): void {
    for (const videoId of videoIds) this.#counted.add(videoId);
    this.videos.push(...scored);
    this.videos.sort((a, b) => scoreOf(b) - scoreOf(a));
    if (this.videos.length < this.limit) return;
    this.least = Math.max(0, scoreOf(this.videos[this.limit - 1]!));
    this.videos = this.videos.filter((one) => scoreOf(one) >= this.least);
  }
}

const scoreOf = ({ count, previous }: VideoGrowth): number => count - previous;

/** Returns the candidates with the bounds of their counts, the largest first. */
function boundsOf(entries: readonly RankEntry[], times: number, exponent: number): [videoId: string, bound: number][] {
  const largest = new Map<string, RankEntry>();
  for (const entry of entries) {
    const name = `${entry.time}#${entry.videoId}`;
    const known = largest.get(name);
    if (known === undefined || known.exponent < entry.exponent) largest.set(name, entry);
  }
  const bounds = new Map<string, number>();
  for (const { videoId, exponent: own } of largest.values()) {
    const bound = bounds.get(videoId) ?? times * (2 ** exponent - 1);
    bounds.set(videoId, bound - (2 ** exponent - 1) + (2 ** (own + 1) - 1));
  }
  return [...bounds].sort(([, a], [, b]) => b - a);
}

/** Counts candidates until none that is left can reach the last place. Returns false where there are too many. */
async function count(
  bounds: readonly [videoId: string, bound: number][],
  found: Found,
  counted: (videoIds: readonly string[]) => Promise<VideoGrowth[]>,
): Promise<boolean> {
  const left = bounds.filter(([videoId]) => !found.has(videoId));
  const atOnce = Math.max(COUNTED_AT_ONCE, found.limit * 2);
  for (let from = 0; from < left.length; from += atOnce) {
    const next = left.slice(from, from + atOnce).filter(([, bound]) => bound >= found.least);
    if (next.length === 0) return true;
    if (found.size >= MAX_COUNTED) return false;
    const videoIds = next.map(([videoId]) => videoId);
    found.add(videoIds, await counted(videoIds));
  }
  return true;
}

/** Returns the largest exponent below which a video that is no candidate cannot reach the last place. */
function nextExponent(exponent: number, least: number, times: number): number {
  if (least === 0) return exponent - STEP;
  let next = exponent - 1;
  while (next > LEAST_EXPONENT && times * (2 ** next - 1) >= least) next--;
  return next;
}
