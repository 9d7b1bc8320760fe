// SPDX-License-Identifier: Apache-2.0
/** Some events of rolled and young days, and every cell that is read of them. */
import fc from "fast-check";
import type { VideoEvent } from "../../domain/event";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../domain/rules/time";
import type { Granularity } from "../../io/ports";
import type { TierHarness } from "./tier-harness";

export const VIDEOS = ["a", "b/c", "video-with-a-long-name", "z"];
const TYPES = ["VIEW", "LIKE"];
/** Two days that are past the retention of minutes on 2026-11-29, and one that is not. */
export const OLD = Date.parse("2026-10-20T00:00:00Z");
export const YOUNG = Date.parse("2026-11-20T00:00:00Z");
const LEVELS: readonly Granularity[] = ["minute", "hour", "day"];

let ids = 0;
export const eventOf = ([day, minute, video, type, value]: [
  number,
  number,
  number,
  number,
  number | undefined,
]): VideoEvent => ({
  eventId: `event-${++ids}`,
  videoId: VIDEOS[video]!,
  eventType: TYPES[type]!,
  eventTimeMs: (day === 2 ? YOUNG : OLD + day * DAY_MS) + minute * MINUTE_MS + (ids % 60_000),
  ...(value === undefined ? {} : { value }),
});
const someEvent = fc
  .tuple(
    fc.integer({ min: 0, max: 2 }),
    fc.constantFrom(0, 61, 62, 119, 1439),
    fc.nat(VIDEOS.length - 1),
    fc.nat(TYPES.length - 1),
    fc.option(fc.integer({ min: -(2 ** 53) + 1, max: 2 ** 53 - 1 }), { nil: undefined }),
  )
  .map(eventOf);
export const someEvents = (maxLength: number) => fc.array(someEvent, { minLength: 1, maxLength });

export async function allCells(harness: TierHarness) {
  const levels: Record<string, unknown> = {};
  for (const level of LEVELS) levels[level] = await harness.cells(VIDEOS, TYPES, level, OLD, YOUNG + DAY_MS);
  for (const video of VIDEOS) levels[`total ${video}`] = await harness.counters.totals(video);
  levels.top = await harness.counters.top("VIEW", OLD + 7 * HOUR_MS, YOUNG + 3 * HOUR_MS, 10);
  return levels;
}
