// SPDX-License-Identifier: Apache-2.0
/**
 * The beginnings of buckets of time, by the clock of a time zone. Minutes and hours are the same everywhere (UTC);
 * days, weeks (from Monday, ISO 8601) and months begin at midnight of a zone of the IANA database. A day has 23 or 25
 * hours where clocks change; a day that a zone skipped has no bucket. The read API cuts the range of a question into
 * these buckets.
 */
import { DAY_MS, HOUR_MS, MINUTE_MS } from "./rules/time";

export const BUCKET_UNITS = ["minute", "hour", "day", "week", "month"] as const;
export type BucketUnit = (typeof BUCKET_UNITS)[number];

/** 1970-01-01 was a Thursday: a week begins three days before it. */
const DAYS_SINCE_MONDAY = 3;
/** The longest that a bucket of each unit can last. A range of n times this length holds at least n buckets. */
export const LONGEST_MS: Readonly<Record<BucketUnit, number>> = {
  minute: MINUTE_MS,
  hour: HOUR_MS,
  day: 27 * HOUR_MS,
  week: 7 * DAY_MS + 3 * HOUR_MS,
  month: 31 * DAY_MS + 3 * HOUR_MS,
};

/** A calendar of days. A time zone decides one thing alone: the instant at which each of its days begins. */
export class Calendar {
  constructor(
    /** Returns the day (days since 1970 of the local date) that a time belongs to. */
    private readonly dayOf: (timeMs: number) => number,
    /** Returns the instant at which the local date becomes this day. */
    private readonly startOf: (day: number) => number,
  ) {}

  /** Yields the starts of buckets without an end, beginning with the last start that is not after `timeMs`. */
  *starts(unit: BucketUnit, timeMs: number): Generator<number, never, undefined> {
    if (unit === "minute" || unit === "hour") {
      const unitMs = unit === "minute" ? MINUTE_MS : HOUR_MS;
      for (let startMs = Math.floor(timeMs / unitMs) * unitMs; ; startMs += unitMs) yield startMs;
    }
    let last = Number.NEGATIVE_INFINITY;
    for (let day = firstDay(unit, this.dayOf(timeMs)); ; day = nextDay(unit, day)) {
      const startMs = this.startOf(day);
      // A day that the zone skipped begins together with the next one.
      if (startMs > last) yield startMs;
      last = startMs;
    }
  }

  /** Returns the last start of a bucket that is not after `timeMs`. */
  floor(unit: BucketUnit, timeMs: number): number {
    return this.starts(unit, timeMs).next().value;
  }

  /** Returns the start of the bucket that lies `buckets` before the one that starts at `startMs`. */
  before(unit: BucketUnit, startMs: number, buckets: number): number {
    let earlierMs = startMs;
    for (let bucket = 0; bucket < buckets; bucket++) earlierMs = this.floor(unit, earlierMs - 1);
    return earlierMs;
  }
}

function firstDay(unit: "day" | "week" | "month", day: number): number {
  if (unit === "day") return day;
  if (unit === "week") return Math.floor((day + DAYS_SINCE_MONDAY) / 7) * 7 - DAYS_SINCE_MONDAY;
  const date = new Date(day * DAY_MS);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1) / DAY_MS;
}

function nextDay(unit: "day" | "week" | "month", day: number): number {
  if (unit === "day") return day + 1;
  if (unit === "week") return day + 7;
  const date = new Date(day * DAY_MS);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1) / DAY_MS;
}

export const UTC: Calendar = new Calendar(
  (timeMs) => Math.floor(timeMs / DAY_MS),
  (day) => day * DAY_MS,
);

const MAX_ZONES = 600;
const MAX_REMEMBERED = 20_000;
const zones = new Map<string, Calendar | undefined>();

/**
 * Returns the calendar of an IANA time zone, or undefined where no zone has that name. An offset such as +02:00 names
 * no zone.
 */
export function calendarOf(zone: string): Calendar | undefined {
  if (!/^[A-Za-z][A-Za-z0-9_+\-/]{0,63}$/.test(zone)) return undefined;
  if (/^(utc|etc\/utc)$/i.test(zone)) return UTC;
  if (!zones.has(zone)) {
    if (zones.size >= MAX_ZONES) zones.clear();
    zones.set(zone, zoneCalendar(zone));
  }
  return zones.get(zone);
}

function zoneCalendar(zone: string): Calendar | undefined {
  const offsetOf = offsetsOf(zone);
  if (offsetOf === undefined) return undefined;
  // Until 1972 Monrovia's clock was 44 minutes and 30 seconds behind: buckets are whole minutes.
  const startOf = (day: number) => Math.floor(startOfDay(day * DAY_MS, offsetOf) / MINUTE_MS) * MINUTE_MS;
  const dayOf = (timeMs: number): number => {
    let day = Math.floor((timeMs + offsetOf(timeMs)) / DAY_MS);
    while (startOf(day) > timeMs) day--;
    // Clocks that are put back over midnight stay in the day that has begun.
    while (startOf(day + 1) <= timeMs) day++;
    return day;
  };
  return new Calendar(dayOf, startOf);
}

/**
 * Returns the first instant at which a zone's clock reads midnight of a date. Where the clock is put forward over
 * midnight, returns the instant of that change, as Temporal's `startOfDay` does. `localMs` is the midnight as if it
 * were UTC.
 */
function startOfDay(localMs: number, offsetOf: (timeMs: number) => number): number {
  const before = offsetOf(localMs - DAY_MS);
  const after = offsetOf(localMs + DAY_MS);
  // Clocks change at most once in two days.
  if (before === after) return localMs - before;
  const candidates = [localMs - before, localMs - after].sort((a, b) => a - b);
  const start = candidates.find((timeMs) => timeMs + offsetOf(timeMs) === localMs);
  if (start !== undefined) return start;
  let [low, high] = [candidates[0]! - HOUR_MS, candidates[1]! + HOUR_MS];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (middle + offsetOf(middle) >= localMs) high = middle;
    else low = middle;
  }
  return high;
}

/**
 * Returns the function that gives the offset of a zone's clock from UTC at a time, in milliseconds. Returns undefined
 * where no zone has that name.
 */
function offsetsOf(zone: string): ((timeMs: number) => number) | undefined {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset", year: "numeric" });
  } catch {
    return undefined;
  }
  return remembered((timeMs) => {
    const [, sign, hours = "0", minutes = "0", seconds = "0"] =
      /GMT([+-])?(?:(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(format.format(timeMs)) ?? [];
    const offsetMs = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
    return sign === "-" ? -offsetMs : offsetMs;
  });
}

/** Remembers answers: formatting a time takes 20 us, and each midnight is asked for three times. */
function remembered(ask: (timeMs: number) => number): (timeMs: number) => number {
  const known = new Map<number, number>();
  return (timeMs) => {
    let answer = known.get(timeMs);
    if (answer === undefined) {
      if (known.size >= MAX_REMEMBERED) known.clear();
      answer = ask(timeMs);
      known.set(timeMs, answer);
    }
    return answer;
  };
}
