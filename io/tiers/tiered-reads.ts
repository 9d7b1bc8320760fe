// SPDX-License-Identifier: Apache-2.0

import { grownMost } from "../../domain/rules/growth";
import { joined } from "../formats/parquet/cell-columns";
import {
  type Cell,
  type CellTiers,
  type CounterStore,
  type Granularity,
  type RollUp,
  StoreUnavailableError,
  type VideoCount,
  type VideoGrowth,
} from "../ports";
import { overlaps, type RollUpReader } from "./roll-up-reader";
import { coldTop } from "./tiered-top";

/** How often a read starts again because a range was rolled up meanwhile; each roll-up changes the state four times. */
const ATTEMPTS = 10;

/**
 * Reads a range of cells from the store and the roll-ups. A cell is the sum of its roll-ups and of the later events in
 * the store. The state is read before and after the store: a range that leaves the store in between is read again. The
 * service and tiered-counters.ts read with it.
 */
export class TieredReads {
  constructor(
    private readonly tiers: Pick<CellTiers, "tiers">,
    private readonly reader: RollUpReader,
    private readonly options: { clock: () => number; youngestMs: number },
  ) {}

  async read(
    store: Pick<CounterStore, "read">,
    videoId: string,
    eventType: string,
    startMs: number,
    endMs: number,
    granularity: Granularity,
  ): Promise<Cell[]> {
    const read = () => store.read(videoId, eventType, startMs, endMs, granularity);
    if (granularity === "day" || this.#isYoung(startMs)) return read();
    const asked = { level: granularity, fromMs: startMs, toMs: endMs };
    const touched = (rollUps: readonly RollUp[]) => rollUps.filter((one) => overlaps(one, asked));
    const whole = await read();
    // Cells leave the store when their roll-ups are in the state: what is in none of them was read whole.
    if (touched((await this.tiers.tiers()).rollUps).length === 0) return whole;
    return this.#steady(async (rollUps) => {
      const stored = await read();
      return merged(stored, await this.#cold(touched(rollUps), { ...asked, videoId, eventType }));
    });
  }

  async top(
    store: Pick<CounterStore, "top" | "minuteCells">,
    eventType: string,
    startMs: number,
    endMs: number,
    limit: number,
  ): Promise<VideoCount[]> {
    const hot = () => store.top(eventType, startMs, endMs, limit);
    if (this.#isYoung(startMs)) return hot();
    const asked = { eventType, fromMs: startMs, toMs: endMs, limit };
    return this.#steady(async (rollUps) => (await coldTop(store, rollUps, this.reader, asked)) ?? hot());
  }

  /** Ranks by the store where both ranges are in the store, otherwise by the growth of every video. */
  async rising(
    store: Pick<CounterStore, "top" | "minuteCells" | "rising">,
    eventType: string,
    startMs: number,
    endMs: number,
    limit: number,
  ): Promise<VideoGrowth[]> {
    const beforeMs = startMs - (endMs - startMs);
    if (this.#isYoung(beforeMs)) return store.rising(eventType, startMs, endMs, limit);
    const all = Number.MAX_SAFE_INTEGER;
    const before = await this.top(store, eventType, beforeMs, startMs, all);
    return grownMost(await this.top(store, eventType, startMs, endMs, all), before, limit);
  }

  /**
   * Returns whether the range is so young that it is never in roll-ups. Most reads are of such ranges.
   */
  #isYoung(startMs: number): boolean {
    return startMs > this.options.clock() - this.options.youngestMs;
  }

  /** Repeats the work where ranges were rolled up meanwhile. */
  async #steady<T>(work: (rollUps: readonly RollUp[]) => Promise<T>): Promise<T> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const { version, rollUps } = await this.tiers.tiers();
      const found = await work(rollUps);
      if ((await this.tiers.tiers()).version === version) return found;
    }
    throw new StoreUnavailableError("the range keeps being rolled up: read again later");
  }

  async #cold(
    rollUps: readonly RollUp[],
    asked: { level: "minute" | "hour"; fromMs: number; toMs: number; videoId: string; eventType: string },
  ): Promise<Cell[]> {
    const cells = await this.reader.cells(rollUps, asked);
    return cells.map(({ startMs, count, sum, valued, revision }) => ({
      startMs,
      count,
      sum,
      valued,
      revision,
      source: "rollup",
    }));
  }
}

/** Merges two lists that are ordered by time; cells of one time are added up. */
function merged(stored: readonly Cell[], cold: readonly Cell[]): Cell[] {
  if (cold.length === 0) return [...stored];
  const cells = new Map(cold.map((cell) => [cell.startMs, cell]));
  for (const cell of stored) {
    const base = cells.get(cell.startMs);
    cells.set(cell.startMs, base === undefined ? cell : joined(base, cell));
  }
  return [...cells.values()].sort((a, b) => a.startMs - b.startMs);
}
