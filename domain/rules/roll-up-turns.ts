// SPDX-License-Identifier: Apache-2.0
/**
 * The days that roll-ups touch, and those of which an audit reads the roll-ups whole, where all would be too many. The
 * audit's steps ask.
 */
import { DAY_MS } from "./time";

/** Each day is looked at once in so many days. */
const ROUND_DAYS = 7;

/** Returns whether a range, such as that of a roll-up, has a part of the day (days since 1970, UTC). */
export const touchesDay = ({ fromMs, toMs }: { fromMs: number; toMs: number }, day: number): boolean =>
  fromMs < (day + 1) * DAY_MS && toMs > day * DAY_MS;

/** Returns which days are due: all, or those whose turn was since the last check. */
export function dueDays(nowMs: number, lastMs: number | undefined): (day: number) => boolean {
  const today = Math.floor(nowMs / DAY_MS);
  const last = lastMs === undefined ? Number.NEGATIVE_INFINITY : Math.floor(lastMs / DAY_MS);
  if (today - last >= ROUND_DAYS - 1 || last > today) return () => true;
  const turn = (day: number) => ((day % ROUND_DAYS) + ROUND_DAYS) % ROUND_DAYS;
  const turns = new Set(Array.from({ length: today - last + 1 }, (_, n) => turn(last + n)));
  return (day) => turns.has(turn(day));
}
