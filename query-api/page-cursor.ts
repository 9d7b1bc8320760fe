// SPDX-License-Identifier: Apache-2.0
/** The cursor of a series' next page, which asked-range.ts gives and takes. */
import { BUCKET_UNITS, type BucketUnit, calendarOf } from "../domain/calendar";
import { MINUTE_MS } from "../domain/rules/time";
import { LAST_END_MS, type Range } from "./range";

/** The state that the next page of a long answer needs: the range of the first page, cut in the same way. */
export interface PageCursor extends Range {
  /** The start of the next page. */
  nextMs: number;
  granularity: BucketUnit;
  tz: string | undefined;
}

/** Returns the cursor as text that is opaque to clients. */
export function cursorText({ startMs, endMs, nextMs, granularity, tz }: PageCursor): string {
  return Buffer.from(JSON.stringify([startMs, endMs, nextMs, granularity, tz ?? ""])).toString("base64url");
}

/** Returns undefined for a cursor that no answer has given. */
export function parseCursor(text: string): PageCursor | undefined {
  let content: unknown;
  try {
    content = JSON.parse(Buffer.from(text, "base64url").toString());
  } catch {
    return undefined;
  }
  if (!Array.isArray(content) || content.length !== 5) return undefined;
  const [startMs, endMs, nextMs, granularity, tz] = content as unknown[];
  const times = [startMs, endMs, nextMs].every(isEdge);
  if (!times || !(BUCKET_UNITS as readonly unknown[]).includes(granularity) || typeof tz !== "string") return undefined;
  // The buckets of an unknown zone would be cut by UTC, and called that zone's.
  if (tz !== "" && calendarOf(tz) === undefined) return undefined;
  const cursor = { startMs, endMs, nextMs, granularity, tz: tz === "" ? undefined : tz } as PageCursor;
  const isWithin = cursor.startMs < cursor.nextMs && cursor.nextMs < cursor.endMs;
  return isWithin && cursorText(cursor) === text ? cursor : undefined;
}

/** Whether a bucket may begin or end there. Beyond the year 9999 a calendar would look for months without an end. */
const isEdge = (time: unknown): boolean =>
  typeof time === "number" && time >= 0 && time <= LAST_END_MS && time % MINUTE_MS === 0;
