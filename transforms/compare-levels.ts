// SPDX-License-Identifier: Apache-2.0
/**
 * The check that hours, days and totals are the sums of their minutes. The audit compares hours and totals with it.
 */
import { setTimeout as delay } from "node:timers/promises";
import { differenceOf, isSameSums, NO_SUMS, type Sums, sumOf } from "../domain/rules/cell-sums";
import { type ComparedCell, cellKey } from "../domain/rules/reconcile";
import { DAY_MS, HOUR_MS } from "../domain/rules/time";
import type { AuditDifference, CounterStore, LevelSums } from "../io/ports";

export interface LevelDifference {
  level: AuditDifference["level"];
  startMs: number;
  videoId: string;
  eventType: string;
  expected: Sums;
  stored: Sums;
}

/** The number of videos that are read at once. */
const VIDEOS_AT_ONCE = 256;
/**
 * How often a level that differs is read again. A write under way moves one level after the other; a real difference
 * stays.
 */
const CONFIRMATIONS = 5;
const CONFIRM_PAUSE_MS = 20;
const LAST_DAY_MS = Date.UTC(9999, 11, 31);
const LEVELS = ["hour", "day", "total"] as const;

/**
 * Checks [I3](../docs/invariants.md) for some videos: an hour is the sum of its minutes, its day the sum of the day's
 * hours, the total the sum of all days. Errors of a lower level are added first, so that a damaged minute is one
 * difference and not four. `corrections` says for each cell what to add to the stored minutes of the hour to get the
 * true ones.
 */
export async function* differingLevels(
  counters: Pick<CounterStore, "levels" | "read">,
  videoIds: Iterable<string>,
  hour: number,
  corrections: ReadonlyMap<string, ComparedCell>,
): AsyncGenerator<LevelDifference> {
  for (const chunk of chunksOf(videoIds, VIDEOS_AT_ONCE)) {
    const found = await differencesOf(counters.levels(chunk, hour), corrections);
    for (const [videoId, some] of Map.groupBy(found, (each) => each.videoId)) {
      for (const difference of await confirmed(counters, videoId, hour, corrections, some))
        if (!(await isOfAnotherPart(counters, hour, difference))) yield difference;
    }
  }
}

async function confirmed(
  counters: Pick<CounterStore, "levels">,
  videoId: string,
  hour: number,
  corrections: ReadonlyMap<string, ComparedCell>,
  first: LevelDifference[],
): Promise<LevelDifference[]> {
  let found = first;
  for (let n = 1; n < CONFIRMATIONS && found.length > 0; n++) {
    await delay(CONFIRM_PAUSE_MS);
    found = await differencesOf(counters.levels([videoId], hour), corrections);
  }
  return found;
}

/**
 * Returns whether a day differs from its hours, or a total from its days, only because another hour or day is not the
 * sum of the level below it. The audit of that hour reports the difference, and this level is correct.
 */
async function isOfAnotherPart(
  counters: Pick<CounterStore, "read">,
  hour: number,
  { level, startMs, videoId, eventType, expected, stored }: LevelDifference,
): Promise<boolean> {
  if (level === "hour") return false;
  const read = (fromMs: number, toMs: number, granularity: "minute" | "hour" | "day") =>
    counters.read(videoId, eventType, fromMs, toMs, granularity);
  const isDay = level === "day";
  const [partMs, from, to] = isDay ? [HOUR_MS, startMs, startMs + DAY_MS] : [DAY_MS, 0, await endOfDays(read)];
  const own = Math.floor((hour * HOUR_MS) / partMs) * partMs;
  let sums: Sums = expected;
  const others = ({ startMs: at }: { startMs: number }) => Math.floor(at / partMs) * partMs !== own;
  for (const below of (await read(from, to, isDay ? "minute" : "hour")).filter(others)) sums = sumOf(sums, below);
  for (const part of (await read(from, to, isDay ? "hour" : "day")).filter(others)) sums = differenceOf(sums, part);
  return isSameSums(stored, sums);
}

/** Returns the end of the last day that a pair has. Hours and days are read for the few pairs whose total differs. */
async function endOfDays(read: (fromMs: number, toMs: number, granularity: "day") => Promise<{ startMs: number }[]>) {
  const days = await read(0, LAST_DAY_MS, "day");
  return (days[days.length - 1]?.startMs ?? 0) + 2 * DAY_MS;
}

/** Collects the differences of levels, which may arrive in any order. */
export async function differencesOf(
  levels: AsyncIterable<LevelSums>,
  corrections: ReadonlyMap<string, ComparedCell>,
): Promise<LevelDifference[]> {
  const cells = new Map<string, Partial<Record<LevelSums["level"], LevelSums>>>();
  for await (const sums of levels) {
    // A level that is the sum of what is below differs from nothing, and takes over what is below it lacks as it is.
    if (isSameSums(sums.stored, sums.below)) continue;
    const key = cellKey(sums.videoId, sums.eventType);
    const known = cells.get(key);
    if (known === undefined) cells.set(key, { [sums.level]: sums });
    else known[sums.level] = sums;
  }
  const found: LevelDifference[] = [];
  for (const [key, byLevel] of cells) {
    // The difference that the next level inherits.
    let lacking: Sums = corrections.get(key) ?? NO_SUMS;
    for (const level of LEVELS) {
      const sums = byLevel[level];
      if (sums === undefined) continue;
      const { videoId, eventType, startMs, stored, below } = sums;
      const expected = sumOf(below, lacking);
      if (!isSameSums(stored, expected) && !isSameSums(stored, below))
        found.push({ level, startMs, videoId, eventType, expected, stored });
      lacking = differenceOf(expected, stored);
    }
  }
  return found;
}

function* chunksOf(values: Iterable<string>, size: number): Generator<string[]> {
  let chunk: string[] = [];
  for (const value of values) {
    chunk.push(value);
    if (chunk.length < size) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}
