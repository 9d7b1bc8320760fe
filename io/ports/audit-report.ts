// SPDX-License-Identifier: Apache-2.0
/**
 * The report of an audit: what was looked at, what differed, and what was lost. The audit stores it, and GET /v1/audits
 * and `viewmill audit` show it.
 */
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
  /** Set on a report of the check of every total against its days, which has no range. */
  totals?: boolean;
  /**
   * Accepted events that are in no archive although every message accepted before is archived, by minute; absent where
   * there are none. At most 1,000 are listed. Their minutes are not comparable until an operator writes them off.
   */
  losses?: FoundLoss[];
  /** Losses of the range that were written off before the audit and are still missing; absent where there are none. */
  writtenOff?: WriteOff[];
  /**
   * Minutes that could not be compared, each with its reason (unreadable object, archive gap). At most 1,000 are
   * listed.
   */
  notComparable: { minute: number; reason: string }[];
  /** At most 1,000 differences are listed; `cellsDiffering` counts all. */
  differences: AuditDifference[];
}

export interface FoundLoss {
  minute: number;
  /** Accepted events that are missing, without those written off before. */
  events: number;
  /**
   * Listed objects that the archive does not have. The list is usually empty, because events are most often lost before
   * they are archived.
   */
  objects: string[];
}

export interface ReusedEventId {
  eventId: string;
  /** The number of events of the range with this id. */
  times: number;
  /** Some of the places of these events. */
  places: { minute: number; videoId: string; eventType: string }[];
}

export interface AuditDifference {
  level: "minute" | "hour" | "day" | "total";
  videoId: string;
  eventType: string;
  startMs: number;
  archiveCount: number;
  storedCount: number;
  /** A decimal string, exact beyond 2^53. */
  archiveSum: string;
  storedSum: string;
  /** Events that have a value; absent in reports from before cells kept that number. */
  archiveValued?: number;
  storedValued?: number;
}
