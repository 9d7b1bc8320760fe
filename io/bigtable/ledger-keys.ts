// SPDX-License-Identifier: Apache-2.0
/**
 * Rows of the ledger's table, times in UTC:
 *   `o#YYYYMMDDHHMM`   what a minute is made of: o `<object>` its numbers, g `<object>` its messages, s how often the
 *                      minute was written (`all`) and
 *                      changed (`changed`)
 *   `b#YYYYMMDDHH`     the books of an hour: b `MM` made from the row above, p `MM:<partition>` the stream's, o
 *                      `MM:<account>` what an ingest instance
 *                      promised, r `MM` what an audit settled of late events, g `MM:all` of a minute whose cells it
 *                      corrected, g `MM` a loss that was written off, a `MM` the audit's mark of a minute that
 *                      has changed
 *   `q#YYYYMMDD`       of every hour `HH` of a day which minutes are audited by such marks, and which have changed: a,
 *                      made from the row above
 *   `m#ranges`         a `<first minute>`: a range of minutes that are audited as long as they have not changed
 *   `p#log`            b `archived:<reader>`: its version is the time through which a reader has archived (`archived`:
 *                      of an earlier release);
 *                      b `complete`: the low watermark
 *   `p#ingest`         b `<account>`: how far the account of an ingest instance goes
 *   `w#open`           b `<minute>:<what>`: something was accepted for the minute that may not be counted
 *   `r#<time>#<id>`    reports of audits, the newest first
 *   `z#tiers`          b: the state of tiering and the roll-ups (tier-states.ts)
 *   `z#indexes`        b: which indexes of the counters are complete (index-marks.ts)
 *   `v#<number>`       b: the counted videos in the order in which they came (seen-videos.ts)
 *   `y#types`          b `<event type>`: the event types of the deployment
 *   `y#keys`           b: the access keys of the deployment, their revocations and uses (access-keys.ts)
 *   `t#<hash of key>` the receipt stamp of an event that had no time (receipt-stamps.ts): t `at`, whose timestamp is
 *   the stamp
 *
 * The ledger and the other ports in its table make their keys here.
 */
import { hourOf, MINUTES_AN_HOUR } from "../../domain/rules/time";
import type { Mutation } from "./requests";
import { FIRST_HOUR, hourText, LAST_HOUR, minuteText } from "./row-keys";
import type { KeyRange } from "./rows";

export const OBJECTS_FAMILY = "o";
export const MESSAGES_FAMILY = "g";
export const SEQUENCE_FAMILY = "s";
export const BOOKS_FAMILY = "b";
export const PARTITION_FAMILY = "p";
export const AUDITED_FAMILY = "a";
export const AUDIT_FAMILY = "r";
export const STAMPS_FAMILY = "t";

export const WRITES = "all";
export const CHANGES = "changed";

export function objectsKey(minute: number): string {
  return `o#${hourText(hourOf(minute))}${minuteText(minute)}`;
}
export function booksKey(hour: number): string {
  return `b#${hourText(hour)}`;
}
export function auditedKey(day: string): string {
  return `q#${day}`;
}

export const PROGRESS_KEY = "p#log";
export const ACCOUNTS_KEY = "p#ingest";
export const OPEN_KEY = "w#open";
export const TYPES_KEY = "y#types";
export const KEYS_KEY = "y#keys";
export const TIERS_KEY = "z#tiers";
export const RANGES_KEY = "m#ranges";
export const ARCHIVED = "archived";
export const COMPLETE = "complete";

/** The latest time of a Date. */
const LAST_MS = 8_640_000_000_000_000;

export function reportKey(startedAtMs: number, id: string): string {
  return `r#${String(LAST_MS - startedAtMs).padStart(17, "0")}#${id}`;
}

export const stampKey = (hash: string): string => `t#${hash}`;

export const REPORTS: KeyRange = { start: "r#", end: "r$" };

/** Returns the minutes of [fromMinute, toMinute) that have keys; undefined where no minute has. */
export function storableMinutes(fromMinute: number, toMinute: number): { from: number; to: number } | undefined {
  const from = Math.max(Math.ceil(fromMinute), FIRST_HOUR * MINUTES_AN_HOUR);
  const to = Math.min(Math.ceil(toMinute), LAST_HOUR * MINUTES_AN_HOUR + MINUTES_AN_HOUR);
  return from < to ? { from, to } : undefined;
}

/** Returns the keys of the rows that hold any of these minutes. Both ends must be storable. */
export function objectsRange(from: number, to: number): KeyRange {
  return { start: objectsKey(from), end: `${objectsKey(to - 1)}\0` };
}
export function booksRange(from: number, to: number): KeyRange {
  return { start: booksKey(hourOf(from)), end: `${booksKey(Math.floor((to - 1) / MINUTES_AN_HOUR))}\0` };
}
export function auditedRange(from: number, to: number): KeyRange {
  const day = (minute: number) => hourText(hourOf(minute)).slice(0, 8);
  return { start: auditedKey(day(from)), end: `${auditedKey(day(to - 1))}\0` };
}

/**
 * Increments a sequence. The increment is applied twice when an answer is lost, which is harmless, because the sequence
 * only has to grow.
 */
export function increment(qualifier: string): Mutation {
  return {
    addToCell: {
      familyName: SEQUENCE_FAMILY,
      columnQualifier: { rawValue: Buffer.from(qualifier, "latin1") },
      timestamp: { rawTimestampMicros: 0 },
      input: { intValue: 1 },
    },
  };
}
