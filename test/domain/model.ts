// SPDX-License-Identifier: Apache-2.0
/** The plainest model of counting: Sets and Maps of strings and bigints. Tests compare the fast code with it. */

import fc from "fast-check";
import { type EventColumns, EventColumnsBuilder } from "../../domain/columns/event-columns";
import type { MinuteCounts } from "../../domain/columns/minute-counts";
import { minuteOf, type VideoEvent } from "../../domain/event";
import { MINUTE_MS } from "../../domain/rules/time";

export interface ModelCell {
  count: number;
  sum: bigint;
  /** Distinct events that have a value. */
  valued: number;
  lastMs: number;
}

/** `minute videoId eventType` -> cell. */
export type ModelCells = Map<string, ModelCell>;

export function modelCells(events: readonly VideoEvent[]): ModelCells {
  const largest = new Map<string, bigint | undefined>();
  const cells: ModelCells = new Map();
  for (const { eventId, videoId, eventType, eventTimeMs, value } of events) {
    const minute = minuteOf(eventTimeMs);
    const name = `${minute} ${videoId} ${eventType}`;
    const cell = cells.get(name) ?? { count: 0, sum: 0n, valued: 0, lastMs: 0 };
    cells.set(name, cell);
    cell.lastMs = Math.max(cell.lastMs, eventTimeMs - minute * MINUTE_MS);
    const event = `${name} ${eventId}`;
    if (!largest.has(event)) {
      cell.count++;
      largest.set(event, undefined);
    }
    const before = largest.get(event);
    if (value === undefined || (before !== undefined && BigInt(value) <= before)) continue;
    if (before === undefined) cell.valued++;
    cell.sum += BigInt(value) - (before ?? 0n);
    largest.set(event, BigInt(value));
  }
  return cells;
}

/** Ids that stand for further (video, type) pairs within their minute, each further one counted. */
export function modelReusedIds(events: readonly VideoEvent[]): number {
  const pairs = new Map<string, Set<string>>();
  for (const { eventId, videoId, eventType, eventTimeMs } of events) {
    const id = `${minuteOf(eventTimeMs)} ${eventId}`;
    pairs.set(id, (pairs.get(id) ?? new Set()).add(`${videoId} ${eventType}`));
  }
  let reused = 0;
  for (const each of pairs.values()) reused += each.size - 1;
  return reused;
}

/** MinuteCounts as model cells. Throws where a (video, type) has two rows, or a sum is not canonical. */
export function cellsOf(counts: Iterable<MinuteCounts>): ModelCells {
  const cells: ModelCells = new Map();
  for (const part of counts) {
    for (let row = 0; row < part.counts.length; row++) {
      const name = `${part.minute} ${part.videos[part.videoIndex[row]!]} ${part.types[part.typeIndex[row]!]}`;
      if (cells.has(name)) throw new Error(`two rows for ${name}`);
      const [high, low] = [part.sumHigh[row]!, part.sumLow[row]!];
      if (!(low >= 0 && low < 2 ** 32)) throw new Error(`low part of the sum of ${name} is ${low}`);
      const sum = BigInt(high) * 2n ** 32n + BigInt(low);
      cells.set(name, { count: part.counts[row]!, sum, valued: part.valued[row]!, lastMs: part.lastMsInMinute[row]! });
    }
  }
  return cells;
}

export function columnsOf(events: readonly VideoEvent[]): EventColumns {
  const builder = new EventColumnsBuilder();
  for (const event of events) builder.add(event);
  return builder.build();
}

const EDGE_VALUES = [
  0,
  1,
  -1,
  2 ** 31,
  -(2 ** 31),
  2 ** 32 - 1,
  2 ** 32,
  Number.MAX_SAFE_INTEGER,
  -Number.MAX_SAFE_INTEGER,
];

const anyValue = fc.oneof(fc.constantFrom(...EDGE_VALUES), fc.maxSafeInteger(), fc.integer({ min: -9, max: 9 }));
export const printable = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
  minLength: 1,
  maxLength: 128,
});
const anyEventId = fc.oneof(
  fc.uuid(),
  printable,
  fc.uuid().map((id) => id.toUpperCase()),
  fc.constantFrom("a", "b", "0190a0a0-0000-7000-8000-000000000001"),
);
export const anyVideoId = fc.stringMatching(/^[A-Za-z0-9_\-.:/]{1,128}$/);
const anyType = fc.oneof(fc.constantFrom("VIEW", "LIKE", "SHARE"), fc.stringMatching(/^[A-Z][A-Z0-9_]{0,31}$/));
const anyExtra = fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true });

/** Any event the contract allows. */
export const anyEvent: fc.Arbitrary<VideoEvent> = fc
  .record(
    {
      eventId: anyEventId,
      videoId: anyVideoId,
      eventType: anyType,
      eventTimeMs: fc.integer({ min: 0, max: 8.64e15 }),
      value: anyValue,
      extra: anyExtra,
    },
    { requiredKeys: ["eventId", "videoId", "eventType", "eventTimeMs"] },
  )
  .map(withoutNegativeZero);

function withoutNegativeZero(event: VideoEvent): VideoEvent {
  return { ...event, ...(event.extra === undefined ? {} : { extra: JSON.parse(JSON.stringify(event.extra)) }) };
}

export const T0 = Date.UTC(2026, 10, 21, 10, 0);

/**
 * Events that meet each other: few ids, videos, types, minutes and values, so that repeats and reused ids are common.
 */
export const meetingEvent: fc.Arbitrary<VideoEvent> = fc.record(
  {
    eventId: fc.oneof(
      fc.integer({ min: 0, max: 12 }).map((n) => `0190a0a0-0000-7000-8000-${String(n).padStart(12, "0")}`),
      fc.integer({ min: 0, max: 6 }).map((n) => `id-${n}`),
    ),
    videoId: fc.integer({ min: 0, max: 4 }).map((n) => `video-${n}`),
    eventType: fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom("VIEW", "LIKE") },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 15 }).map((n) => `TYPE_${n}`) },
    ),
    eventTimeMs: fc.oneof(
      fc.integer({ min: T0, max: T0 + 3 * MINUTE_MS - 1 }),
      fc.constantFrom(T0, T0 + 59_999, T0 + 60_000),
    ),
    value: anyValue,
  },
  { requiredKeys: ["eventId", "videoId", "eventType", "eventTimeMs"] },
);
