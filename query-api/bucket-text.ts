// SPDX-License-Identifier: Apache-2.0
/**
 * Buckets as JSON text, concatenated directly: every default answer has a day of minutes, and the text takes most of
 * its time. The series of videos and of channels are written with it.
 */
import { hash } from "node:crypto";
import { DAY_MS, hourOf, MINUTE_MS } from "../domain/rules/time";
import type { BucketState } from "./bucket-state";
import type { BucketedRange } from "./range";
import { type Aggregates, NOTHING } from "./series";

const TWO_DIGITS = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, "0"));

/** The buckets of an answer as text, and what the text is made from, in short: the same of no other buckets. */
interface BucketsText {
  text: string;
  digest: string;
}

/**
 * Returns the buckets' text. `memberOf` is the text of a bucket's member between its start and its state, such as
 * `"count":3`. Revisions and sources are shown after the state.
 */
export function bucketsText(
  range: BucketedRange,
  states: readonly BucketState[],
  memberOf: (aggregates: Aggregates) => string,
  buckets: readonly Aggregates[],
): BucketsText {
  const blank = blankOf(range, states, memberOf(NOTHING));
  let text = "";
  let digest = blank.hash;
  let at = 0;
  for (let bucket = 0; bucket < buckets.length; bucket++) {
    const aggregates = buckets[bucket]!;
    if (aggregates === NOTHING) continue;
    const member = memberOf(aggregates);
    const history = `${revisionText(aggregates)}${sourceText(aggregates)}`;
    if (history === "" && member === blank.member) continue;
    text += `${blank.text.slice(at, blank.memberAt[bucket])}${member}`;
    at = blank.memberAt[bucket]! + blank.member.length;
    digest += ` ${bucket}${member}${history}`;
    if (history === "") continue;
    text += `${blank.text.slice(at, blank.endAt[bucket])}${history}`;
    at = blank.endAt[bucket]!;
  }
  return { text: text + blank.text.slice(at), digest };
}

/** The buckets' text without a member: each with its start and its state alone. */
export function bareBucketsText(range: BucketedRange, states: readonly BucketState[]): string {
  return blankOf(range, states, "").text;
}

/** Buckets of which none has an event. Of all videos that are asked for in one range, most buckets are such. */
interface Blank {
  range: BucketedRange;
  /** The member of each bucket. */
  member: string;
  text: string;
  hash: string;
  /** Where in the text each bucket's member begins, and where the bucket's brace closes. */
  memberAt: readonly number[];
  endAt: readonly number[];
}

/** The last blank of these states, which are the same array for as long as they are equal (bucket-state.ts). */
const blanks = new WeakMap<readonly BucketState[], Blank>();

function blankOf(range: BucketedRange, states: readonly BucketState[], member: string): Blank {
  const known = blanks.get(states);
  if (known !== undefined && known.range === range && known.member === member) return known;
  const [memberAt, endAt]: number[][] = [[], []];
  let text = "[";
  for (const [bucket, start] of bucketStarts(range).entries()) {
    text += `${bucket === 0 ? "" : ","}{"start":"${start}",`;
    memberAt!.push(text.length);
    text += `${member}${member === "" ? "" : ","}"state":"${states[bucket]}"`;
    endAt!.push(text.length);
    text += "}";
  }
  text += "]";
  const blank = { range, member, text, hash: hash("sha1", text, "base64url"), memberAt: memberAt!, endAt: endAt! };
  blanks.set(states, blank);
  return blank;
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
