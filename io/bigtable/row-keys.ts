// SPDX-License-Identifier: Apache-2.0
/**
 * Names of rows and columns, readable with any tool:
 *   minutes    `<salt>#YYYYMMDDHH#<videoId>`   m `TYPE:MM`
 *   summaries  `<salt>#<videoId>`              h `YYYYMMDDHH:TYPE`, d `YYYYMMDD:TYPE`, mo `YYYYMM:TYPE`, t `TYPE`
 * and in both w `<writer>`: when each writer last wrote the row. Times are UTC and sort as text. The counter store and
 * tiering make and parse names here.
 */
import { HOUR_MS, MINUTES_AN_HOUR } from "../../domain/rules/time";
import type { KeyRange } from "./rows";

export const MINUTE_FAMILY = "m";
export const HOUR_FAMILY = "h";
export const DAY_FAMILY = "d";
export const MONTH_FAMILY = "mo";
export const TOTAL_FAMILY = "t";
export const WRITER_FAMILY = "w";

/** The number of salts. Every key contains a salt, so another number needs new tables. */
export const SALTS = 16;

/** 0001-01-01T00 and 9999-12-31T23: a time outside these years has no four-digit year. */
export const FIRST_HOUR = Date.parse("0001-01-01T00:00:00Z") / HOUR_MS;
export const LAST_HOUR = Date.UTC(9999, 11, 31, 23) / HOUR_MS;

/** Returns FNV-1a over the (ASCII) id. Every version of the program must return the same, or rows would be lost. */
export function saltOf(videoId: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < videoId.length; i++) hash = Math.imul(hash ^ videoId.charCodeAt(i), 0x01000193);
  // The low bits of FNV-1a alone depend too evenly on the last characters of ids that count up.
  return ((hash >>> 16) ^ hash) & (SALTS - 1);
}

const SALT_TEXT = Array.from({ length: SALTS }, (_, salt) => salt.toString(16).padStart(2, "0"));

/** The keys at which new tables are split: one tablet a salt at first. */
export const SPLIT_KEYS: readonly string[] = SALT_TEXT.slice(1).map((salt) => `${salt}#`);

export function minuteRowKey(videoId: string, hour: number): string {
  return `${SALT_TEXT[saltOf(videoId)]}#${hourText(hour)}#${videoId}`;
}

export function summaryRowKey(videoId: string): string {
  return `${SALT_TEXT[saltOf(videoId)]}#${videoId}`;
}

export function videoOfMinuteRow(key: string): string {
  return key.slice(14);
}
export function videoOfSummaryRow(key: string): string {
  return key.slice(3);
}
export function hourOfMinuteRow(key: string): number {
  return hourOfText(key.slice(3, 13));
}

/** Returns the minute rows of a salt with an hour in [fromHour, toHour), which must be in the years 1 to 9999. */
export function minuteRowRange(salt: number, fromHour: number, toHour: number): KeyRange {
  const end = toHour > LAST_HOUR ? "9999999999" : hourText(toHour);
  return { start: `${SALT_TEXT[salt]}#${hourText(fromHour)}`, end: `${SALT_TEXT[salt]}#${end}` };
}

export function saltRange(salt: number): KeyRange {
  return { start: `${SALT_TEXT[salt]}#`, end: `${SALT_TEXT[salt]}$` };
}

export function isStorableHour(hour: number): boolean {
  return hour >= FIRST_HOUR && hour <= LAST_HOUR;
}

const hourTexts = new Map<number, string>();
const MAX_HOUR_TEXTS = 10_000;

/** Returns `YYYYMMDDHH` of hours since 1970. Throws a RangeError outside of the years 1 to 9999. */
export function hourText(hour: number): string {
  let text = hourTexts.get(hour);
  if (text === undefined) {
    if (!isStorableHour(hour)) throw new RangeError(`hour ${hour} is not in the years 1 to 9999`);
    text = new Date(hour * HOUR_MS).toISOString().replaceAll(/[-T]/g, "").slice(0, 10);
    if (hourTexts.size >= MAX_HOUR_TEXTS) hourTexts.clear();
    hourTexts.set(hour, text);
  }
  return text;
}

export function hourOfText(text: string): number {
  return (
    Date.parse(`${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6, 8)}T${text.slice(8, 10)}:00:00Z`) / HOUR_MS
  );
}

/** Returns the hours since 1970 at the start of `YYYYMMDD`. */
export function dayStartHour(text: string): number {
  return hourOfText(`${text}00`);
}

export function minuteText(minute: number): string {
  return TWO_DIGITS[((minute % MINUTES_AN_HOUR) + MINUTES_AN_HOUR) % MINUTES_AN_HOUR]!;
}

const TWO_DIGITS = Array.from({ length: 60 }, (_, n) => String(n).padStart(2, "0"));
