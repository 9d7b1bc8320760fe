// SPDX-License-Identifier: Apache-2.0
/**
 * The writes of a stream to a store, without the stream: minute cells of Zipf's videos, pass after pass, as panes grow.
 * The measurement of the store writes them.
 */

import type { MinuteCounts } from "../../domain/columns/minute-counts";
import { MINUTE_MS } from "../../domain/rules/time";

export interface CellLoad {
  minutes: number;
  /** Passes a minute, each with all cells that the events since the last one have changed. */
  passesAMinute: number;
  eventsAPass: number;
  videos: number;
  seed: number;
}

const TYPES = ["VIEW", "LIKE", "SHARE"];
/** 2026-11-21T10:50:00Z: the load passes from one hour into the next. */
const FIRST_MINUTE = Date.UTC(2026, 10, 21, 10, 50) / MINUTE_MS;

interface GrowingCell {
  video: number;
  type: number;
  count: number;
  sum: number;
  last: number;
}

/**
 * One MinuteCounts a pass. The same numbers give the same load; names are new strings every time, as a decoder makes
 * them.
 */
export function* cellLoad({ minutes, passesAMinute, eventsAPass, videos, seed }: CellLoad): Generator<MinuteCounts> {
  const random = generator(seed);
  for (let minute = FIRST_MINUTE; minute < FIRST_MINUTE + minutes; minute++) {
    const cells = new Map<number, GrowingCell>();
    for (let pass = 0; pass < passesAMinute; pass++) {
      const changed = new Set<GrowingCell>();
      for (let event = 0; event < eventsAPass; event++) {
        // Log-uniform ranks: Zipf's law with exponent 1.
        const video = Math.floor(videos ** random()) - 1;
        const draw = random();
        const type = draw < 0.9 ? 0 : draw < 0.97 ? 1 : 2;
        let cell = cells.get(video * 4 + type);
        if (cell === undefined) {
          cell = { video, type, count: 0, sum: 0, last: 0 };
          cells.set(video * 4 + type, cell);
        }
        cell.count++;
        cell.sum += Math.floor(random() * MINUTE_MS);
        cell.last = Math.floor(((pass + random()) / passesAMinute) * MINUTE_MS);
        changed.add(cell);
      }
      yield countsOf(minute, [...changed]);
    }
  }
}

function countsOf(minute: number, cells: readonly GrowingCell[]): MinuteCounts {
  const indexes = new Map<number, number>();
  const videos: string[] = [];
  const videoIndex = Uint32Array.from(cells, ({ video }) => {
    let index = indexes.get(video);
    if (index === undefined) {
      index = videos.push(`video-${video}-of-the-bench`) - 1;
      indexes.set(video, index);
    }
    return index;
  });
  const counts = Float64Array.from(cells, ({ count }) => count);
  return {
    minute,
    videos,
    types: TYPES,
    videoIndex,
    typeIndex: Uint32Array.from(cells, ({ type }) => type),
    counts,
    valued: counts,
    sumHigh: new Float64Array(cells.length),
    sumLow: Float64Array.from(cells, ({ sum }) => sum),
    lastMsInMinute: Uint16Array.from(cells, ({ last }) => last),
  };
}

function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x45d9f3b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0x45d9f3b);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  };
}
