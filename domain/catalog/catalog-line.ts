// SPDX-License-Identifier: Apache-2.0
/**
 * The lines of the video catalog, and the check of each line. `viewmill catalog` and the read API's catalog endpoint
 * accept lines with it, and the catalog store keeps the result.
 */
import { isVideoId, parseRfc3339 } from "../event";
import { MINUTE_MS } from "../rules/time";
import { UNKNOWN_CHANNEL } from "./channel-history";

/** One line of the catalog. An absent field keeps the stored value; null removes the stored value. */
export interface CatalogVideo {
  videoId: string;
  title?: string | null;
  channelId?: string | null;
  channelTitle?: string | null;
  publishedAtMs?: number | null;
  /**
   * The first whole minute from which `channelId` holds. Where it is absent, `changed` in channel-history.ts chooses
   * the minute.
   */
  channelFromMinute?: number;
}

export interface CatalogChannel {
  channelId: string;
  title?: string | null;
}

export type LineRead<T> = { ok: true; entry: T } | { ok: false; detail: string };

export const MAX_TITLE_CHARACTERS = 500;

/** Channel ids are written as video ids are. */
export const isChannelId = (text: string): boolean => isVideoId(text);

/**
 * Reads a line of the catalog from parsed JSON, or from a row of CSV under the names of its columns. Ignores unknown
 * fields.
 */
export function readCatalogVideo(value: unknown): LineRead<CatalogVideo> {
  const fields = fieldsOf(value);
  if (fields === undefined) return refuse("an object is wanted");
  const { videoId } = fields;
  if (typeof videoId !== "string" || !isVideoId(videoId)) return refuse("videoId: 1 to 128 of A-Z a-z 0-9 _ - . : /");
  const entry: CatalogVideo = { videoId };
  const wrong =
    readTitle(fields, "title", entry) ??
    readChannelId(fields, entry) ??
    readTitle(fields, "channelTitle", entry) ??
    readTimes(fields, entry);
  return wrong === undefined ? { ok: true, entry } : refuse(wrong);
}

export function readCatalogChannel(value: unknown): LineRead<CatalogChannel> {
  const fields = fieldsOf(value);
  if (fields === undefined) return refuse("an object is wanted");
  const entry: { channelId?: string | null; title?: string | null } = {};
  const wrong = readChannelId(fields, entry) ?? readTitle(fields, "title", entry);
  if (wrong !== undefined) return refuse(wrong);
  const { channelId, title } = entry;
  if (typeof channelId !== "string") return refuse("channelId: 1 to 128 of A-Z a-z 0-9 _ - . : /");
  return { ok: true, entry: title === undefined ? { channelId } : { channelId, title } };
}

type Fields = Readonly<Record<string, unknown>>;

const fieldsOf = (value: unknown): Fields | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;

function readTitle<K extends "title" | "channelTitle">(
  fields: Fields,
  name: K,
  into: { [Key in K]?: string | null },
): string | undefined {
  const title = fields[name];
  if (title === undefined) return undefined;
  if (title !== null && (typeof title !== "string" || !isTitle(title)))
    return `${name}: 1 to ${MAX_TITLE_CHARACTERS} characters without control characters, or null`;
  into[name] = title;
  return undefined;
}

function isTitle(text: string): boolean {
  if (text.length === 0 || text.length > MAX_TITLE_CHARACTERS) return false;
  return /^[ -~]*$/.test(text) || (text.isWellFormed() && !/\p{Cc}/u.test(text));
}

function readChannelId(fields: Fields, into: { channelId?: string | null }): string | undefined {
  const { channelId } = fields;
  if (channelId === undefined) return undefined;
  if (channelId === UNKNOWN_CHANNEL) return `channelId: "${UNKNOWN_CHANNEL}" stands for videos without a known channel`;
  if (channelId !== null && (typeof channelId !== "string" || !isChannelId(channelId)))
    return "channelId: 1 to 128 of A-Z a-z 0-9 _ - . : /, or null";
  into.channelId = channelId;
  return undefined;
}

function readTimes(fields: Fields, into: CatalogVideo): string | undefined {
  const { publishedAt, channelSince } = fields;
  if (publishedAt === null) into.publishedAtMs = null;
  else if (publishedAt !== undefined) {
    const timeMs = timeOf(publishedAt);
    if (timeMs === undefined) return "publishedAt: RFC 3339 or epoch milliseconds, since 1970, or null";
    into.publishedAtMs = timeMs;
  }
  if (channelSince === undefined) return undefined;
  const sinceMs = timeOf(channelSince);
  if (sinceMs === undefined) return "channelSince: RFC 3339 or epoch milliseconds, since 1970";
  if (into.channelId === undefined) return "channelSince: of use with channelId only";
  into.channelFromMinute = Math.ceil(sinceMs / MINUTE_MS);
  return undefined;
}

function timeOf(value: unknown): number | undefined {
  if (typeof value === "string") return parseRfc3339(value);
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= MAX_TIME_MS
    ? value
    : undefined;
}

/** The end of the year 9999. */
const MAX_TIME_MS = 253_402_300_799_999;

const refuse = (detail: string): { ok: false; detail: string } => ({ ok: false, detail });
