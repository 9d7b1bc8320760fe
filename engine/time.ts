// SPDX-License-Identifier: Apache-2.0
/** Beam's timestamps. Applications convert the times of their elements with these functions. */
import type { Instant } from "apache-beam/values";
import { sdk } from "./fixes/sdk";
import "./fixes/load";

/** Returns milliseconds since the epoch as Beam's timestamp (a 64-bit Long). */
export function instant(timestampMs: number): Instant {
  if (!Number.isSafeInteger(timestampMs)) throw new RangeError(`${timestampMs} is not a whole number of milliseconds`);
  return sdk.long.fromNumber(timestampMs);
}

/**
 * Returns Beam's timestamp as milliseconds since the epoch. The ends of time (about 9.2e15 ms) are rounded to a double.
 */
export function millis(timestamp: Instant): number {
  return timestamp.toNumber();
}
