// SPDX-License-Identifier: Apache-2.0
/**
 * Losses of a minute: accepted events that no object of the archive has. The recount computes them, and the audit's
 * report and the write-off of losses use them.
 */
import { isBackfilled } from "../domain/archive-name";
import { isArchiveCounted, lostOf } from "../domain/rules/books";
import { MinuteObjectSums } from "../domain/rules/ledger-books";
import type { ArchivedObject, WriteOff } from "../io/ports";
import type { MinuteReads } from "./hour-reads";

/** Accepted events that are in no object of the archive. */
export interface Loss {
  /** The number of these events, without those written off before. */
  events: number;
  /** Objects that are listed and missing in the archive. */
  objects: string[];
}

interface MissingEvents {
  /**
   * Why the minute cannot be compared: a repair from an incomplete archive would lose events. Empty where nothing is
   * missing.
   */
  gap: string;
  /** Whether the archive has objects that no ledger lists. */
  isUnlisted: boolean;
  /** Events of messages that are in more than one object, counted from the second object on. */
  repeated: number;
  /** Accepted events that are in no object, written off or not. */
  missing: number;
  loss: Loss;
  writtenOff?: WriteOff;
  wasSettled: boolean;
  /** Whether counted + duplicate of the books is something else than archived. */
  isUnbalanced: boolean;
}

export const NO_LOSS: Loss = { events: 0, objects: [] };

/**
 * Compares the promises of a minute with its objects. `eventsOf` says how many events each object has; of a leftover,
 * how many it has alone.
 */
export function missingOf(
  { accepted, listed, books }: Pick<MinuteReads, "accepted" | "listed" | "books">,
  eventsOf: ReadonlyMap<string, number>,
): MissingEvents {
  const { damage, absent } = listingGaps(listed, eventsOf);
  const repeated = repeatedEvents(listed, eventsOf);
  let archived = -repeated;
  for (const [name, events] of eventsOf) if (!isBackfilled(name)) archived += events;
  const missing = Math.max(0, accepted - archived);
  const writtenOff = books?.writtenOff;
  const known = lostOf({ accepted, archived }, writtenOff?.events ?? 0);
  const names = new Set(listed.map(({ name }) => name));
  const isUnlisted = [...eventsOf.keys()].some((name) => !names.has(name));
  const loss = damage === "" ? { events: missing - known, objects: absent.map(({ name }) => name) } : NO_LOSS;
  const gap = damage || absentText(absent) || missingText(accepted, archived, known);
  const wasSettled = books?.isSettled ?? false;
  const isUnbalanced = books !== undefined && !isArchiveCounted(books);
  const settled = { wasSettled, isUnbalanced, ...(writtenOff !== undefined && { writtenOff }) };
  return { gap, isUnlisted, repeated, missing, loss, ...settled };
}

/**
 * Returns the stored objects that no ledger lists, of a minute whose log may deliver a message twice. Their archiver
 * was stopped before it listed them, and the log delivered their messages again. They must not fill the gap of a
 * message that is lost.
 */
export function leftoversOf({ objects, listed }: Pick<MinuteReads, "objects" | "listed">): Set<string> {
  if (!listed.some(({ messages }) => messages !== undefined)) return new Set();
  const names = new Set(listed.map(({ name }) => name));
  return new Set(objects.flatMap(({ name }) => (names.has(name) || isBackfilled(name) ? [] : [name])));
}

/**
 * Describes the differences between the archive and the listing: absent objects, and other damage, which cannot be
 * written off as a loss.
 */
function listingGaps(listed: readonly ArchivedObject[], eventsOf: ReadonlyMap<string, number>) {
  const absent: ArchivedObject[] = [];
  let damage = "";
  for (const object of listed) {
    const { name, events, sizeBytes } = object;
    const found = eventsOf.get(name);
    // Either a backfill listed the object, was stopped before it wrote the object, and undid the listing; or the object
    // is lost and written off.
    if (found === events || (found === undefined && sizeBytes === 0)) continue;
    // The remedy for a lost object of a backfill is to run the backfill again.
    if (found === undefined && !isBackfilled(name)) absent.push(object);
    else damage ||= found === undefined ? absentText([object]) : `${name}: listed with ${events} events, has ${found}`;
  }
  return { damage, absent };
}

function repeatedEvents(listed: readonly ArchivedObject[], eventsOf: ReadonlyMap<string, number>): number {
  const sums = new MinuteObjectSums();
  let found = 0;
  for (const object of listed) {
    if (object.messages === undefined || !eventsOf.has(object.name)) continue;
    sums.add(object);
    found += object.events;
  }
  return found - sums.archived;
}

const absentText = ([object]: readonly ArchivedObject[]): string =>
  object === undefined ? "" : `${object.name}: listed with ${object.events} events, but not in the archive`;

function missingText(accepted: number, archived: number, writtenOff: number): string {
  if (accepted <= archived + writtenOff) return "";
  const known = writtenOff > 0 ? `, ${writtenOff} written off` : "";
  return `${accepted} events accepted, ${archived} in the archive${known}`;
}
