// SPDX-License-Identifier: Apache-2.0
import type { WriteOff } from "../../domain/rules/ledger-books";

export interface AuditReport {
  id: string;
  startedAtMs: number;
  durationMs: number;
  fromMs: number;
  toMs: number;
  repair: boolean;
  runner: string;
  outcome: "equal" | "repaired" | "differences" | "not-comparable";
  objectsRead: number;
  events: number;
  distinctEvents: number;
  cellsCompared: number;
  cellsDiffering: number;
  cellsRepaired: number;
  /** Events whose id another event of the range has, too. */
  reusedEventIds: number;
  /** The ids that are used most often, at most 20; absent in older reports. */
  reusedIds?: ReusedEventId[];
  /** Events that the stream sets aside and the audit counts. */
  lateEvents: number;
  /** A check of every total against its days, and of no range. */
  totals?: boolean;
  /**
   * Accepted events that are in no archive although all that was accepted before is archived, by minute; absent where
   * there are none. At most 1,000 are listed. Their minutes are not comparable until an operator writes them off.
   */
  losses?: FoundLoss[];
  /**
   * Losses of the range that were written off before the audit, as far as they still are losses; absent where there are
   * none.
   */
  writtenOff?: WriteOff[];
  /**
   * Minutes that could not be compared, each with its reason (unreadable object, archive gap). At most 1,000 are
   * listed.
   */
  notComparable: { minute: number; reason: string }[];
  /** At most 1,000 are listed; `cellsDiffering` counts all. */
  differences: AuditDifference[];
}

export interface FoundLoss {
  minute: number;
  /** Accepted events that are missing, without those that were written off before. */
  events: number;
  /**
   * Objects that are listed and that the archive does not have; most often none: the events were lost before they were
   * archived.
   */
  objects: string[];
}

export interface ReusedEventId {
  eventId: string;
  /** Events of the range that have it. */
  times: number;
  /** Some of them. */
  places: { minute: number; videoId: string; eventType: string }[];
}

export interface AuditDifference {
  level: "minute" | "hour" | "day" | "total";
  videoId: string;
  eventType: string;
  startMs: number;
  archiveCount: number;
  storedCount: number;
  /** Decimal strings: exact beyond 2^53. */
  archiveSum: string;
  storedSum: string;
  /** Events that have a value; absent in reports of before cells knew it. */
  archiveValued?: number;
  storedValued?: number;
}
