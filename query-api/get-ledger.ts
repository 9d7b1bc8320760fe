// SPDX-License-Identifier: Apache-2.0
/** The books, minute by minute: the endpoint, and the readers of the books that the live hub and the alerts share. */
import { isBalanced, lostOf, type MinuteBooks, unbookedOf } from "../domain/rules/books";
import { DAY_MS, MINUTE_MS } from "../domain/rules/time";
import type { LedgerMinute } from "../io/ports";
import { countersJson, refused } from "./answer";
import { PROVISIONAL_CACHE } from "./bucket-state";
import type { QueryDependencies } from "./dependencies";
import { type Endpoint, endpoint } from "./endpoint";
import { readFreshness } from "./freshness";
import { nextTurn } from "./next-turn";
import { invalid } from "./problem";
import { effectiveRange, type Range, timeText } from "./range";
import { ledgerAsked, ledgerSchema } from "./schemas";

const MAX_RANGE_MS = 31 * DAY_MS;
/** The number of minutes read at a time, so that a month of books delays no other request. */
const MINUTES_AT_ONCE = 360;

interface BookSources {
  ledger: Pick<QueryDependencies["ledger"], "books">;
  progress: Pick<QueryDependencies["progress"], "accepted">;
}

type Books = MinuteBooks & Pick<LedgerMinute, "direct" | "backfilled" | "writtenOff"> & { unbooked: number };

/** GET /v1/ledger: the place of every accepted event, minute by minute of event time. */
export function getLedger(dependencies: QueryDependencies): Endpoint {
  return endpoint({
    method: "get",
    path: "/v1/ledger",
    query: ledgerAsked,
    operation: {
      operationId: "getLedger",
      tag: "proof",
      summary: "The books: what was accepted, archived, counted, by minute of event time",
      description:
        "At most 31 days. A minute that is not balanced has events on their way, as long as completeThrough has not passed their acceptance.",
      answer: ledgerSchema,
      problems: [400, 503],
    },
    async handle({ query }) {
      const freshness = await readFreshness(dependencies);
      const ranged = effectiveRange(query, freshness.asOfMs);
      if (!ranged.ok) return refused(invalid(ranged.detail));
      const { range } = ranged;
      if (range.endMs - range.startMs > MAX_RANGE_MS) return refused(invalid("a ledger covers at most 31 days"));
      return countersJson(await ledgerText(dependencies, range), freshness, PROVISIONAL_CACHE, range.endMs);
    },
  });
}

/** Returns the answer's JSON text, built piece by piece. */
async function ledgerText(dependencies: QueryDependencies, { startMs, endMs }: Range): Promise<string> {
  const [from, to] = [startMs / MINUTE_MS, endMs / MINUTE_MS];
  const pieces: string[] = [];
  const totals = { accepted: 0, archived: 0, counted: 0, duplicate: 0, late: 0, lost: 0, balanced: true };
  let rejected = 0;
  for (let minute = from; minute < to; minute += MINUTES_AT_ONCE) {
    if (minute > from) await nextTurn();
    const until = Math.min(minute + MINUTES_AT_ONCE, to);
    const books = await readBooks(dependencies, minute, until);
    const rows = [...books].sort(([a], [b]) => a - b).map(([at, book]) => ledgerRow(at, book));
    for (const row of rows) addUp(totals, row);
    if (rows.length > 0) pieces.push(JSON.stringify(rows).slice(1, -1));
    const refusals = await dependencies.deadLetters.rejectedByMinute(minute, until);
    for (const events of refusals.values()) rejected += events;
  }
  const start = timeText(startMs);
  const end = timeText(endMs);
  const { lost, ...sums } = totals;
  return `{"start":"${start}","end":"${end}","minutes":[${pieces.join(",")}],"totals":${JSON.stringify({ ...sums, ...(lost > 0 && { lost }), rejected })}}`;
}

/** Yields the books of [from, to) minute by minute, each as the JSON text of a row of the ledger. */
export async function booksText(
  dependencies: Pick<QueryDependencies, "ledger" | "progress">,
  from: number,
  to: number,
): Promise<{ minute: number; accepted: number; text: string }[]> {
  const books = await readBooks(dependencies, from, to);
  return [...books]
    .sort(([a], [b]) => a - b)
    .map(([minute, book]) => ({ minute, accepted: book.accepted, text: JSON.stringify(ledgerRow(minute, book)) }));
}

/** Minutes of [from, to) whose books do not balance now, ascending. */
export async function unbalancedMinutes(dependencies: BookSources, from: number, to: number): Promise<number[]> {
  const books = await readBooks(dependencies, from, to);
  return [...books]
    .filter(([, book]) => !isBalanced(book))
    .map(([minute]) => minute)
    .sort((a, b) => a - b);
}

/**
 * The stream's side is read first. An event is accepted before it is archived, so the books never show more archived
 * than accepted events.
 */
async function readBooks({ ledger, progress }: BookSources, from: number, to: number): Promise<Map<number, Books>> {
  const books = new Map<number, Books>();
  for (const row of await ledger.books(from, to)) {
    const { minute, archived, backfilled, direct, counted, duplicate, late, writtenOff } = row;
    if (archived + counted + duplicate + late === 0 && writtenOff === undefined) continue;
    const parts = { direct, backfilled, unbooked: unbookedOf(row), ...(writtenOff && { writtenOff }) };
    books.set(minute, { accepted: backfilled, archived, counted, duplicate, late, lost: 0, ...parts });
  }
  for (const [minute, events] of await progress.accepted(from, to)) {
    const book = books.get(minute);
    if (book !== undefined) book.accepted += events;
    else if (events > 0) books.set(minute, { ...NOTHING_ARCHIVED, accepted: events });
  }
  for (const book of books.values()) book.lost = lostOf(book, book.writtenOff?.events ?? 0);
  return books;
}

const NOTHING_BOOKED = { archived: 0, counted: 0, duplicate: 0, late: 0, lost: 0 };
const NOTHING_ARCHIVED = { ...NOTHING_BOOKED, direct: 0, backfilled: 0, unbooked: 0 };

type Row = ReturnType<typeof ledgerRow>;

/**
 * Returns a row of the ledger ([I4](../docs/invariants.md)) with the sources of acceptance. A source of 0 is left out.
 */
function ledgerRow(minute: number, books: Books) {
  const { accepted, archived, counted, duplicate, late, lost, direct, backfilled, unbooked, writtenOff } = books;
  return {
    start: new Date(minute * MINUTE_MS).toISOString(),
    accepted,
    archived,
    counted,
    duplicate,
    late,
    balanced: isBalanced(books),
    ...(direct > 0 && { direct }),
    ...(backfilled > 0 && { backfilled }),
    ...(unbooked > 0 && { unbooked }),
    ...(lost > 0 && { lost, lostReason: writtenOff?.reason ?? "" }),
  };
}

function addUp(totals: MinuteBooks & { balanced: boolean }, row: Row): void {
  totals.accepted += row.accepted;
  totals.archived += row.archived;
  totals.counted += row.counted;
  totals.duplicate += row.duplicate;
  totals.late += row.late;
  totals.lost += row.lost ?? 0;
  totals.balanced &&= row.balanced;
}
