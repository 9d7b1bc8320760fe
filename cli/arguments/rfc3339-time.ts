// SPDX-License-Identifier: Apache-2.0
/** Times on the command line. Commands that take a range parse its ends by these functions. */
import { InvalidArgumentError } from "commander";
import { parseRfc3339 } from "../../domain/event";
import { MINUTE_MS } from "../../domain/rules/time";

/** Parses RFC 3339 into epoch milliseconds. */
export function rfc3339Time(text: string): number {
  const timeMs = parseRfc3339(text);
  if (timeMs === undefined) throw new InvalidArgumentError("an RFC 3339 time is wanted, such as 2026-11-21T10:00:00Z");
  return timeMs;
}

/** Parses RFC 3339 of a whole minute. */
export function wholeMinute(text: string): number {
  const timeMs = rfc3339Time(text);
  if (timeMs % MINUTE_MS !== 0) throw new InvalidArgumentError("a whole minute is wanted");
  return timeMs;
}
