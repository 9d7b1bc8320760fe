// SPDX-License-Identifier: Apache-2.0
import { setImmediate as nextTurn } from "node:timers/promises";
import { DAY_MS, MINUTE_MS } from "../../domain/rules/time";
import type { CounterStore, RollUp, VideoCount } from "../ports";
import { cellsOf, overlaps, type RollUpReader } from "./roll-up-reader";

interface Range {
  fromMs: number;
  toMs: number;
}

/**
 * Ranks a range (whole minutes) whose ends need cells that left the store. The counts are added up from whole days,
 * which never leave the store, and from the minutes at both ends. Returns undefined where no roll-up is needed.
 * Rankings over the past call it (tiered-reads.ts).
 */
export async function coldTop(
  store: Pick<CounterStore, "top" | "minuteCells">,
  rollUps: readonly RollUp[],
  reader: RollUpReader,
  asked: Range & { eventType: string; limit: number },
): Promise<VideoCount[] | undefined> {
  const { eventType, fromMs, toMs, limit } = asked;
  const days = { fromMs: Math.ceil(fromMs / DAY_MS) * DAY_MS, toMs: Math.floor(toMs / DAY_MS) * DAY_MS };
  const hasDays = days.fromMs < days.toMs;
  const around = [
    { fromMs, toMs: days.fromMs },
    { fromMs: days.toMs, toMs },
  ].filter((one) => one.fromMs < one.toMs);
  const ends = hasDays ? around : [{ fromMs, toMs }];
  const minutes = rollUps.filter((one) => ends.some((end) => overlaps(one, { level: "minute", ...end })));
  if (minutes.length === 0) return undefined;
  const counts = new Map<string, number>();
  const add = (videoId: string, count: number) => counts.set(videoId, (counts.get(videoId) ?? 0) + count);
  if (hasDays) {
    const ranked = await store.top(eventType, days.fromMs, days.toMs, Number.MAX_SAFE_INTEGER);
    for (const { videoId, count } of ranked) add(videoId, count);
  }
  for (const end of ends) await addStored(store, eventType, end, add);
  for (const rollUp of minutes) {
    for (const cell of cellsOf(await reader.all(rollUp))) {
      const isAsked = ends.some((end) => cell.startMs >= end.fromMs && cell.startMs < end.toMs);
      if (isAsked && cell.eventType === eventType) add(cell.videoId, cell.count);
    }
  }
  return [...counts]
    .map(([videoId, count]) => ({ videoId, count }))
    .sort((a, b) => b.count - a.count || (a.videoId < b.videoId ? -1 : 1))
    .slice(0, limit);
}

async function addStored(
  store: Pick<CounterStore, "minuteCells">,
  eventType: string,
  { fromMs, toMs }: Range,
  add: (videoId: string, count: number) => void,
): Promise<void> {
  for await (const minute of store.minuteCells(fromMs / MINUTE_MS, toMs / MINUTE_MS)) {
    const type = minute.types.indexOf(eventType);
    for (let row = 0; row < minute.counts.length; row++) {
      if (minute.typeIndex[row] === type) add(minute.videos[minute.videoIndex[row]!]!, minute.counts[row]!);
    }
    await nextTurn();
  }
}
