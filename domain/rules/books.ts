// SPDX-License-Identifier: Apache-2.0
/**
 * The balance of a minute. The ledger's adapters judge the minutes that they store by these rules, and so do the low
 * watermark and the audit.
 */

/**
 * The books of one minute of event time (invariant I4 of docs/invariants.md): every accepted event is archived or
 * written off as lost, and every archived event is counted, a duplicate, or waits for the next audit because it was
 * received late.
 */
export interface MinuteBooks {
  accepted: number;
  /** Events in the archive, repeats included. */
  archived: number;
  counted: number;
  duplicate: number;
  /** Events that the stream set aside as received late and that no audit has settled yet. */
  late: number;
  /** Accepted events that an audit found in no archive and an operator has written off. */
  lost: number;
}

/** The sources that say how many events were accepted. */
export interface Acceptance {
  /** Events in the accounts of the ingest instances that answered 202. */
  promised: number;
  /** Events that messages of ingest instances declare, counted in the archived messages. */
  declared: number;
  /** Events of direct producers, for which no ingest instance answered. */
  direct: number;
  backfilled: number;
}

/**
 * Returns the accepted events. Two sources count the events of the write API: the instance that answered, and the
 * message that was archived. The larger number stands. Where more is promised than declared, a message is on its way or
 * lost. Where more is declared than promised, an instance ended before it booked its last second, or an append of
 * unknown outcome was written after all.
 */
export function acceptedOf({ promised, declared, direct, backfilled }: Acceptance): number {
  return Math.max(promised, declared) + direct + backfilled;
}

/** Returns the events that only messages declare, in a minute for which instances keep accounts. */
export function unbookedOf({ promised, declared }: Pick<Acceptance, "promised" | "declared">): number {
  return promised === 0 ? 0 : Math.max(0, declared - promised);
}

/** Returns the lost events. A written-off event that is in the archive after all is not lost. */
export function lostOf({ accepted, archived }: Pick<MinuteBooks, "accepted" | "archived">, writtenOff: number): number {
  return Math.max(0, Math.min(writtenOff, accepted - archived));
}

export function isBalanced({ accepted, archived, counted, duplicate, late, lost }: MinuteBooks): boolean {
  return accepted === archived + lost && archived === counted + duplicate + late;
}

/** Every event of the archive is counted or a duplicate, whatever was accepted beside. */
export function isArchiveCounted({ archived, counted, duplicate }: Omit<MinuteBooks, "accepted" | "late" | "lost">) {
  return archived === counted + duplicate;
}

/** Returns whether the books balance and no event waits for an audit: every accepted event is in the counters. */
export function isCounted(books: MinuteBooks): boolean {
  return books.late === 0 && isBalanced(books);
}

/** The numbers that an audit with repair has counted for a minute. */
export interface Settled {
  counted: number;
  duplicate: number;
  /**
   * Archived events that the audit counted, as `counted` or as `duplicate`. The stream's own numbers no longer matter
   * then, because no write of the stream can raise a corrected cell. Absent in records of an earlier release, whose
   * audits counted the stream's late events alone.
   */
  archived?: number;
}

/**
 * Combines the stream's numbers with those of the newest audit. Settled events wait no longer; events archived since
 * the audit wait for the next one.
 */
export function withSettled<Books extends Pick<MinuteBooks, "archived" | "counted" | "duplicate" | "late">>(
  books: Books,
  { counted, duplicate, archived }: Settled,
): Books {
  if (archived !== undefined) return { ...books, counted, duplicate, late: Math.max(0, books.archived - archived) };
  return {
    ...books,
    counted: books.counted + counted,
    duplicate: books.duplicate + duplicate,
    late: Math.max(0, books.late - counted - duplicate),
  };
}
