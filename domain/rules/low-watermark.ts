// SPDX-License-Identifier: Apache-2.0
/**
 * The low watermark of a log that several processes share: every event accepted before it is in the counters. It is
 * computed from times of acceptance alone, never from minutes of event time: producers timestamp events ahead of and
 * long before their receipt.
 */
import { isCounted, type MinuteBooks } from "./books";

/** A process that says through which time it has done its part; its word counts until its lease ends. */
export interface Mark {
  throughMs: number;
  /** 0: it ended in order, and has nothing left to do. */
  leaseUntilMs: number;
}

/** A minute of which events were accepted that may not be counted yet; the first of them at `sinceMs`. */
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

/** The earliest mark of those whose lease lasts; undefined: no lease lasts. */
export function earliestLiveMark(marks: readonly Mark[], nowMs: number): number | undefined {
  const live = marks.filter(({ leaseUntilMs }) => leaseUntilMs > nowMs);
  return live.length === 0 ? undefined : Math.min(...live.map(({ throughMs }) => throughMs));
}

interface Evidence {
  /** Read before the books. Every message appended before is archived and listed. */
  archivedThroughMs: number;
  /** Read before the books. Every event that an ingest instance accepted before is in its account. */
  bookedThroughMs: number;
  /** Read before the books: the minutes with the earliest `sinceMs`, ascending. */
  open: readonly OpenMinute[];
  /** When the reading of the books began. */
  booksReadAtMs: number;
  /** When the reading of the books ended: what was counted until then may be in the books. */
  booksReadByMs: number;
  /** Of the open minutes; a minute that has no books is left out. */
  books: ReadonlyMap<number, MinuteBooks>;
  /** Earlier states of open minutes, from the evaluation before. */
  observations: ReadonlyMap<number, Observation>;
  /** Of open minutes beyond `open`: none of them was accepted before; undefined: there are no others. */
  othersSinceMs: number | undefined;
}

interface Evaluation<Open extends OpenMinute> {
  /** Every event accepted before is counted, as far as the marks and the open minutes tell. */
  throughMs: number;
  /** When the first event that may not be counted was accepted. */
  heldAtMs: number;
  closed: Open[];
  observations: Map<number, Observation>;
}

/**
 * Equal sums prove nothing while a minute is on the move: the stream may have counted one message that is not archived
 * yet, and not another that is. So a minute is closed when its books are those of an earlier observation, balance, and
 * everything that was appended or accepted before that observation is archived and booked: whatever was counted then is
 * among what is archived now.
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
 * The watermark after an evaluation. A promise once made stays true, so the watermark never falls, but where an event
 * accepted before it turns out not to be counted: then it falls to that event's acceptance.
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
