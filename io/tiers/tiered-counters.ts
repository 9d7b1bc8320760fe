// SPDX-License-Identifier: Apache-2.0
/**
 * A counter store together with its roll-ups. Days and totals are in the store for ever. A minute or an hour is the sum
 * of its roll-ups and of the later events in the store. Reads, the levels that audits compare, and rankings cover both;
 * writes go to the store. A deployment with roll-ups opens its counters as this, for the stream, the read API and the
 * audit.
 */

import type { MinuteCounts } from "../../domain/columns/minute-counts";
import { NO_SUMS, type Sums, sumOf } from "../../domain/rules/cell-sums";
import { DAY_MS, HOUR_MS, HOURS_A_DAY } from "../../domain/rules/time";
import type { TimedCell } from "../formats/parquet/cell-columns";
import type {
  ApplyOptions,
  Cell,
  CellTiers,
  CounterStore,
  Granularity,
  LevelSums,
  RolledHour,
  RollUp,
  RollUpFolder,
  Total,
  VideoCount,
  VideoGrowth,
} from "../ports";
import { cellsOf, overlaps, RollUpReader } from "./roll-up-reader";
import { type DaySums, RolledSums, seriesKey } from "./rolled-sums";
import { TieredReads } from "./tiered-reads";

interface TieredOptions {
  store: CounterStore;
  tiers: Pick<CellTiers, "tiers">;
  folder: RollUpFolder;
  clock: () => number;
  /** No cell younger than this is in roll-ups. */
  youngestMs: number;
}

export class TieredCounters implements CounterStore {
  readonly #store: CounterStore;
  readonly #tiers: Pick<CellTiers, "tiers">;
  readonly #reads: TieredReads;
  readonly #sums: RolledSums;
  readonly #reader: RollUpReader;
  /** Where the store has it. */
  readonly videosSeen?: NonNullable<CounterStore["videosSeen"]>;

  constructor({ store, tiers, folder, ...options }: TieredOptions) {
    const reader = new RollUpReader(folder);
    this.#reader = reader;
    this.#store = store;
    this.#tiers = tiers;
    this.#reads = new TieredReads(tiers, reader, options);
    this.#sums = new RolledSums(reader);
    if (store.videosSeen !== undefined) this.videosSeen = (after, limit) => store.videosSeen!(after, limit);
  }

  read(videoId: string, eventType: string, startMs: number, endMs: number, granularity: Granularity): Promise<Cell[]> {
    return this.#reads.read(this.#store, videoId, eventType, startMs, endMs, granularity);
  }

  async rolledHour(hour: number): Promise<RolledHour | undefined> {
    const { rollUps, rolling } = await this.#tiers.tiers();
    const asked = { fromMs: hour * HOUR_MS, toMs: (hour + 1) * HOUR_MS };
    const isRolling = rolling !== undefined && overlaps(rolling, { ...asked, level: rolling.level });
    if (!isRolling && !rollUps.some((one) => overlaps(one, { ...asked, level: "minute" }))) return undefined;
    const day = Math.floor(hour / HOURS_A_DAY);
    return {
      isRolling,
      videos: (videoPart) => this.#videosOf(rollUps, hour, videoPart),
      counted: async (minute) => (await this.#sums.minutesOf(rollUps, day)).get(minute) ?? 0,
    };
  }

  async #videosOf(rollUps: readonly RollUp[], hour: number, videoPart: number): Promise<Set<string>> {
    const videos = new Set<string>();
    for (const level of ["minute", "hour"] as const) {
      for (const [series, hours] of await this.#sums.ofDay(rollUps, level, Math.floor(hour / HOURS_A_DAY))) {
        const videoId = series.slice(0, series.lastIndexOf(" "));
        if (hours.has(hour) && this.partOf(videoId) === videoPart) videos.add(videoId);
      }
    }
    return videos;
  }

  async rollUps(): Promise<readonly RollUp[]> {
    return (await this.#tiers.tiers()).rollUps;
  }

  flawOf(rollUp: RollUp, extent: "size" | "whole"): Promise<string | undefined> {
    return this.#reader.flawOf(rollUp, extent);
  }

  async *rolledCells(granularity: "minute" | "hour", fromMs: number, toMs: number): AsyncGenerator<TimedCell> {
    for (const rollUp of (await this.#tiers.tiers()).rollUps) {
      if (!overlaps(rollUp, { level: granularity, fromMs, toMs })) continue;
      for (const cell of cellsOf(await this.#reader.all(rollUp))) {
        if (cell.startMs >= fromMs && cell.startMs < toMs) yield cell;
      }
    }
  }

  /**
   * An hour whose minutes are in roll-ups is compared with the sum of the roll-ups and of later events; its day
   * likewise.
   */
  async *levels(videoIds: readonly string[], hour: number): AsyncGenerator<LevelSums, void, undefined> {
    const { rollUps } = await this.#tiers.tiers();
    const day = Math.floor(hour / HOURS_A_DAY);
    const ofDay = { fromMs: day * DAY_MS, toMs: (day + 1) * DAY_MS };
    const isRolled = rollUps.some((one) => overlaps(one, { ...ofDay, level: one.level }));
    if (!isRolled) {
      yield* this.#store.levels(videoIds, hour);
      return;
    }
    const minutes = await this.#sums.ofDay(rollUps, "minute", day);
    const hours = await this.#sums.ofDay(rollUps, "hour", day);
    const found = new Map<string, LevelSums>();
    for await (const each of this.#store.levels(videoIds, hour)) found.set(levelKey(each), each);
    for (const empty of missing(found, [minutes, hours], new Set(videoIds), hour)) found.set(levelKey(empty), empty);
    for (const each of found.values()) yield withRolled(each, minutes, hours, hour);
  }

  async *storedHours(fromHour: number, toHour: number): AsyncGenerator<number, void, undefined> {
    const hours = new Set<number>();
    for (const { level, fromMs, toMs, hours: known } of (await this.#tiers.tiers()).rollUps) {
      if (level !== "minute") continue;
      if (known !== undefined) {
        for (const hour of known) if (hour >= fromHour && hour < toHour) hours.add(hour);
        continue;
      }
      const [from, to] = [Math.max(fromHour, fromMs / HOUR_MS), Math.min(toHour, toMs / HOUR_MS)];
      for (let hour = from; hour < to; hour++) hours.add(hour);
    }
    const rolled = [...hours].sort((a, b) => a - b);
    let next = 0;
    for await (const hour of this.#store.storedHours(fromHour, toHour)) {
      while (next < rolled.length && rolled[next]! < hour) yield rolled[next++]!;
      if (rolled[next] === hour) next++;
      yield hour;
    }
    yield* rolled.slice(next);
  }

  top(eventType: string, startMs: number, endMs: number, limit: number): Promise<VideoCount[]> {
    return this.#reads.top(this.#store, eventType, startMs, endMs, limit);
  }

  rising(eventType: string, startMs: number, endMs: number, limit: number): Promise<VideoGrowth[]> {
    return this.#reads.rising(this.#store, eventType, startMs, endMs, limit);
  }
  async videoIds(text: string, afterId: string, limit: number): Promise<string[]> {
    return (await this.#store.videoIds?.(text, afterId, limit)) ?? [];
  }
  apply(counts: readonly MinuteCounts[], options?: ApplyOptions): Promise<{ written: number; unchanged: number }> {
    return this.#store.apply(counts, options);
  }
  correct(counts: readonly MinuteCounts[]): Promise<{ corrected: number }> {
    return this.#store.correct(counts);
  }
  rebuild(videoId: string, fromMs: number, toMs: number): Promise<void> {
    return this.#store.rebuild(videoId, fromMs, toMs);
  }
  totals(videoId: string): Promise<Map<string, Total>> {
    return this.#store.totals(videoId);
  }
  get videoParts(): number {
    return this.#store.videoParts;
  }
  partOf(videoId: string): number {
    return this.#store.partOf(videoId);
  }
  minuteCells(fromMinute: number, toMinute: number, videoPart?: number): AsyncIterable<MinuteCounts> {
    return this.#store.minuteCells(fromMinute, toMinute, videoPart);
  }
  totalLevels(videoPart: number): AsyncIterable<LevelSums> {
    return this.#store.totalLevels(videoPart);
  }
  derivedCells(granularity: "hour" | "day", startMs: number, endMs: number) {
    return this.#store.derivedCells(granularity, startMs, endMs);
  }
  allTotals() {
    return this.#store.allTotals();
  }
  close(): Promise<void> {
    return this.#store.close();
  }
}

const levelKey = ({ level, videoId, eventType }: LevelSums): string => `${level} ${seriesKey(videoId, eventType)}`;

/** Yields the levels that roll-ups have and the store lacks. */
function* missing(
  found: ReadonlyMap<string, LevelSums>,
  rolled: readonly DaySums[],
  videos: ReadonlySet<string>,
  hour: number,
): Generator<LevelSums> {
  const starts = { hour: hour * HOUR_MS, day: Math.floor(hour / HOURS_A_DAY) * DAY_MS };
  for (const sums of rolled) {
    for (const [series, hours] of sums) {
      const at = series.lastIndexOf(" ");
      const [videoId, eventType] = [series.slice(0, at), series.slice(at + 1)];
      if (!videos.has(videoId)) continue;
      for (const level of ["hour", "day"] as const) {
        if (found.has(`${level} ${series}`) || (level === "hour" && !hours.has(hour))) continue;
        yield { level, startMs: starts[level], videoId, eventType, stored: NO_SUMS, below: NO_SUMS };
      }
    }
  }
}

function withRolled(each: LevelSums, minutes: DaySums, hours: DaySums, hour: number): LevelSums {
  const series = seriesKey(each.videoId, each.eventType);
  const ofHours = hours.get(series);
  if (each.level === "hour") {
    const stored = sumOf(each.stored, ofHours?.get(hour) ?? NO_SUMS);
    return { ...each, stored, below: sumOf(each.below, minutes.get(series)?.get(hour) ?? NO_SUMS) };
  }
  if (each.level !== "day") return each;
  let below: Sums = each.below;
  for (const sums of ofHours?.values() ?? []) below = sumOf(below, sums);
  return { ...each, below };
}
