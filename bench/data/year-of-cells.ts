// SPDX-License-Identifier: Apache-2.0
/**
 * A year of counts of many videos, for measurements of reads: every video in the last hour, some of Zipf's videos in
 * each hour of the last month, and the first videos in each hour of 90 days and on each day of the year.
 */
import type { MinuteCounts } from "../../domain/columns/minute-counts";
import { MINUTES_A_DAY } from "../../domain/rules/time";
import { sfc32 } from "../../domain/seeded-random";

export interface YearLoad {
  videos: number;
  /** Of the last month. */
  cellsAnHour: number;
  seed: number;
  /** The hour in which every video is counted ends here. */
  endMinute: number;
}

export const YEAR_DAYS = 365;
export const HOURLY_DAYS = 90;
export const MONTH_DAYS = 30;
/** Videos that have counts all the year. */
export const LASTING_VIDEOS = 20;

const videoId = (video: number): string => `video-${video}`;

/** Cells of one minute: counts by video. */
export interface CountedMinute {
  minute: number;
  counts: ReadonlyMap<number, number>;
}

/** In the order of time. The same numbers give the same year. */
export function* yearOfCells({ videos, cellsAnHour, seed, endMinute }: YearLoad): Generator<CountedMinute> {
  const random = sfc32(seed);
  const lasting = (counts: Map<number, number>) => {
    for (let video = 0; video < LASTING_VIDEOS; video++)
      counts.set(video, 1 + Math.floor((random() * 10_000) / (video + 1)));
    return counts;
  };
  const firstHour = endMinute - HOURLY_DAYS * MINUTES_A_DAY;
  for (let day = YEAR_DAYS; day > HOURLY_DAYS; day--)
    yield { minute: endMinute - day * MINUTES_A_DAY + 720, counts: lasting(new Map()) };
  for (let minute = firstHour; minute < endMinute - 60; minute += 60) {
    const counts = lasting(new Map());
    if (minute >= endMinute - MONTH_DAYS * MINUTES_A_DAY) {
      for (let cell = 0; cell < cellsAnHour; cell++) {
        // Log-uniform ranks: Zipf's law with exponent 1.
        const video = Math.floor(videos ** random()) - 1;
        counts.set(video, (counts.get(video) ?? 0) + 1);
      }
    }
    yield { minute, counts };
  }
  for (let at = 0; at < 60; at++) {
    const counts = new Map<number, number>();
    for (let video = at; video < videos; video += 60)
      counts.set(video, 1 + Math.floor((random() * 3_000) / (video + 1)));
    yield { minute: endMinute - 60 + at, counts: lasting(counts) };
  }
}

export function minuteCounts({ minute, counts }: CountedMinute): MinuteCounts {
  const cells = counts.size;
  const values = Float64Array.from(counts.values());
  return {
    minute,
    videos: Array.from(counts.keys(), videoId),
    types: ["VIEW"],
    videoIndex: Uint32Array.from({ length: cells }, (_, at) => at),
    typeIndex: new Uint32Array(cells),
    counts: values,
    valued: new Float64Array(cells),
    sumHigh: new Float64Array(cells),
    sumLow: new Float64Array(cells),
    lastMsInMinute: new Uint16Array(cells).fill(30_000),
  };
}

/** Lines of CSV, without a head: video, minute, count. */
export const csvLines = ({ minute, counts }: CountedMinute): string =>
  Array.from(counts, ([video, count]) => `${videoId(video)},${minute},${count}\n`).join("");
