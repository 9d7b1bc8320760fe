// SPDX-License-Identifier: Apache-2.0
/**
 * The elements between the transforms of the audit. Like those of elements.ts they are numbers, strings and bytes,
 * under keys that are strings.
 */
import type { WriteOff } from "../io/ports";
import type { Recount } from "./minute-recount";
import type { Loss } from "./missing-events";

/**
 * A part of a minute to be recounted. `of` = 1: all ids of the minute. `of` > 1: the ids whose hash leaves `part` when
 * divided by `of`. `of` = 0: no minute, but an hour that has stored cells.
 */
export interface AuditUnit {
  minute: number;
  part: number;
  of: number;
  /** The approximate number of events of the part. */
  events: number;
}

export interface AuditOptions {
  /** The audited minutes, half-open. Other minutes of the first and the last hour are skipped. */
  fromMinute: number;
  toMinute: number;
  /** The units are a few minutes that are audited again. Other minutes of their hours are skipped. */
  isAgain: boolean;
  /**
   * The lateness rule of the stream. The audit counts the events that the rule sets aside, and settles them in the
   * books. -1: the stream counts every event.
   */
  allowedLatenessMs: number;
  /**
   * The audit compares minutes that end after this time and corrects none of them, because the stream may still count
   * events of theirs.
   */
  finalBeforeMs: number;
  repair: boolean;
  /** How long the audit waits for a stream that is behind, added up over all units of a worker. */
  patienceMs: number;
  /** Seeds of the hashes of ids, new for each audit, because clients choose the ids. */
  seeds: [number, number];
  /** The number of partitions in which reused ids are looked for. Each of them fits into memory. */
  idPartitions: number;
  /** As `CounterStore.videoParts`. */
  videoParts: number;
}

/** The results of one part of a minute's recount, apart from its cells. */
export interface RecountBooks {
  minute: number;
  part: number;
  of: number;
  objects: number;
  /** Identifies the state of the minute's archive folder. */
  objectsKey: string;
  counted: Recount;
  /** The change sequence as read before the objects were listed. */
  changeSequence: number;
  /** Why the minute cannot be compared; empty where it can. */
  notComparable: string;
  /** Events of messages that are in more than one object, listed or not, counted from the second object on. */
  repeated: number;
  /** Accepted events that are in no object, written off or not. */
  missing: number;
  /** Events that are missing for good, because every message accepted before is archived. */
  loss: Loss;
  writtenOff?: WriteOff;
  /**
   * The numbers of a minute whose cells have left the store. The archive then holds the events received after the raw
   * retention, and no others. `archived`: by the ledger, both together. `counted`: by the roll-ups; absent where no
   * event was received later.
   */
  rolledBooks?: { archived: number; counted?: number };
  /** Whether an earlier audit has settled the whole minute. */
  wasSettled: boolean;
  /** Whether counted + duplicate of the books was something else than archived. */
  isUnbalanced: boolean;
}

/** The cells of a recount, or its books, for an hour and a part of the videos. */
export interface HourElement {
  minute: number;
  cells?: Uint8Array;
  books?: RecountBooks;
}

/** Two 32-bit hashes of the id of each distinct event of one minute. */
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
