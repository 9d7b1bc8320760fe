// SPDX-License-Identifier: Apache-2.0
/**
 * What travels between the transforms of the audit. As in elements.ts: numbers, strings and bytes, under keys that are
 * strings.
 */
import { deserialize, serialize } from "node:v8";
import { toBytes } from "../engine";
import type { WriteOff } from "../io/ports";
import type { Recount, RecountedCell } from "./minute-recount";
import type { Loss } from "./missing-events";

/**
 * A part of a minute to be recounted: all of its ids (`of` = 1), or those whose hash leaves `part` when divided by
 * `of`. `of` = 0: an hour that has stored cells.
 */
export interface AuditUnit {
  minute: number;
  part: number;
  of: number;
  /** About how many events the part has. */
  events: number;
}

export interface AuditOptions {
  /** The audited minutes, half-open: of the hours at both ends the others are not looked at. */
  fromMinute: number;
  toMinute: number;
  /** The units are some minutes that are audited again: of their hours the others are not looked at. */
  isAgain: boolean;
  /**
   * The stream's lateness rule: what it sets aside the audit counts, and settles in the books. -1: the stream counts
   * everything.
   */
  allowedLatenessMs: number;
  /** Minutes that end after this are compared and not corrected: the stream may still count events of theirs. */
  finalBeforeMs: number;
  repair: boolean;
  /** How long, in all units of a worker, the audit waits for a stream that is behind. */
  patienceMs: number;
  /** Of hashes of ids; chosen for each audit, because clients choose the ids. */
  seeds: [number, number];
  /** Ids are looked for again in this many parts, each of which fits into memory. */
  idPartitions: number;
  /** `CounterStore.videoParts`. */
  videoParts: number;
}

/** What one part of a minute's recount found besides its cells. */
export interface RecountBooks {
  minute: number;
  part: number;
  of: number;
  objects: number;
  /** Tells one state of the minute's archive folder from another. */
  objectsKey: string;
  counted: Recount;
  /** Read before the objects were listed. */
  changeSequence: number;
  /** Why the minute cannot be compared; empty where it can. */
  notComparable: string;
  /** Events of messages that are in more than one object, but for the first time. */
  repeated: number;
  /** Accepted events that are in no object, written off or not. */
  missing: number;
  /** Events that are missing for good: everything that was accepted before is archived. */
  loss: Loss;
  writtenOff?: WriteOff;
  /**
   * What the ledger said of a minute whose cells have left the store: the archive has what came after the raw
   * retention, and nothing else.
   */
  rolledBooks?: { archived: number; counted: number; duplicate: number };
  /** An earlier audit has settled the whole minute. */
  wasSettled: boolean;
}

/** Of an hour and a part of the videos: a recount's cells, or its books. */
export interface HourElement {
  minute: number;
  cells?: Uint8Array;
  books?: RecountBooks;
}

/** Two 32-bit hashes of each distinct event's id, of one minute. */
export interface IdBlock {
  minute: number;
  hashes: Uint8Array;
}

export const unitKey = ({ minute, part, of, events }: AuditUnit): string => `${minute} ${part} ${of} ${events}`;

export function unitOf(key: string): AuditUnit {
  const [minute, part, of, events] = key.split(" ").map(Number) as [number, number, number, number];
  return { minute, part, of, events };
}

export const hourKey = (hour: number, videoPart: number): string => `${hour} ${videoPart}`;

export function encodeCells(cells: readonly RecountedCell[]): Uint8Array {
  return serialize({
    videoIds: cells.map(({ videoId }) => videoId),
    eventTypes: cells.map(({ eventType }) => eventType),
    counts: Float64Array.from(cells, ({ count }) => count),
    sums: cells.map(({ sum }) => sum),
    valued: Float64Array.from(cells, ({ valued }) => valued),
    last: Uint16Array.from(cells, ({ lastMsInMinute }) => lastMsInMinute),
  });
}

export interface CellColumns {
  videoIds: string[];
  eventTypes: string[];
  counts: Float64Array;
  sums: bigint[];
  valued: Float64Array;
  last: Uint16Array;
}

export const cellColumns = (bytes: unknown): CellColumns => deserialize(toBytes(bytes)) as CellColumns;

export function* decodeCells({
  videoIds,
  eventTypes,
  counts,
  sums,
  valued,
  last,
}: CellColumns): Generator<RecountedCell> {
  for (const [row, videoId] of videoIds.entries()) {
    yield {
      videoId,
      eventType: eventTypes[row]!,
      count: counts[row]!,
      sum: sums[row]!,
      valued: valued[row]!,
      lastMsInMinute: last[row]!,
    };
  }
}
