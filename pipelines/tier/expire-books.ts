// SPDX-License-Identifier: Apache-2.0
import { MINUTE_MS } from "../../domain/rules/time";
import type { BookRetention, DeadLetters } from "../../io/ports";

interface ExpiryDependencies {
  books: BookRetention;
  /** Forgets what was accepted of minutes before this one, where the log keeps that. */
  expireAccepted?: ((beforeMinute: number) => Promise<void>) | undefined;
  deadLetters: Pick<DeadLetters, "expire">;
  clock: () => number;
}

interface BookAges {
  ledgerMs: number;
  auditsMs: number;
  deadLettersMs: number;
}

export interface Expired {
  minutes: number;
  audits: number;
  letters: number;
}

/**
 * Deletes books, reports of audits and dead letters that are past their retention. What was accepted of a minute goes
 * before what was archived of it: between the two nothing is missed. `viewmill tier` runs this after the roll-ups.
 */
export async function expireOld(deps: ExpiryDependencies, ages: BookAges): Promise<Expired> {
  const nowMs = deps.clock();
  const beforeMinute = Math.floor((nowMs - ages.ledgerMs) / MINUTE_MS);
  await deps.expireAccepted?.(beforeMinute);
  const minutes = await deps.books.expireBooks(beforeMinute);
  const audits = await deps.books.expireAudits(nowMs - ages.auditsMs);
  const before = { lettersMs: nowMs - ages.deadLettersMs, countsMs: beforeMinute * MINUTE_MS };
  const letters = await deps.deadLetters.expire(before);
  return { minutes, audits, letters };
}
