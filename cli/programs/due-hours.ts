// SPDX-License-Identifier: Apache-2.0
import { HOUR_MS, MINUTES_AN_HOUR } from "../../domain/rules/time";
import type { Archive, Ledger, LogProgress } from "../../io/ports";

interface DueHours {
  archive: Pick<Archive, "minutes">;
  ledger: Pick<Ledger, "auditedCounts" | "books">;
  progress: Pick<LogProgress, "accepted">;
  nowMs: number;
  /** How long after its end an hour may still grow. */
  finalAfterMs: number;
  /** Hours before this are skipped. */
  sinceMs: number;
}

/**
 * Returns the hours past the horizon that have a promise of any kind and a minute that is not audited since its last
 * change; adjacent hours together. The work depends on the promised hours and never on the calendar. The schedule of
 * the service and `viewmill audit --hourly` audit these hours.
 */
export async function dueHours({
  archive,
  ledger,
  progress,
  nowMs,
  finalAfterMs,
  sinceMs,
}: DueHours): Promise<{ fromMs: number; toMs: number }[]> {
  const from = Math.max(0, Math.floor(sinceMs / HOUR_MS)) * MINUTES_AN_HOUR;
  const to = Math.floor((nowMs - finalAfterMs) / HOUR_MS) * MINUTES_AN_HOUR;
  const hours = new Set<number>();
  const promised = (minute: number) => hours.add(Math.floor(minute / MINUTES_AN_HOUR) * MINUTES_AN_HOUR);
  for (const minute of await archive.minutes(from, to)) promised(minute);
  for (const { minute } of await ledger.books(from, to)) promised(minute);
  for (const minute of (await progress.accepted(from, to)).keys()) promised(minute);
  const sorted = [...hours].sort((a, b) => a - b);
  const [first, last] = [sorted[0], sorted[sorted.length - 1]];
  if (first === undefined || last === undefined) return [];
  const audited = await ledger.auditedCounts(first, last + MINUTES_AN_HOUR, MINUTES_AN_HOUR);
  const ranges: { fromMs: number; toMs: number }[] = [];
  for (const hour of sorted) {
    if (audited.get(hour) === MINUTES_AN_HOUR) continue;
    const fromMs = (hour / MINUTES_AN_HOUR) * HOUR_MS;
    const before = ranges[ranges.length - 1];
    if (before?.toMs === fromMs) before.toMs += HOUR_MS;
    else ranges.push({ fromMs, toMs: fromMs + HOUR_MS });
  }
  return ranges;
}
