// SPDX-License-Identifier: Apache-2.0
/**
 * The writes of a stream to a store, without the stream: minute cells of Zipf's videos, pass after pass, as panes grow.
 * The measurement of the store writes them.
 */

import type { MinuteCounts, VideoNames } from "../../domain/columns/minute-counts";
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

/** One space of names for a load, as the panes of one process share one. */
class LoadNames implements VideoNames {
  readonly #numbers = new Map<number, number>();
  readonly #texts: string[] = [];

  get videoCount(): number {
    return this.#texts.length;
  }

  numberOf(rank: number): number {
    let number = this.#numbers.get(rank);
    if (number === undefined) {
      number = this.#texts.push(`video-${rank}-of-the-bench`) - 1;
      this.#numbers.set(rank, number);
    }
    return number;
  }

  videoText(number: number): string {
    return this.#texts[number]!;
  }
}

/**
 * One MinuteCounts a pass, in the form in which panes give it: cells in the order of their videos' numbers, which are
 * given in the order in which names come. The same numbers give the same load.
 */
export function* cellLoad({ minutes, passesAMinute, eventsAPass, videos, seed }: CellLoad): Generator<MinuteCounts> {
  const random = generator(seed);
  const names = new LoadNames();
  for (let minute = FIRST_MINUTE; minute < FIRST_MINUTE + minutes; minute++) {
    const cells = new Map<number, GrowingCell>();
    for (let pass = 0; pass < passesAMinute; pass++) {
      const changed = new Set<GrowingCell>();
      for (let event = 0; event < eventsAPass; event++) {
        // Log-uniform ranks: Zipf's law with exponent 1.
        const video = names.numberOf(Math.floor(videos ** random()) - 1);
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
      yield countsOf(minute, names, [...changed]);
    }
  }
}

function countsOf(minute: number, names: LoadNames, changed: readonly GrowingCell[]): MinuteCounts {
  const cells = changed.toSorted((a, b) => a.video - b.video || a.type - b.type);
  const numbers = Uint32Array.from(new Set(cells.map(({ video }) => video)));
  let last = -1;
  const videoIndex = Uint32Array.from(cells, ({ video }) => {
    if (last < 0 || numbers[last] !== video) last++;
    return last;
  });
  const counts = Float64Array.from(cells, ({ count }) => count);
  return {
    minute,
    videos: Array.from(numbers, (number) => names.videoText(number)),
    named: { names, numbers },
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
