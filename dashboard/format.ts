/** How numbers and times are written for people. Times are shown in the time zone of the browser, with their UTC form as a tooltip. */

export type Exact = number | bigint;

const WHOLE = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const FRACTION = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export const whole = (value: Exact): string => WHOLE.format(value);
export const short = (value: Exact): string => SHORT.format(value);
export const fraction = (value: Exact): string => FRACTION.format(value);
export const clock = (timeMs: number): string => CLOCK.format(timeMs);
export const day = (timeMs: number): string => DAY.format(timeMs);
export const moment = (time: string | number): string => MOMENT.format(new Date(time));

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
