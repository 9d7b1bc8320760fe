// SPDX-License-Identifier: Apache-2.0
/**
 * The counters on Bigtable. Minutes are facts whose version is the cell's timestamp. Hours, days, months and totals
 * above them are facts as well, because they are sums of facts. docs/decisions/0006-bigtable-rows.md. The stream writes
 * it, the read API and the audit read it, and the audit corrects it.
 */

import { randomBytes } from "node:crypto";
import type { MinuteCounts } from "../../domain/columns/minute-counts";
import { refuseUncountable } from "../../domain/rules/countable";
import { HOUR_MS, hourOf, MINUTE_MS } from "../../domain/rules/time";
import {
  type ApplyOptions,
  type Cell,
  type CounterStore,
  type Granularity,
  type LevelSums,
  StoreUnavailableError,
  type Total,
  type VideoCount,
  type VideoGrowth,
} from "../ports";
import type { BigtableConfig } from "./config";
import { BigtableConnection } from "./connection";
import { CounterLane } from "./counter-lane";
import { CounterReads } from "./counter-reads";
import { type AheadHour, type CellWrite, CounterRounds } from "./counter-round";
import { completeIndexes } from "./index-build";
import { completeOnes } from "./index-marks";
import { LevelRepair } from "./level-repair";
import { LevelReader } from "./level-sums";
import { hourText, SALTS, saltOf, summaryRowKey } from "./row-keys";
import { RowLoader } from "./row-loader";
import { SeenVideos } from "./seen-videos";
import { TierGuard } from "./tier-guard";
import { TierStates } from "./tier-states";
import { minuteVersion } from "./versions";

interface BigtableCounterStoreOptions extends BigtableConfig {
  /**
   * The number of cells that a writer remembers of the rows it wrote, some 200 bytes each; default 400,000. 0: every
   * write reads its rows again.
   */
  knownCells?: number;
  clock?: () => number;
}

/** Videos are divided into lanes, so that one lane computes while another waits for answers. */
const LANES = 4;
const DEFAULT_KNOWN_CELLS = 400_000;

export class BigtableCounterStore implements CounterStore {
  readonly #connection: BigtableConnection;
  readonly #reads: CounterReads;
  readonly #levels: LevelReader;
  readonly #lanes: CounterLane[];
  readonly #rounds: CounterRounds[];
  readonly #repair: LevelRepair;
  readonly #seen: SeenVideos;

  /** Opens no connection yet. Throws a RangeError for invalid names. */
  constructor(options: BigtableCounterStoreOptions) {
    const { clock = Date.now } = options;
    this.#connection = new BigtableConnection(options);
    const tiers = new TierGuard(new TierStates(this.#connection), clock);
    this.#reads = new CounterReads(this.#connection, tiers);
    this.#levels = new LevelReader(this.#connection);
    const writerId = randomBytes(6).toString("base64url");
    let lastStamp = 0;
    // Of two marks of a writer the later one must have the larger stamp, whatever the clock does.
    const stamp = () => {
      lastStamp = Math.max(lastStamp + 1, Date.now());
      return lastStamp;
    };
    const loader = new RowLoader(this.#connection, writerId);
    const known = (options.knownCells ?? DEFAULT_KNOWN_CELLS) / LANES;
    this.#seen = new SeenVideos(this.#connection);
    this.#repair = new LevelRepair(this.#connection, writerId, stamp, tiers);
    this.#rounds = Array.from(
      { length: LANES },
      () => new CounterRounds(this.#connection, loader, writerId, stamp, tiers, this.#seen, known),
    );
    this.#lanes = this.#rounds.map((rounds) => new CounterLane((writes) => rounds.write(writes)));
  }

  /**
   * No stream writes final minutes here, so revisions count corrections alone (`finalBeforeMinute` changes nothing).
   * Calls during a round share the next one. Rejects with RangeError (not countable, or beyond what a version can hold;
   * no cell of this call is written) or `StoreUnavailableError` (some cells may be written; the caller writes again).
   */
  async apply(
    counts: readonly MinuteCounts[],
    options: ApplyOptions = {},
  ): Promise<{ written: number; unchanged: number }> {
    let written = 0;
    const { total } = await this.#write(counts, options.followCorrections ? "stored" : undefined, () => written++);
    return { written, unchanged: total - written };
  }

  async correct(counts: readonly MinuteCounts[]): Promise<{ corrected: number }> {
    const { total, ahead } = await this.#write(counts, "next", () => undefined);
    const seen = new Set<string>();
    for (const { videoId, hour } of ahead) {
      if (seen.has(`${videoId} ${hour}`)) continue;
      seen.add(`${videoId} ${hour}`);
      await this.#repairAlone(videoId, hour, hour + 1);
    }
    return { corrected: total };
  }

  async rebuild(videoId: string, fromMs: number, toMs: number): Promise<void> {
    await this.#repairAlone(videoId, Math.floor(fromMs / HOUR_MS), Math.ceil(toMs / HOUR_MS));
  }

  totals(videoId: string): Promise<Map<string, Total>> {
    return this.#reads.totals(videoId);
  }
  read(videoId: string, eventType: string, startMs: number, endMs: number, granularity: Granularity): Promise<Cell[]> {
    return this.#reads.read(videoId, eventType, startMs, endMs, granularity);
  }
  top(eventType: string, startMs: number, endMs: number, limit: number): Promise<VideoCount[]> {
    return this.#reads.top(eventType, startMs, endMs, limit);
  }
  rising(eventType: string, startMs: number, endMs: number, limit: number): Promise<VideoGrowth[]> {
    return this.#reads.rising(eventType, startMs, endMs, limit);
  }
  /** Rejects with `StoreUnavailableError` where videos of an earlier program are not listed yet: `completeIndexes`. */
  async videosSeen(after: number, limit: number): Promise<{ videoIds: string[]; last: number }> {
    if (after === 0 && !(await completeOnes(this.#connection)).has("seen"))
      throw new StoreUnavailableError("the videos of an earlier program are not listed yet: run `viewmill tier`");
    return this.#seen.after(after, limit);
  }
  /**
   * Completes the indexes of tables that an earlier program has written, or builds them anew. Resolves with whether
   * there was anything to do.
   */
  completeIndexes(options: { anew?: boolean } = {}): Promise<boolean> {
    return completeIndexes(this.#connection, this.#seen, options);
  }
  /** A part of the videos is a range of keys in every table. */
  readonly videoParts = SALTS;
  partOf(videoId: string): number {
    return saltOf(videoId);
  }
  minuteCells(fromMinute: number, toMinute: number, videoPart?: number): AsyncIterable<MinuteCounts> {
    return this.#reads.minuteCells(fromMinute, toMinute, videoPart);
  }
  storedHours(fromHour: number, toHour: number): AsyncIterable<number> {
    return this.#reads.storedHours(fromHour, toHour);
  }
  levels(videoIds: readonly string[], hour: number): AsyncIterable<LevelSums> {
    return this.#levels.levels(videoIds, hour);
  }
  totalLevels(videoPart: number): AsyncIterable<LevelSums> {
    return this.#levels.totals(videoPart);
  }
  derivedCells(...asked: Parameters<CounterStore["derivedCells"]>): ReturnType<CounterStore["derivedCells"]> {
    return this.#reads.derivedCells(...asked);
  }
  allTotals(): AsyncIterable<{ videoId: string; eventType: string } & Total> {
    return this.#reads.allTotals();
  }

  /** Finishes the writes made so far. */
  async close(): Promise<void> {
    for (const lane of this.#lanes) await lane.idle();
    await this.#connection.close();
  }

  async #write(
    counts: readonly MinuteCounts[],
    correction: CellWrite["correction"] | undefined,
    onWritten: () => void,
  ): Promise<{ total: number; ahead: AheadHour[] }> {
    for (const minute of counts) {
      refuseUncountable(minute);
      refuseUnstorable(minute);
    }
    const byLane: CellWrite[][] = this.#lanes.map(() => []);
    let total = 0;
    for (const minute of counts) {
      total += minute.counts.length;
      addWrites(minute, correction, onWritten, byLane);
    }
    const ahead = await Promise.all(byLane.map((writes, lane) => this.#lanes[lane]!.write(writes)));
    return { total, ahead: ahead.flat() };
  }

  #repairAlone(videoId: string, fromHour: number, toHour: number): Promise<void> {
    const lane = laneOf(videoId);
    return this.#lanes[lane]!.alone(async () => {
      this.#rounds[lane]!.forgetSummary(summaryRowKey(videoId));
      await this.#repair.repair(videoId, fromHour, toHour);
    });
  }
}

function laneOf(videoId: string): number {
  return saltOf(videoId) % LANES;
}

/** Throws a RangeError for numbers that keys or versions cannot hold. */
function refuseUnstorable({ minute, counts, received, corrections }: MinuteCounts): void {
  hourText(hourOf(minute));
  for (let row = 0; row < counts.length; row++) minuteVersion(corrections?.[row] ?? 0, received?.[row] ?? counts[row]!);
}

function addWrites(
  counts: MinuteCounts,
  correction: CellWrite["correction"] | undefined,
  onWritten: () => void,
  byLane: CellWrite[][],
): void {
  const { minute, videos, types, received, corrections } = counts;
  const lanes = videos.map(laneOf);
  for (let row = 0; row < counts.counts.length; row++) {
    const video = counts.videoIndex[row]!;
    const count = counts.counts[row]!;
    const high = counts.sumHigh[row]!;
    const low = counts.sumLow[row]!;
    byLane[lanes[video]!]!.push({
      videoId: videos[video]!,
      type: types[counts.typeIndex[row]!]!,
      minute,
      count,
      sum: count === 0 ? 0n : high === 0 ? BigInt(low) : (BigInt(high) << 32n) + BigInt(low),
      valued: count === 0 ? 0 : counts.valued[row]!,
      lastMs: count === 0 ? 0 : minute * MINUTE_MS + counts.lastMsInMinute[row]!,
      received: received?.[row] ?? count,
      correction: correction ?? corrections?.[row] ?? 0,
      onWritten,
    });
  }
}
