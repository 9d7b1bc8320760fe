// SPDX-License-Identifier: Apache-2.0
import { isBalanced, type MinuteBooks } from "../../domain/rules/books";
import { advanced, earliestLiveMark, evaluate, type Observation } from "../../domain/rules/low-watermark";
import { MINUTE_MS, MINUTES_A_DAY } from "../../domain/rules/time";
import type { Ledger } from "../ports";

type WatermarkLedger = Pick<
  Ledger,
  | "books"
  | "addObjects"
  | "archivedObjects"
  | "archiveReaders"
  | "ingestAccounts"
  | "openMinutes"
  | "closeMinutes"
  | "completeThroughMs"
  | "setCompleteThrough"
>;

/** The number of open minutes of one evaluation, those that have waited longest first. */
const MINUTES_AT_ONCE = 1_000;
/** Open minutes closer than this are read together. */
const MINUTES_APART = 60;
/** The number of minutes read at a time from the books of an earlier release. */
const SCANNED_MINUTES = 30 * MINUTES_A_DAY;
/** Producers may timestamp an event five minutes ahead of its receipt; clocks differ. */
const AHEAD_MS = 6 * MINUTE_MS;

/**
 * Keeps the low watermark of a shared log in its ledger (domain/rules/low-watermark.ts defines it). Every archiver runs
 * one and advances it every second. Several of them agree, because each writes only what it has observed.
 * `viewmill archive` runs it beside the archiver.
 */
export class LowWatermark {
  #observations: ReadonlyMap<number, Observation> = new Map();

  constructor(
    private readonly ledger: WatermarkLedger,
    private readonly clock: () => number,
  ) {}

  /** Runs one evaluation; resolves with the watermark, 0 where nothing can be promised yet. */
  async advance(): Promise<number> {
    const { ledger, clock } = this;
    const before = (await ledger.completeThroughMs()) ?? (await this.#openOldMinutes());
    const nowMs = clock();
    // The marks and the open minutes are read before the books, which then include everything done by that time.
    const archivedThroughMs = earliestLiveMark(await ledger.archiveReaders(), nowMs);
    if (archivedThroughMs === undefined) return before;
    const bookedThroughMs = earliestLiveMark(await ledger.ingestAccounts(), nowMs) ?? Number.POSITIVE_INFINITY;
    const listed = await ledger.openMinutes(MINUTES_AT_ONCE + 1);
    const open = listed.slice(0, MINUTES_AT_ONCE);
    const booksReadAtMs = clock();
    const books = await this.#booksOf(open.map(({ minute }) => minute));
    const evaluation = evaluate({
      archivedThroughMs,
      bookedThroughMs,
      open,
      othersSinceMs: listed[MINUTES_AT_ONCE]?.sinceMs,
      booksReadAtMs,
      booksReadByMs: clock(),
      books,
      observations: this.#observations,
    });
    this.#observations = evaluation.observations;
    await ledger.closeMinutes(evaluation.closed);
    const throughMs = advanced(before, evaluation);
    await ledger.setCompleteThrough(throughMs, booksReadAtMs);
    return throughMs;
  }

  async #booksOf(minutes: readonly number[]): Promise<Map<number, MinuteBooks>> {
    const sorted = minutes.toSorted((a, b) => a - b);
    const books = new Map<number, MinuteBooks>();
    for (let from = 0; from < sorted.length; ) {
      let to = from + 1;
      while (to < sorted.length && sorted[to]! - sorted[to - 1]! <= MINUTES_APART) to++;
      for (const row of await this.ledger.books(sorted[from]!, sorted[to - 1]! + 1)) books.set(row.minute, row);
      from = to;
    }
    return books;
  }

  /** Opens, at the first evaluation ever, the minutes that an earlier release left unbalanced. */
  async #openOldMinutes(): Promise<number> {
    const endMinute = Math.ceil((this.clock() + AHEAD_MS) / MINUTE_MS);
    for (let from = 0; from < endMinute; from += SCANNED_MINUTES) {
      const rows = await this.ledger.books(from, Math.min(from + SCANNED_MINUTES, endMinute));
      for (const { minute } of rows.filter((row) => !isBalanced(row))) {
        const objects = await this.ledger.archivedObjects(minute, minute + 1);
        const acceptedSinceMs = Math.max(0, minute * MINUTE_MS - AHEAD_MS);
        await this.ledger.addObjects(
          objects.map((object) => ({ ...object, acceptedSinceMs })),
          [],
        );
      }
    }
    return 0;
  }
}
