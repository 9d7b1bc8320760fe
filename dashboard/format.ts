// SPDX-License-Identifier: Apache-2.0
/**
 * Numbers and times as text for people. Times are in the time zone of the browser, or in the named one. Every page
 * shows its values with it.
 */

export type Exact = number | bigint;

import { OWN_ZONE } from "./time-zone";

const WHOLE = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const FRACTION = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });

export const whole = (value: Exact): string => WHOLE.format(value);
export const short = (value: Exact): string => SHORT.format(value);
export const fraction = (value: Exact): string => FRACTION.format(value);
export const clock = inZone({ hour: "2-digit", minute: "2-digit" });
export const day = inZone({ month: "short", day: "numeric" });
export const moment = inZone({ dateStyle: "medium", timeStyle: "medium" });

/** Making a format takes far longer than using one. */
function inZone(options: Intl.DateTimeFormatOptions): (time: string | number, timeZone?: string) => string {
  const made = new Map<string, Intl.DateTimeFormat>();
  return (time, timeZone = OWN_ZONE) => {
    const format = made.get(timeZone) ?? new Intl.DateTimeFormat(undefined, { ...options, timeZone });
    made.set(timeZone, format);
    return format.format(new Date(time));
  };
}

/** `2 s ago`, `in 3 min`. */
export function ago(timeMs: number, nowMs: number): string {
  const seconds = Math.round((nowMs - timeMs) / 1000);
  const size = Math.abs(seconds);
  const text =
    size < 90
      ? `${size} s`
      : size < 5400
        ? `${Math.round(size / 60)} min`
        : size < 172_800
          ? `${Math.round(size / 3600)} h`
          : `${Math.round(size / 86_400)} days`;
  return seconds >= 0 ? `${text} ago` : `in ${text}`;
}

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${whole(count)} ${count === 1 ? one : many}`;
