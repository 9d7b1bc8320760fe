import { InvalidArgumentError } from "commander";
import { MINUTE_MS, parseRfc3339 } from "../domain/event";

/** RFC 3339 text of a whole minute -> epoch milliseconds. */
export function wholeMinute(text: string): number {
  const timeMs = parseRfc3339(text);
  if (timeMs === undefined) throw new InvalidArgumentError("an RFC 3339 time is wanted, such as 2026-11-21T10:00:00Z");
  if (timeMs % MINUTE_MS !== 0) throw new InvalidArgumentError("a whole minute is wanted");
  return timeMs;
}
