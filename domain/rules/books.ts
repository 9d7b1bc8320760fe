// SPDX-License-Identifier: Apache-2.0
/**
 * The books of one minute of event time (invariant I4 of docs/guarantees.md): every accepted event is archived or
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

/** Whose word it is that events were accepted. */
export interface Acceptance {
  /** By the accounts of the ingest instances, which answered 202. */
  promised: number;
  /** By the messages of ingest instances that reached the archive. */
  declared: number;
  /** Events of direct producers, which no ingest instance answered for. */
  direct: number;
  backfilled: number;
}

/**
 * Two hands keep the account of what came through the write API: the instance that answered and the message that was
 * archived. The larger number stands. More promised than declared: a message is on its way, or lost. More declared than
 * promised: an instance ended before it booked its last second, or an append of unknown outcome was written after all.
 */
export function acceptedOf({ promised, declared, direct, backfilled }: Acceptance): number {
  return Math.max(promised, declared) + direct + backfilled;
}

/** Events that only their messages declare, in a minute for which instances keep accounts. */
export function unbookedOf({ promised, declared }: Pick<Acceptance, "promised" | "declared">): number {
  return promised === 0 ? 0 : Math.max(0, declared - promised);
}

/** A written-off event that turns up in the archive after all is not lost. */
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

/** Balanced, and nothing waits for an audit: every accepted event is in the counters. */
export function isCounted(books: MinuteBooks): boolean {
  return books.late === 0 && isBalanced(books);
}

/** What an audit with repair has counted of a minute. */
export interface Settled {
  counted: number;
  duplicate: number;
  /**
   * Events of the archive that the audit counted: `counted` and `duplicate` are all of these, and the stream's own
   * numbers say nothing any more, because no write of the stream can raise a cell that was corrected. Absent: an
   * earlier release counted the stream's late events alone.
   */
  archived?: number;
}

/**
 * The stream's numbers with those of the newest audit: what was settled waits no longer, and what was archived since
 * waits for the next audit.
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
