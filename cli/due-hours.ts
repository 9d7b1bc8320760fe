import type { Archive, Ledger } from "../io/ports";

const MINUTES_AN_HOUR = 60;
const HOUR_MS = 3_600_000;

export interface DueHours {
  archive: Pick<Archive, "minutes">;
  state: Pick<Ledger, "auditedCounts">;
  nowMs: number;
  /** How long after its end an hour may still grow. */
  finalAfterMs: number;
  /** Hours before this are not looked at. */
  sinceMs: number;
}

/** Hours with archived events, past the horizon, with a minute that is not audited since it last changed; neighbours together. */
export async function dueHours({
  archive,
  state,
  nowMs,
  finalAfterMs,
  sinceMs,
}: DueHours): Promise<{ fromMs: number; toMs: number }[]> {
  const beforeHour = Math.floor((nowMs - finalAfterMs) / HOUR_MS);
  const firstHour = Math.max(0, Math.floor(sinceMs / HOUR_MS));
  const minutes = await archive.minutes(firstHour * MINUTES_AN_HOUR, beforeHour * MINUTES_AN_HOUR);
  const ranges: { fromMs: number; toMs: number }[] = [];
  for (const hour of new Set(minutes.map((minute) => Math.floor(minute / MINUTES_AN_HOUR)))) {
    const first = hour * MINUTES_AN_HOUR;
    const audited = (await state.auditedCounts(first, first + MINUTES_AN_HOUR, MINUTES_AN_HOUR)).get(first) ?? 0;
    if (audited === MINUTES_AN_HOUR) continue;
    const last = ranges[ranges.length - 1];
    if (last?.toMs === hour * HOUR_MS) last.toMs += HOUR_MS;
    else ranges.push({ fromMs: hour * HOUR_MS, toMs: (hour + 1) * HOUR_MS });
  }
  return ranges;
}
