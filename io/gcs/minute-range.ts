// SPDX-License-Identifier: Apache-2.0
/** Ranges of minutes as ranges of names, because `date=.../hour=.../minute=...` sorts by time. */
import { FIRST_MINUTE, LAST_MINUTE, minuteFolder } from "../../domain/archive-name";
import type { ListQuery } from "./objects";

/** The minutes [from, to). */
export interface MinuteRange {
  from: number;
  to: number;
}

/** Returns the range within the years that have names; an empty range where `toMinute` is not after `fromMinute`. */
export function withinYears(fromMinute: number, toMinute: number): MinuteRange {
  const from = Math.max(Math.ceil(fromMinute), FIRST_MINUTE);
  return { from, to: Math.max(from, Math.min(Math.ceil(toMinute), LAST_MINUTE + 1)) };
}

/** Returns the names of a range that is not empty. */
export function namesOf({ from, to }: MinuteRange): ListQuery {
  return { below: "date=", from: minuteFolder(from), to: to > LAST_MINUTE ? "" : minuteFolder(to) };
}
