// SPDX-License-Identifier: Apache-2.0
/**
 * The check of cells that have left the store: the files are what was written, and the hours and days whose lower level
 * is in files are the sums of it. An audit of a range compares the rolled days of its range, and the daily check of
 * totals goes over all files. Nothing is repaired here: nobody can say whether the level or the file is right.
 * docs/decisions/0030-roll-ups.md
 */
import { dueDays, touchesDay } from "../../domain/rules/roll-up-turns";
import { DAY_MS, HOUR_MS, HOURS_A_DAY, MINUTE_MS, MINUTES_AN_HOUR } from "../../domain/rules/time";
import {
  type AuditDifference,
  type CounterStore,
  type LevelSums,
  type RollUp,
  StoreUnavailableError,
} from "../../io/ports";
import { levelDifference } from "../../transforms/compare-hours";
import { differingLevels } from "../../transforms/compare-levels";

export interface RolledFinding {
  cellsCompared: number;
  cellsDiffering: number;
  cellsRepaired: 0;
  differences: AuditDifference[];
  /** The first minute of each file or day that could not be compared, its length in hours, and why. */
  notComparable: { minute: number; hours: number; reason: string }[];
}

/** Roll-ups of at most so many bytes are all looked at whole, each time; of more, those whose turn it is. */
const ALL_BYTES = 64 << 20;
const MAX_LISTED = 1_000;

const nothingFound = (): RolledFinding => ({
  ...{ cellsCompared: 0, cellsDiffering: 0, cellsRepaired: 0, differences: [], notComparable: [] },
});

/**
 * Looks for every roll-up, at its size, and at some or all of them whole; then compares the days of these. `lastMs` is
 * when the check last began: what was due since then is due now.
 */
export async function checkRollUps(
  counters: CounterStore,
  { nowMs, lastMs, allBytes = ALL_BYTES }: { nowMs: number; lastMs: number | undefined; allBytes?: number },
): Promise<RolledFinding> {
  const found = nothingFound();
  const rollUps = (await counters.rollUps?.()) ?? [];
  const bytes = rollUps.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const due = dueDays(nowMs, bytes <= allBytes ? undefined : lastMs);
  const flawed: RollUp[] = [];
  for (const rollUp of rollUps) {
    const isDue = due(Math.floor(rollUp.fromMs / DAY_MS));
    const flaw = await counters.flawOf!(rollUp, isDue ? "whole" : "size");
    if (flaw === undefined) continue;
    flawed.push(rollUp);
    const { fromMs, toMs } = rollUp;
    const missing = { minute: fromMs / MINUTE_MS, hours: (toMs - fromMs) / HOUR_MS, reason: flaw };
    take(found, { ...nothingFound(), notComparable: [missing] });
  }
  for (const day of daysOf(rollUps)) {
    if (!due(day) || flawed.some((one) => touchesDay(one, day))) continue;
    take(found, await compareRolledDay(counters, day, day * HOURS_A_DAY, (day + 1) * HOURS_A_DAY));
  }
  return found;
}

/** Compares the rolled days of a range of minutes: the hours of the range, and the days that it touches. */
export async function compareRolledRange(
  counters: CounterStore,
  { fromMinute, toMinute }: { fromMinute: number; toMinute: number },
): Promise<RolledFinding> {
  const found = nothingFound();
  const [from, to] = [Math.floor(fromMinute / MINUTES_AN_HOUR), Math.ceil(toMinute / MINUTES_AN_HOUR)];
  for (const day of daysOf((await counters.rollUps?.()) ?? [])) {
    const [fromHour, toHour] = [Math.max(from, day * HOURS_A_DAY), Math.min(to, (day + 1) * HOURS_A_DAY)];
    if (fromHour < toHour) take(found, await compareRolledDay(counters, day, fromHour, toHour));
  }
  return found;
}

/**
 * Compares a day, and the hours [fromHour, toHour) of it, with what is below, in both directions: the videos of the
 * roll-ups, and those that have a cell of the day or of an hour in the store. A day that is being rolled up is left
 * out.
 */
async function compareRolledDay(
  counters: CounterStore,
  day: number,
  fromHour: number,
  toHour: number,
): Promise<RolledFinding> {
  const found = nothingFound();
  try {
    const stored = await storedVideos(counters, day);
    const ofDay = new Set<string>();
    const known = new Set<string>();
    for (let hour = fromHour; hour < toHour; hour++) {
      const rolled = await counters.rolledHour!(hour);
      if (rolled?.isRolling === true) return nothingFound();
      const videos = new Set([...(stored.get(hour) ?? []), ...(hour === fromHour ? (stored.get("day") ?? []) : [])]);
      for (let part = 0; rolled !== undefined && part < counters.videoParts; part++)
        for (const videoId of await rolled.videos(part)) videos.add(videoId);
      const compared = await compareHour(counters, hour, videos, { found, ofDay, known });
      found.cellsCompared += compared;
    }
    found.cellsCompared += ofDay.size;
  } catch (error) {
    if (!(error instanceof StoreUnavailableError)) throw error;
    const [minute, hours] = [fromHour * MINUTES_AN_HOUR, toHour - fromHour];
    found.notComparable.push({ minute, hours, reason: error.message });
  }
  return found;
}

/** Returns the number of compared cells of the hour itself. */
async function compareHour(
  counters: CounterStore,
  hour: number,
  videos: ReadonlySet<string>,
  { found, ofDay, known }: { found: RolledFinding; ofDay: Set<string>; known: Set<string> },
): Promise<number> {
  const ofHour = new Set<string>();
  const noted = async function* (sums: AsyncIterable<LevelSums>) {
    for await (const each of sums) {
      const { level, videoId, eventType } = each;
      if (level !== "total") (level === "hour" ? ofHour : ofDay).add(`${videoId} ${eventType}`);
      yield each;
    }
  };
  const levels = (videoIds: readonly string[], of: number) => noted(counters.levels(videoIds, of));
  const read: CounterStore["read"] = (...asked) => counters.read(...asked);
  for await (const each of differingLevels({ levels, read }, videos, hour, new Map())) {
    const { level, startMs, videoId, eventType } = each;
    const before = known.size;
    if (level === "total" || known.add(`${level} ${startMs} ${videoId} ${eventType}`).size === before) continue;
    found.cellsDiffering++;
    if (found.differences.length < MAX_LISTED) found.differences.push(levelDifference(each));
  }
  return ofHour.size;
}

/** Returns the videos with stored cells of a day and of its hours: a cell that nothing below accounts for is found. */
async function storedVideos(counters: CounterStore, day: number): Promise<Map<number | "day", Set<string>>> {
  const videos = new Map<number | "day", Set<string>>();
  for (const level of ["day", "hour"] as const) {
    for await (const { videoId, startMs } of counters.derivedCells(level, day * DAY_MS, (day + 1) * DAY_MS)) {
      const place = level === "day" ? level : startMs / HOUR_MS;
      const known = videos.get(place);
      if (known === undefined) videos.set(place, new Set([videoId]));
      else known.add(videoId);
    }
  }
  return videos;
}

/** Returns the days with minutes in roll-ups, ascending. The hours of no other day are in roll-ups. */
function daysOf(rollUps: readonly RollUp[]): number[] {
  const days = new Set<number>();
  for (const { level, fromMs, toMs } of rollUps) {
    if (level !== "minute") continue;
    for (let day = Math.floor(fromMs / DAY_MS); day * DAY_MS < toMs; day++) days.add(day);
  }
  return [...days].sort((a, b) => a - b);
}

function take(
  found: RolledFinding,
  { cellsCompared, cellsDiffering, differences, notComparable }: RolledFinding,
): void {
  found.cellsCompared += cellsCompared;
  found.cellsDiffering += cellsDiffering;
  found.differences.push(...differences.slice(0, MAX_LISTED - found.differences.length));
  found.notComparable.push(...notComparable.slice(0, MAX_LISTED - found.notComparable.length));
}
