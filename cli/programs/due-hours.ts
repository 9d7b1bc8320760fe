// SPDX-License-Identifier: Apache-2.0
import { isBalanced } from "../../domain/rules/books";
import { HOUR_MS, HOURS_A_DAY, hourOf, MINUTE_MS, MINUTES_AN_HOUR } from "../../domain/rules/time";
import type { Archive, Ledger, LedgerMinute, LogProgress } from "../../io/ports";

interface DueHours {
  archive: Pick<Archive, "minutes">;
  ledger: Pick<Ledger, "auditedCounts" | "books">;
  progress: Pick<LogProgress, "accepted" | "archivedThroughMs">;
  nowMs: number;
  /** How long after its end an hour may still grow. */
  finalAfterMs: number;
  /** Hours before this are skipped. */
  sinceMs: number;
}

/** The time for which an accepted event may wait for its archive before the log counts as waiting. */
const WAITING_MS = MINUTE_MS;
/** Hours that are no further apart are asked for together. */
const TOGETHER = HOURS_A_DAY * MINUTES_AN_HOUR;

/**
 * Returns the hours past the horizon that have a promise of any kind and a minute that is not audited since its last
 * change; adjacent hours together. An hour whose events wait in the log for a stream that is behind is not due yet. The
 * work depends on the promised hours and never on the calendar; of a long history it takes seconds of processor time,
 * so `viewmill audit` does it in its own process.
 */
export async function dueHours(asked: DueHours): Promise<{ fromMs: number; toMs: number }[]> {
  const { ledger } = asked;
  const ranges: { fromMs: number; toMs: number }[] = [];
  for (const hours of neighbours(await promisedHours(asked))) {
    const audited = await ledger.auditedCounts(hours[0]!, hours.at(-1)! + MINUTES_AN_HOUR, MINUTES_AN_HOUR);
    for (const hour of hours) {
      if (audited.get(hour) === MINUTES_AN_HOUR) continue;
      const fromMs = (hour / MINUTES_AN_HOUR) * HOUR_MS;
      const before = ranges.at(-1);
      if (before?.toMs === fromMs) before.toMs += HOUR_MS;
      else ranges.push({ fromMs, toMs: fromMs + HOUR_MS });
    }
  }
  return ranges;
}

/** Returns the first minutes of the hours that are promised and do not wait, ascending. */
async function promisedHours({ archive, ledger, progress, nowMs, finalAfterMs, sinceMs }: DueHours) {
  const from = Math.max(0, Math.floor(sinceMs / HOUR_MS)) * MINUTES_AN_HOUR;
  const to = Math.floor((nowMs - finalAfterMs) / HOUR_MS) * MINUTES_AN_HOUR;
  const isBehind = (await progress.archivedThroughMs(nowMs)) < nowMs - WAITING_MS;
  const books = new Map((await ledger.books(from, to)).map((each) => [each.minute, each]));
  const accepted = await progress.accepted(from, to);
  const firstMinuteOf = (minute: number) => hourOf(minute) * MINUTES_AN_HOUR;
  const hours = new Set<number>();
  for (const minute of await archive.minutes(from, to)) hours.add(firstMinuteOf(minute));
  const waiting = new Set<number>();
  for (const minute of new Set([...books.keys(), ...accepted.keys()])) {
    hours.add(firstMinuteOf(minute));
    if (isBehind && isWaiting(books.get(minute), accepted.get(minute) ?? 0)) waiting.add(firstMinuteOf(minute));
  }
  return [...hours.difference(waiting)].sort((a, b) => a - b);
}

function isWaiting(books: LedgerMinute | undefined, acceptedByLog: number): boolean {
  return books === undefined || !isBalanced({ ...books, accepted: acceptedByLog + books.backfilled });
}

/** Cuts ascending hours where there is a long gap. */
function neighbours(hours: readonly number[]): number[][] {
  const groups: number[][] = [];
  for (const hour of hours) {
    const group = groups.at(-1);
    if (group !== undefined && hour - group.at(-1)! <= TOGETHER) group.push(hour);
    else groups.push([hour]);
  }
  return groups;
}
