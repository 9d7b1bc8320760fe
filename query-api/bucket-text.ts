// SPDX-License-Identifier: Apache-2.0
/**
 * Buckets as JSON text, concatenated directly: every default answer has a day of minutes, and the text takes most of
 * its time. The series of videos and of channels are written by it.
 */
import { DAY_MS, hourOf, MINUTE_MS } from "../domain/rules/time";
import type { BucketState } from "./bucket-state";
import type { BucketedRange } from "./range";
import type { Aggregates } from "./series";

const TWO_DIGITS = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, "0"));

/**
 * Returns the buckets' text. `members(bucket)` is the text of a bucket's members between its start and its state, such
 * as `"count":3`. `cells` are the cells whose revisions and sources are shown.
 */
export function bucketsText(
  range: BucketedRange,
  states: readonly BucketState[],
  members: (bucket: number) => string,
  cells?: readonly Pick<Aggregates, "revision" | "source">[],
): string {
  const texts = bucketStarts(range).map((start, bucket) => {
    const text = members(bucket);
    const history = cells === undefined ? "" : `${revisionText(cells[bucket]!)}${sourceText(cells[bucket]!)}`;
    return `{"start":"${start}",${text}${text === "" ? "" : ","}"state":"${states[bucket]}"${history}}`;
  });
  return `[${texts.join(",")}]`;
}

/** Says that part of the value was read from a roll-up. */
export const sourceText = ({ source }: Pick<Aggregates, "source">): string =>
  source === undefined ? "" : `,"source":"${source}"`;

/** The member that says how often a value changed after it was first final; left out while the value never did. */
export const revisionText = ({ revision }: { revision: number }): string =>
  revision === 0 ? "" : `,"revision":${revision}`;

/** Formats times as toISOString does, and writes each date once. */
function bucketStarts({ edges, buckets }: BucketedRange): string[] {
  const starts: string[] = [];
  let day = Number.NaN;
  let date = "";
  for (let bucket = 0; bucket < buckets; bucket++) {
    const atMs = edges[bucket]!;
    const thisDay = Math.floor(atMs / DAY_MS);
    if (thisDay !== day) {
      day = thisDay;
      date = new Date(atMs).toISOString().split("T")[0]!;
    }
    const minute = (atMs - day * DAY_MS) / MINUTE_MS;
    starts.push(`${date}T${TWO_DIGITS[hourOf(minute)]}:${TWO_DIGITS[minute % 60]}:00.000Z`);
  }
  return starts;
}

/** Adds a member, given as text, to the end of a JSON object. */
export function withMember(object: object, name: string, text: string): string {
  return `${JSON.stringify(object).slice(0, -1)},"${name}":${text}}`;
}
