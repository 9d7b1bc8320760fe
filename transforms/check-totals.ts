// SPDX-License-Identifier: Apache-2.0
import { differenceOf, isSameSums, NO_SUMS, type Sums, sumOf } from "../domain/rules/cell-sums";
import type { ComparedCell } from "../domain/rules/reconcile";
import { touchesDay } from "../domain/rules/roll-up-turns";
import { DAY_MS, HOUR_MS } from "../domain/rules/time";
import {
  type AwaitableDoFn,
  awaitableParDo,
  groupByKey,
  type KV,
  type PCollection,
  register,
  resource,
  withName,
} from "../engine";
import { type AuditDifference, type CounterStore, StoreUnavailableError } from "../io/ports";
import { levelDifference } from "./compare-hours";
import { differencesOf, differingLevels, type LevelDifference } from "./compare-levels";
import { RESOURCES } from "./resource-names";

/** The result of the check for one part of the videos. */
export interface TotalsFinding {
  videoPart: number;
  cellsCompared: number;
  cellsDiffering: number;
  cellsRepaired: number;
  differences: AuditDifference[];
}

export interface TotalsOptions {
  repair: boolean;
}

const MAX_LISTED = 1_000;
const LAST_DAY_MS = Date.UTC(9999, 11, 31);
const NOTHING: ReadonlyMap<string, ComparedCell> = new Map();

async function* only<T>(value: T): AsyncGenerator<T> {
  yield value;
}

/**
 * Checks every total against the days below it, part by part of the videos. An audit of a range never looks at a video
 * that no event of the range touches. In: parts of the videos. Out: one finding a part. Rejects: none. Windowing:
 * global. Replay: a repaired total is equal then. The last step of an audit.
 */
export function checkTotals(parts: PCollection<number>, options: TotalsOptions): PCollection<TotalsFinding> {
  return parts
    .map(withName("KeyByPart", keyByPart))
    .apply(withName("SpreadParts", groupByKey<string, number>()))
    .apply(awaitableParDo("CheckTotals", new CheckTotals(RESOURCES.counterStore, options), { maxInFlight: 1 }));
}

export const keyByPart = (part: number): KV<string, number> => ({ key: String(part), value: part });

export class CheckTotals implements AwaitableDoFn<KV<string, Iterable<number>>, TotalsFinding> {
  constructor(
    readonly counterStore: string,
    readonly options: TotalsOptions,
  ) {}

  async process({ key }: KV<string, Iterable<number>>): Promise<TotalsFinding[]> {
    const counters = resource<CounterStore>(this.counterStore);
    const finding: TotalsFinding = {
      ...{ videoPart: Number(key), cellsCompared: 0, cellsDiffering: 0, cellsRepaired: 0, differences: [] },
    };
    const doubtful = new Set<string>();
    for await (const sums of counters.totalLevels(finding.videoPart)) {
      finding.cellsCompared++;
      if ((await differencesOf(only(sums), NOTHING)).length > 0) doubtful.add(sums.videoId);
    }
    for (const videoId of doubtful) await this.confirm(counters, videoId, finding);
    return [finding];
  }

  /** Reads a total that differs again by itself, because the stream goes on during the scan. */
  private async confirm(counters: CounterStore, videoId: string, finding: TotalsFinding): Promise<void> {
    const found = await differingTotals(counters, videoId);
    for (const difference of found) {
      finding.cellsDiffering++;
      if (finding.differences.length < MAX_LISTED) finding.differences.push(levelDifference(difference));
    }
    if (found.length === 0 || !this.options.repair) return;
    const eventTypes = new Set(found.map(({ eventType }) => eventType));
    // A total is never repaired to the sum of days that are not their hours, where the hours are in roll-ups.
    if (!(await areRolledDaysWhole(counters, videoId, eventTypes))) return;
    await rebuildTotals(counters, videoId, eventTypes);
    finding.cellsRepaired += found.length - (await differingTotals(counters, videoId)).length;
  }
}

async function differingTotals(counters: CounterStore, videoId: string): Promise<LevelDifference[]> {
  const found: LevelDifference[] = [];
  for await (const each of differingLevels(counters, [videoId], 0, NOTHING))
    if (each.level === "total") found.push(each);
  return found;
}

/** Returns whether the days with cells in roll-ups are the sums of their hours, of this video and these types. */
async function areRolledDaysWhole(
  counters: CounterStore,
  videoId: string,
  eventTypes: Iterable<string>,
): Promise<boolean> {
  const rollUps = (await counters.rollUps?.()) ?? [];
  if (rollUps.length === 0) return true;
  const fromMs = Math.min(...rollUps.map((one) => one.fromMs));
  const toMs = Math.max(...rollUps.map((one) => one.toMs));
  try {
    for (const eventType of eventTypes) {
      const lacking = new Map<number, Sums>();
      const of = (day: number) => lacking.get(day) ?? NO_SUMS;
      for (const cell of await counters.read(videoId, eventType, fromMs, toMs, "hour")) {
        const day = Math.floor(cell.startMs / DAY_MS);
        lacking.set(day, sumOf(of(day), cell));
      }
      for (const cell of await counters.read(videoId, eventType, fromMs, toMs, "day")) {
        const day = cell.startMs / DAY_MS;
        lacking.set(day, differenceOf(of(day), cell));
      }
      for (const [day, sums] of lacking) {
        const isRolled = rollUps.some((one) => touchesDay(one, day));
        if (isRolled && !isSameSums(sums, NO_SUMS)) return false;
      }
    }
  } catch (error) {
    if (error instanceof StoreUnavailableError) return false;
    throw error;
  }
  return true;
}

/**
 * Rebuilds an hour of each month of the video, and with it all levels above: a store may keep months between days and
 * totals.
 */
async function rebuildTotals(counters: CounterStore, videoId: string, eventTypes: Iterable<string>): Promise<void> {
  const months = new Map<string, number>();
  for (const eventType of eventTypes) {
    for (const { startMs } of await counters.read(videoId, eventType, 0, LAST_DAY_MS, "day"))
      months.set(new Date(startMs).toISOString().slice(0, 7), startMs);
  }
  // A total without any day goes, whichever hour is rebuilt.
  if (months.size === 0) months.set("", 0);
  for (const startMs of months.values()) await counters.rebuild(videoId, startMs, startMs + HOUR_MS);
}

register(module);
