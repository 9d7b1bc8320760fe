// SPDX-License-Identifier: Apache-2.0
/**
 * The wall clocks of time zones, in the form of a date field: `2026-11-29T18:30`. The form for a range of time reads
 * and shows times with them.
 */

export const OWN_ZONE = new Intl.DateTimeFormat().resolvedOptions().timeZone;

/** The browser's own first, then UTC, then every other. */
export const ZONES: readonly string[] = [...new Set([OWN_ZONE, "UTC", ...Intl.supportedValuesOf("timeZone")])];

/** Whether the browser knows this zone: it knows more names than it lists, `Asia/Kolkata` for one. */
export function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat(undefined, { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** Returns the reading of the wall clock of this zone. */
export function wallClock(timeMs: number, timeZone: string): string {
  return new Date(timeMs + offsetMs(timeMs, timeZone)).toISOString().slice(0, 16);
}

/**
 * Returns the moment at which the wall clock of this zone shows this time; NaN for an invalid text. Of a time that a
 * clock shows twice, the first.
 */
export function timeOf(wall: string, timeZone: string): number {
  const asUtc = Date.parse(`${wall.slice(0, 16)}:00Z`);
  if (Number.isNaN(asUtc)) return Number.NaN;
  const guess = asUtc - offsetMs(asUtc, timeZone);
  return asUtc - offsetMs(guess, timeZone);
}

/** Whether the wall clock of this zone is at midnight. */
export const isMidnight = (timeMs: number, timeZone: string): boolean => wallClock(timeMs, timeZone).endsWith("T00:00");

function offsetMs(timeMs: number, timeZone: string): number {
  const parts = new Map(
    partsFormat(timeZone)
      .formatToParts(timeMs)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? 0;
  const shown = Date.UTC(part("year"), part("month") - 1, part("day"), part("hour"), part("minute"), part("second"));
  return shown - Math.floor(timeMs / 1000) * 1000;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function partsFormat(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
  formats.set(timeZone, made);
  return made;
}
