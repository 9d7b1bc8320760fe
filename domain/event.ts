// SPDX-License-Identifier: Apache-2.0
/**
 * The contract of one event: its fields, their bounds, and the check that makes an event of a JSON value. The intake
 * (intake/) judges every event with it, on whatever road the event arrives.
 */
import { isIntegerText } from "./decimal-text";
import type { RejectionReason } from "./rejection";
import { DAY_MS, MINUTE_MS } from "./rules/time";

/** One event of a video, checked against the contract. */
export interface VideoEvent {
  /** 1..128 characters of printable ASCII. */
  eventId: string;
  /** 1..128 characters of `A-Z a-z 0-9 _ - . : /`. */
  videoId: string;
  /** `[A-Z][A-Z0-9_]{0,31}`. */
  eventType: string;
  /** Epoch milliseconds, UTC. */
  eventTimeMs: number;
  /** An integer, |value| <= 2^53-1, in the smallest unit. An absent value adds 0 to sums. */
  value?: number;
  /** Fields that the contract does not know. The archive keeps them; the counters ignore them. */
  extra?: Record<string, unknown>;
}

const MAX_FUTURE_MS = 5 * MINUTE_MS;
const MAX_EVENT_ID_LENGTH = 128;

const EVENT_ID = /^[\x20-\x7e]{1,128}$/;
const VIDEO_ID = /^[A-Za-z0-9_\-.:/]{1,128}$/;
/** The pattern of event types, as schemas of JSON name it. */
export const EVENT_TYPE_PATTERN = "^[A-Z][A-Z0-9_]{0,31}$";
const EVENT_TYPE = new RegExp(EVENT_TYPE_PATTERN);
const RFC_3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/;
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

export const isEventId = (text: string): boolean => EVENT_ID.test(text);
export const isVideoId = (text: string): boolean => VIDEO_ID.test(text);
export const isEventType = (text: string): boolean => EVENT_TYPE.test(text);

/** Returns the minute of a time: epoch milliseconds / 60,000, rounded down. */
export const minuteOf = (timeMs: number): number => Math.floor(timeMs / MINUTE_MS);

/** The rules that an event is judged by: its receipt time, the retention, and the admitted event types. */
export interface AcceptanceRules {
  receivedAtMs: number;
  /** Events older than this at receipt are `too-old`. Infinity accepts any age (backfill). */
  rawRetentionMs: number;
  /**
   * The write API has accepted the event before. Its time and its type are judged no more, whatever clocks and limits
   * say now.
   */
  alreadyAccepted?: boolean;
  /**
   * Returns whether the deployment has this event type, or has room for one more. Where it is absent, every type is
   * admitted.
   */
  admitsType?: (eventType: string) => boolean;
}

/** The names that the sender's format gives to the fields of an event. Refusals use these names. */
export interface FieldNames {
  event: string;
  eventId: string;
  videoId: string;
  eventType: string;
  eventTime: string;
  value: string;
}

export const EVENT_FIELD_NAMES: FieldNames = {
  event: "an event",
  eventId: "eventId",
  videoId: "videoId",
  eventType: "eventType",
  eventTime: "eventTime",
  value: "value",
};

/** The decimal texts of numbers whose doubles may hide a fraction (see isIntegerText). */
export interface NumberTexts {
  value?: string;
  eventTime?: string;
}

export const TOO_MANY_TYPES =
  "is not among the event types of this deployment, which has as many as maxEventTypes allows";

/** The result of parsing: an event, whose time may still have to be stamped, or the reason for its refusal. */
type ParsedEvent =
  | { ok: true; event: VideoEvent; stampNeeded: false }
  | { ok: true; event: VideoEvent; stampNeeded: true }
  | { ok: false; eventId: string | null; reason: RejectionReason; detail: string };

/** A chain of comparisons, because names of JSON members are unique strings and a Set would hash each of them. */
const isKnownField = (name: string): boolean =>
  name === "eventId" || name === "videoId" || name === "eventType" || name === "eventTime" || name === "value";

/**
 * Checks one decoded JSON value against the contract. `stampNeeded` marks an event without a time of its own (no
 * eventTime, no UUIDv7 id): its `eventTimeMs` is the receipt time until the caller stamps it.
 */
export function parseEvent(
  raw: unknown,
  rules: AcceptanceRules,
  names: FieldNames = EVENT_FIELD_NAMES,
  texts?: NumberTexts,
): ParsedEvent {
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) {
    const detail = `${names.event} is a JSON object with ${names.eventId}, ${names.videoId} and ${names.eventType}`;
    return refuse(null, "missing-field", detail);
  }
  const fields = raw as Record<string, unknown>;
  const { eventId, videoId, eventType, eventTime, value } = fields;
  const badName = nameRejection(eventId, videoId, eventType, rules, names);
  if (badName !== undefined) return refuse(eventId, badName.reason, badName.detail);
  if (value !== undefined && value !== null && !isInteger(value, texts?.value)) {
    return refuse(eventId, "bad-value", `${names.value} must be an integer with |value| <= 2^53-1`);
  }
  const event: VideoEvent = {
    eventId: eventId as string,
    videoId: videoId as string,
    eventType: eventType as string,
    eventTimeMs: rules.receivedAtMs,
  };
  if (typeof value === "number") event.value = value === 0 ? 0 : value;
  let stampNeeded = false;
  if (eventTime === undefined || eventTime === null) {
    const ownTimeMs = uuidV7TimeMs(event.eventId);
    if (ownTimeMs === undefined) stampNeeded = true;
    else event.eventTimeMs = ownTimeMs;
  } else {
    const timeMs =
      texts?.eventTime === undefined || isIntegerText(texts.eventTime) ? parseEventTime(eventTime) : undefined;
    if (timeMs === undefined) {
      return refuse(
        eventId,
        "bad-event-time",
        `${names.eventTime} must be an RFC 3339 time or integer epoch milliseconds`,
      );
    }
    event.eventTimeMs = timeMs;
  }
  const outside = timeRejection(event.eventTimeMs, rules, names.eventTime);
  if (outside !== undefined) return refuse(eventId, outside.reason, outside.detail);
  for (const name in fields) {
    if (isKnownField(name)) continue;
    event.extra ??= Object.create(null) as Record<string, unknown>;
    event.extra[name] = fields[name];
  }
  return { ok: true, event, stampNeeded };
}

type Refusal = { reason: RejectionReason; detail: string };

/** Returns why the id, the video or the type is refused, or undefined. */
function nameRejection(
  eventId: unknown,
  videoId: unknown,
  eventType: unknown,
  rules: AcceptanceRules,
  names: FieldNames,
): Refusal | undefined {
  if (eventId === undefined) return { reason: "missing-field", detail: `${names.eventId} is missing` };
  if (videoId === undefined) return { reason: "missing-field", detail: `${names.videoId} is missing` };
  if (eventType === undefined) return { reason: "missing-field", detail: `${names.eventType} is missing` };
  if (typeof eventId !== "string" || !EVENT_ID.test(eventId)) {
    const detail = `${names.eventId} must be a string of 1 to 128 printable ASCII characters`;
    return { reason: "bad-event-id", detail };
  }
  if (typeof videoId !== "string" || !VIDEO_ID.test(videoId)) {
    const detail = `${names.videoId} must be a string of 1 to 128 of A-Z a-z 0-9 _ - . : /`;
    return { reason: "bad-video-id", detail };
  }
  if (typeof eventType !== "string" || !EVENT_TYPE.test(eventType)) {
    return { reason: "bad-event-type", detail: `${names.eventType} must match [A-Z][A-Z0-9_]{0,31}` };
  }
  if (rules.admitsType?.(eventType) === false) {
    return { reason: "bad-event-type", detail: `${names.eventType} ${eventType} ${TOO_MANY_TYPES}` };
  }
  return undefined;
}

/**
 * Returns whether a JSON number is an integer within the bounds; the number's text decides where a double may have
 * rounded it.
 */
function isInteger(value: unknown, text: string | undefined): value is number {
  return Number.isSafeInteger(value) && (text === undefined || isIntegerText(text));
}

/** Returns `too-far-in-future` or `too-old`, or undefined where the time is acceptable. */
export function timeRejection(
  eventTimeMs: number,
  rules: AcceptanceRules,
  name = EVENT_FIELD_NAMES.eventTime,
): { reason: "too-far-in-future" | "too-old"; detail: string } | undefined {
  if (rules.alreadyAccepted === true) return undefined;
  if (eventTimeMs > rules.receivedAtMs + MAX_FUTURE_MS) {
    return { reason: "too-far-in-future", detail: `${name} is more than 5 minutes ahead of receipt` };
  }
  if (eventTimeMs < rules.receivedAtMs - rules.rawRetentionMs) {
    return { reason: "too-old", detail: `${name} is older than the raw retention; use backfill` };
  }
  return undefined;
}

/**
 * Returns the epoch milliseconds of an RFC 3339 text or of integer epoch milliseconds; undefined for any other value
 * and for times before 1970.
 */
function parseEventTime(time: unknown): number | undefined {
  // Adding 0 turns minus zero into zero.
  if (typeof time === "number")
    return Number.isSafeInteger(time) && time >= 0 && time <= MAX_TIME_MS ? time + 0 : undefined;
  if (typeof time !== "string") return undefined;
  return parseRfc3339(time);
}

/** The largest time a JavaScript Date holds (ECMA-262, 21.4.1.1). */
export const MAX_TIME_MS = 8.64e15;

/** The last time that RFC 3339 can express in UTC, 9999-12-31T23:59:59.999Z. */
export const MAX_RFC_3339_MS = 253_402_300_799_999;

/**
 * Parses RFC 3339 into epoch milliseconds and drops all digits past the millisecond. Returns undefined where the text
 * is no such time, or where the time is before 1970 or after the year 9999 in UTC. A leap second, `23:59:60` UTC at the
 * end of a month (section 5.7), becomes the last millisecond of its minute. Epoch milliseconds have no other value for
 * a leap second, and this one keeps it in its own minute, hour and day.
 */
export function parseRfc3339(text: string): number | undefined {
  return parseCanonical(text) ?? parseAny(text);
}

const DAYS_OF_MONTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const SEPARATORS: readonly [at: number, code: number][] = [
  [4, 0x2d],
  [7, 0x2d],
  [10, 0x54],
  [13, 0x3a],
  [16, 0x3a],
];

/**
 * Parses the form that Date.toISOString writes, with or without milliseconds; this form costs a fifth of the others.
 * Returns undefined for every other text, and for the 29th of February.
 */
function parseCanonical(text: string): number | undefined {
  if (text.length !== 24 && text.length !== 20) return undefined;
  if (text.charCodeAt(text.length - 1) !== 0x5a) return undefined;
  for (const [at, code] of SEPARATORS) if (text.charCodeAt(at) !== code) return undefined;
  const year = digits(text, 0, 4);
  const month = digits(text, 5, 2);
  const day = digits(text, 8, 2);
  const hour = digits(text, 11, 2);
  const minute = digits(text, 14, 2);
  const second = digits(text, 17, 2);
  const millis = text.length === 20 ? 0 : text.charCodeAt(19) === 0x2e ? digits(text, 20, 3) : -1;
  const hasAll = year >= 1970 && month >= 1 && day >= 1 && hour >= 0 && minute >= 0 && second >= 0 && millis >= 0;
  if (!hasAll || month > 12 || day > DAYS_OF_MONTHS[month - 1]! || hour > 23 || minute > 59 || second > 59)
    return undefined;
  return Date.UTC(year, month - 1, day, hour, minute, second, millis);
}

/** The number of so many digits from a place on; negative where one of them is no digit. */
function digits(text: string, from: number, length: number): number {
  let value = 0;
  for (let at = from; at < from + length; at++) {
    const digit = text.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

function parseAny(text: string): number | undefined {
  const match = RFC_3339.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction, sign, offsetHour, offsetMinute] = match;
  const [y, mo, d, h, mi, s] = [Number(year), Number(month), Number(day), Number(hour), Number(minute), Number(second)];
  if (mo < 1 || mo > 12 || d < 1 || h > 23 || mi > 59 || s > 60) return undefined;
  const isLeapSecond = s === 60;
  const milliseconds = fraction === undefined ? 0 : Number(fraction.slice(0, 3).padEnd(3, "0"));
  const date = new Date(Date.UTC(y, mo - 1, d, h, mi, isLeapSecond ? 59 : s, isLeapSecond ? 999 : milliseconds));
  if (date.getUTCFullYear() !== y || date.getUTCDate() !== d) return undefined;
  let offsetMs = 0;
  if (sign !== undefined) {
    const [oh, om] = [Number(offsetHour), Number(offsetMinute)];
    if (oh > 23 || om > 59) return undefined;
    offsetMs = (oh * 60 + om) * MINUTE_MS * (sign === "-" ? -1 : 1);
  }
  const timeMs = date.getTime() - offsetMs;
  if (isLeapSecond && !endsMonth(timeMs)) return undefined;
  return timeMs >= 0 && timeMs <= MAX_RFC_3339_MS ? timeMs : undefined;
}

/** Returns whether the next millisecond begins a month in UTC. */
function endsMonth(timeMs: number): boolean {
  const nextMs = timeMs + 1;
  return nextMs % DAY_MS === 0 && new Date(nextMs).getUTCDate() === 1;
}

/**
 * Returns the time inside a UUIDv7 (RFC 9562, 5.7: the first 48 bits, epoch milliseconds), or undefined for any other
 * id.
 */
export function uuidV7TimeMs(eventId: string): number | undefined {
  if (!UUID_V7.test(eventId)) return undefined;
  return Number.parseInt(eventId.slice(0, 8) + eventId.slice(9, 13), 16);
}

function refuse(eventId: unknown, reason: RejectionReason, detail: string): ParsedEvent {
  const shownId = typeof eventId === "string" ? eventId.slice(0, MAX_EVENT_ID_LENGTH) : null;
  return { ok: false, eventId: shownId, reason, detail };
}
