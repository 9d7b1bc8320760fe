// SPDX-License-Identifier: Apache-2.0
/**
 * The low watermark of a log that several processes share: every event accepted before it is in the counters. It is
 * computed from times of acceptance alone, never from minutes of event time: producers timestamp events ahead of and
 * long before their receipt. The ledger of a cluster keeps the watermark (io/cluster/low-watermark.ts), and freshness
 * is told from it.
 */
import { isCounted, type MinuteBooks } from "./books";

/** The time through which a process has done its part. The mark is valid until its lease ends. */
export interface Mark {
  throughMs: number;
  /** The end of the lease; 0 after the process has ended in order and has nothing left to do. */
  leaseUntilMs: number;
}

/**
 * A minute that may have accepted events which are not counted yet; `sinceMs` is the acceptance of the first of them.
 */
export interface OpenMinute {
  minute: number;
  sinceMs: number;
}

/** The books of a minute as they were at a time. */
export interface Observation {
  /** When they had been read. */
  atMs: number;
  books: MinuteBooks;
}

/** Returns the earliest mark with a lease that lasts, or undefined where no lease lasts. */
export function earliestLiveMark(marks: readonly Mark[], nowMs: number): number | undefined {
  const live = marks.filter(({ leaseUntilMs }) => leaseUntilMs > nowMs);
  return live.length === 0 ? undefined : Math.min(...live.map(({ throughMs }) => throughMs));
}

interface Evidence {
  /** Every message appended before this time is archived and listed. Read before the books. */
  archivedThroughMs: number;
  /**
   * Every event that an ingest instance accepted before this time is in the instance's account. Read before the books.
   */
  bookedThroughMs: number;
  /** The minutes with the earliest `sinceMs`, ascending. Read before the books. */
  open: readonly OpenMinute[];
  /** When the reading of the books began. */
  booksReadAtMs: number;
  /** When the reading of the books ended: what was counted until then may be in the books. */
  booksReadByMs: number;
  /** The books of the open minutes; a minute without books is left out. */
  books: ReadonlyMap<number, MinuteBooks>;
  /** Earlier states of open minutes, from the evaluation before. */
  observations: ReadonlyMap<number, Observation>;
  /**
   * No event of the open minutes beyond `open` was accepted before this time; undefined where `open` holds all of them.
   */
  othersSinceMs: number | undefined;
}

interface Evaluation<Open extends OpenMinute> {
  /** Every event accepted before this time is counted, as far as the marks and the open minutes tell. */
  throughMs: number;
  /** The acceptance of the first event that may not be counted. */
  heldAtMs: number;
  closed: Open[];
  observations: Map<number, Observation>;
}

/**
 * Computes the low watermark. Equal sums prove nothing while a minute is changing: the stream may have counted one
 * message that is not archived yet, and missed another one that is archived. So a minute closes under three conditions:
 * its books balance, they equal those of an earlier observation, and everything that was appended or accepted before
 * that observation is archived and booked. Every event counted at the observation is then among the archived events of
 * now.
 */
export function evaluate<Open extends OpenMinute>(
  evidence: Omit<Evidence, "open"> & { open: readonly Open[] },
): Evaluation<Open> {
  const { archivedThroughMs, bookedThroughMs, open, booksReadAtMs, booksReadByMs, books, othersSinceMs } = evidence;
  const doneMs = Math.min(archivedThroughMs, bookedThroughMs);
  const observations = new Map<number, Observation>();
  const closed: Open[] = [];
  let heldAtMs = othersSinceMs ?? Number.POSITIVE_INFINITY;
  for (const one of open) {
    const found = books.get(one.minute) ?? NO_BOOKS;
    const before = evidence.observations.get(one.minute);
    const seen =
      before !== undefined && sameBooks(before.books, found) ? before : { atMs: booksReadByMs, books: found };
    if (isCounted(found) && seen.atMs <= doneMs) closed.push(one);
    else {
      observations.set(one.minute, seen);
      heldAtMs = Math.min(heldAtMs, one.sinceMs);
    }
  }
  return { throughMs: Math.min(doneMs, heldAtMs, booksReadAtMs), heldAtMs, closed, observations };
}

/**
 * Returns the watermark after an evaluation. The watermark never falls, because a promise once made stays true, with
 * one exception: an event accepted before the watermark turns out not to be counted. Then the watermark falls to that
 * event's acceptance.
 */
export function advanced(
  beforeMs: number,
  { throughMs, heldAtMs }: Pick<Evaluation<OpenMinute>, "throughMs" | "heldAtMs">,
) {
  return Math.min(Math.max(beforeMs, throughMs), heldAtMs);
}

const NO_BOOKS: MinuteBooks = { accepted: 0, archived: 0, counted: 0, duplicate: 0, late: 0, lost: 0 };

function sameBooks(a: MinuteBooks, b: MinuteBooks): boolean {
  return (
    a.accepted === b.accepted &&
    a.archived === b.archived &&
    a.counted === b.counted &&
    a.duplicate === b.duplicate &&
    a.late === b.late &&
    a.lost === b.lost
  );
}
