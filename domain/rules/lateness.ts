// SPDX-License-Identifier: Apache-2.0
/**
 * The lateness rule, and the time from which on a minute is final. Both depend on times that travel with the events or
 * that the stream has proven, and never on a clock, so that the stream, the audit and every reader decide alike.
 */
import { MINUTE_MS } from "./time";

/** The allowed lateness of a stream that counts whatever its archive keeps: no event is late. */
export const NO_LATENESS = -1;

/** Whether a stream of this allowed lateness sets any event aside. */
export const setsAside = (allowedLatenessMs: number): boolean => allowedLatenessMs >= 0;

/** Whether the stream sets the event aside, so that the next audit counts it. */
export function isLate(timeMs: number, receivedAtMs: number, allowedLatenessMs: number): boolean {
  return setsAside(allowedLatenessMs) && receivedAtMs - timeMs > allowedLatenessMs;
}

/**
 * How long after the lateness rule applies the stream may still count an event of a minute: an ingest instance receives
 * the event in time by its own clock, and the log takes the event a moment later.
 */
export const FINAL_SLACK_MS = 5 * MINUTE_MS;

/** The time by which every minute that has ended is final to an audit; `archivedThroughMs` is the archivers' word. */
export function finalBeforeMs(archivedThroughMs: number, allowedLatenessMs: number): number {
  return setsAside(allowedLatenessMs) ? archivedThroughMs - allowedLatenessMs - FINAL_SLACK_MS : ALL_FINAL;
}

/** The rule of a stream that recounts whole minutes and sets no event aside: an audit may compare every minute. */
export const ALL_FINAL = Number.MAX_SAFE_INTEGER;

/** Whether a minute has ended, and is final, by `beforeMs`. */
export const isFinalMinute = (minute: number, beforeMs: number): boolean => (minute + 1) * MINUTE_MS <= beforeMs;

/** Whether a bucket that ends at `endMs` is final to readers. */
export function isFinal(endMs: number, completeThroughMs: number, finalAfterMs: number): boolean {
  return completeThroughMs >= endMs + finalAfterMs;
}

/** The first minute that is not final to readers. */
export function finalBeforeMinute(completeThroughMs: number, finalAfterMs: number): number {
  return Math.floor((completeThroughMs - finalAfterMs) / MINUTE_MS);
}
