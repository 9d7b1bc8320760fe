import type { RejectionReason } from "./rejection";

/** One thing that happened to a video, checked against the contract. */
export interface VideoEvent {
  /** 1..128 printable ASCII. */
  eventId: string;
  /** 1..128 of `A-Z a-z 0-9 _ - . : /`. */
  videoId: string;
  /** `[A-Z][A-Z0-9_]{0,31}`. */
  eventType: string;
  /** Epoch milliseconds, UTC. */
  eventTimeMs: number;
  /** Integer, |value| <= 2^53-1, in the smallest unit. Absent counts as 0 in sums. */
  value?: number;
  /** Fields the contract does not know; kept in the archive, ignored by the counters. */
  extra?: Record<string, unknown>;
}

export const MINUTE_MS = 60_000;
export const MAX_FUTURE_MS = 5 * MINUTE_MS;
export const MAX_EVENT_ID_LENGTH = 128;

const EVENT_ID = /^[\x20-\x7e]{1,128}$/;
const VIDEO_ID = /^[A-Za-z0-9_\-.:/]{1,128}$/;
const EVENT_TYPE = /^[A-Z][A-Z0-9_]{0,31}$/;
const RFC_3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,18}))?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/;
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

export const isEventId = (text: string): boolean => EVENT_ID.test(text);
export const isVideoId = (text: string): boolean => VIDEO_ID.test(text);
export const isEventType = (text: string): boolean => EVENT_TYPE.test(text);

/** Epoch milliseconds -> minute (epoch milliseconds / 60,000, rounded down). */
export const minuteOf = (timeMs: number): number => Math.floor(timeMs / MINUTE_MS);

/** The clock and the retention an event is judged by. */
export interface AcceptanceRules {
  receivedAtMs: number;
  /** Events older than this at receipt are `too-old`; Infinity accepts any age (backfill). */
  rawRetentionMs: number;
}

/** What parsing gives: an event (its time perhaps still to be stamped), or the reason it is refused. */
export type ParsedEvent =
  | { ok: true; event: VideoEvent; stampNeeded: false }
  | { ok: true; event: VideoEvent; stampNeeded: true }
  | { ok: false; eventId: string | null; reason: RejectionReason; detail: string };

const KNOWN_FIELDS = new Set(["eventId", "videoId", "eventType", "eventTime", "value"]);

/**
 * Checks one decoded JSON value against the contract. With `stampNeeded` the event has no time of its own (no eventTime, no UUIDv7
 * id): the caller stamps it; its `eventTimeMs` is the receipt time until then.
 */
export function parseEvent(raw: unknown, rules: AcceptanceRules): ParsedEvent {
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) {
    return refuse(null, "missing-field", "an event is a JSON object with eventId, videoId and eventType");
  }
  const fields = raw as Record<string, unknown>;
  const { eventId, videoId, eventType, eventTime, value } = fields;
  const shownId = typeof eventId === "string" ? eventId.slice(0, MAX_EVENT_ID_LENGTH) : null;
  if (eventId === undefined) return refuse(shownId, "missing-field", "eventId is missing");
  if (videoId === undefined) return refuse(shownId, "missing-field", "videoId is missing");
  if (eventType === undefined) return refuse(shownId, "missing-field", "eventType is missing");
  if (typeof eventId !== "string" || !EVENT_ID.test(eventId)) {
    return refuse(shownId, "bad-event-id", "eventId must be a string of 1 to 128 printable ASCII characters");
  }
  if (typeof videoId !== "string" || !VIDEO_ID.test(videoId)) {
    return refuse(shownId, "bad-video-id", "videoId must be a string of 1 to 128 of A-Z a-z 0-9 _ - . : /");
  }
  if (typeof eventType !== "string" || !EVENT_TYPE.test(eventType)) {
    return refuse(shownId, "bad-event-type", "eventType must match [A-Z][A-Z0-9_]{0,31}");
  }
  if (value !== undefined && value !== null && !Number.isSafeInteger(value)) {
    return refuse(shownId, "bad-value", "value must be an integer with |value| <= 2^53-1");
  }
  const event: VideoEvent = { eventId, videoId, eventType, eventTimeMs: rules.receivedAtMs };
  if (typeof value === "number") event.value = value === 0 ? 0 : value;
  let stampNeeded = false;
  if (eventTime === undefined || eventTime === null) {
    const ownTimeMs = uuidV7TimeMs(eventId);
    if (ownTimeMs === undefined) stampNeeded = true;
    else event.eventTimeMs = ownTimeMs;
  } else {
    const timeMs = parseEventTime(eventTime);
    if (timeMs === undefined) {
      return refuse(shownId, "bad-event-time", "eventTime must be an RFC 3339 time or integer epoch milliseconds");
    }
    event.eventTimeMs = timeMs;
  }
  const outside = timeRejection(event.eventTimeMs, rules);
  if (outside !== undefined) return refuse(shownId, outside.reason, outside.detail);
  for (const name in fields) {
    if (KNOWN_FIELDS.has(name)) continue;
    event.extra ??= Object.create(null) as Record<string, unknown>;
    event.extra[name] = fields[name];
  }
  return { ok: true, event, stampNeeded };
}

/** `too-far-in-future` or `too-old`, or undefined where the time is acceptable. */
export function timeRejection(
  eventTimeMs: number,
  rules: AcceptanceRules,
): { reason: "too-far-in-future" | "too-old"; detail: string } | undefined {
  if (eventTimeMs > rules.receivedAtMs + MAX_FUTURE_MS) {
    return { reason: "too-far-in-future", detail: "eventTime is more than 5 minutes ahead of receipt" };
  }
  if (eventTimeMs < rules.receivedAtMs - rules.rawRetentionMs) {
    return { reason: "too-old", detail: "eventTime is older than the raw retention; use backfill" };
  }
  return undefined;
}

/** RFC 3339 text or integer epoch milliseconds -> epoch milliseconds; undefined where it is neither, or before 1970. */
export function parseEventTime(time: unknown): number | undefined {
  if (typeof time === "number")
    return Number.isSafeInteger(time) && time >= 0 && time <= MAX_TIME_MS ? time : undefined;
  if (typeof time !== "string") return undefined;
  return parseRfc3339(time);
}

/** The largest time a JavaScript Date holds (ECMA-262, 21.4.1.1). */
export const MAX_TIME_MS = 8.64e15;

/** RFC 3339 -> epoch milliseconds (digits past the millisecond dropped); undefined where the text is no such time or is before 1970. */
export function parseRfc3339(text: string): number | undefined {
  const match = RFC_3339.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction, sign, offsetHour, offsetMinute] = match;
  const [y, mo, d, h, mi, s] = [Number(year), Number(month), Number(day), Number(hour), Number(minute), Number(second)];
  if (mo < 1 || mo > 12 || d < 1 || h > 23 || mi > 59 || s > 59) return undefined;
  const milliseconds = fraction === undefined ? 0 : Number(fraction.slice(0, 3).padEnd(3, "0"));
  const date = new Date(Date.UTC(y, mo - 1, d, h, mi, s, milliseconds));
  if (date.getUTCFullYear() !== y || date.getUTCDate() !== d) return undefined;
  let offsetMs = 0;
  if (sign !== undefined) {
    const [oh, om] = [Number(offsetHour), Number(offsetMinute)];
    if (oh > 23 || om > 59) return undefined;
    offsetMs = (oh * 60 + om) * MINUTE_MS * (sign === "-" ? -1 : 1);
  }
  const timeMs = date.getTime() - offsetMs;
  return timeMs >= 0 ? timeMs : undefined;
}

/** The time inside a UUIDv7 (RFC 9562, 5.7: the first 48 bits, epoch milliseconds), or undefined for any other id. */
export function uuidV7TimeMs(eventId: string): number | undefined {
  if (!UUID_V7.test(eventId)) return undefined;
  return Number.parseInt(eventId.slice(0, 8) + eventId.slice(9, 13), 16);
}

function refuse(eventId: string | null, reason: RejectionReason, detail: string): ParsedEvent {
  return { ok: false, eventId, reason, detail };
}
