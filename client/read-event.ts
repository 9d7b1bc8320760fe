// SPDX-License-Identifier: Apache-2.0
/** The check of an event before it is queued. ViewmillClient calls it with whatever the application passes. */
import type { EventErrorReason } from "./errors";
import { messageOf } from "./message-of";
import { uuidV7 } from "./uuid-v7";

/**
 * COUNT counts the event; SUM and AVERAGE need its value, too. The read API computes all of them from the same events.
 */
export type EventFunction = "COUNT" | "SUM" | "AVERAGE";

export interface ClientEvent {
  videoId: string;
  eventType: string;
  /** Default COUNT, or SUM where there is a value. */
  function?: EventFunction;
  /** An integer, |value| <= 2^53-1, in the smallest unit. */
  value?: number;
  /** Default: a new UUIDv7. With a given id, a repeat across processes counts once. */
  eventId?: string;
  /** Default: the time of the call. */
  eventTime?: Date | number;
}

/** An event in the form in which it is sent, or why no request can carry it. */
export type ReadEvent =
  | { eventId: string; json: string; problem?: undefined }
  | { eventId: string | null; problem: { reason: EventErrorReason; detail: string } };

/**
 * Reads a call's argument for an event, each field once: a getter or a Proxy may throw, or return something else the
 * second time. Finds faults that the server could not see, or that JSON cannot carry; the server judges all others.
 * Never throws.
 */
export function readEvent(value: unknown, nowMs: number, maxChars: number): ReadEvent {
  let given: Given;
  try {
    if (typeof value !== "object" || value === null)
      return badEvent(`an event is an object, not ${value === null ? "null" : `a value of type ${typeof value}`}`);
    given = fieldsOf(value as Partial<Record<keyof ClientEvent, unknown>>);
  } catch (error) {
    return badEvent(`the event cannot be read: ${messageOf(error)}`);
  }
  const eventTimeMs = given.eventTime === undefined ? nowMs : given.eventTime;
  const eventId = given.eventId ?? uuidV7(eventTimeMs >= 0 && eventTimeMs < 2 ** 48 ? eventTimeMs : nowMs);
  const problem = problemOf(given, eventId, eventTimeMs);
  if (problem !== undefined) return { eventId: typeof eventId === "string" ? eventId : null, problem };
  const { videoId, eventType, value: number } = given as { videoId: string; eventType: string; value?: number };
  const id = eventId as string;
  // A text of half a billion characters makes JSON.stringify throw.
  if (videoId.length + eventType.length + id.length > maxChars)
    return { eventId: id.slice(0, 128), problem: { reason: "too-large", detail: "the event is larger than a batch" } };
  return {
    eventId: id,
    json: JSON.stringify({ eventId: id, videoId, eventType, eventTime: eventTimeMs, value: number }),
  };
}

interface Given {
  videoId: unknown;
  eventType: unknown;
  function: unknown;
  value: unknown;
  eventId: unknown;
  /** Epoch milliseconds; NaN: an invalid time; undefined: the event has none. */
  eventTime: number | undefined;
}

function fieldsOf(event: Partial<Record<keyof ClientEvent, unknown>>): Given {
  const { videoId, eventType, function: fn, value, eventId, eventTime } = event;
  return { videoId, eventType, function: fn, value, eventId, eventTime: timeMsOf(eventTime) };
}

function timeMsOf(time: unknown): number | undefined {
  if (time === undefined || time === null) return undefined;
  if (typeof time === "number") return time;
  try {
    return Date.prototype.getTime.call(time);
  } catch {
    return Number.NaN;
  }
}

function problemOf({ videoId, eventType, function: fn, value }: Given, eventId: unknown, eventTimeMs: number) {
  const because = (reason: EventErrorReason, detail: string) => ({ reason, detail });
  if (typeof eventId !== "string") return because("bad-event-id", "eventId must be a string");
  if (typeof videoId !== "string") return because("bad-video-id", "videoId must be a string");
  if (typeof eventType !== "string") return because("bad-event-type", "eventType must be a string");
  if (!Number.isFinite(eventTimeMs)) return because("bad-event-time", "eventTime must be a Date or epoch milliseconds");
  if (fn !== undefined && fn !== "COUNT" && fn !== "SUM" && fn !== "AVERAGE")
    return because("bad-event", "function must be COUNT, SUM or AVERAGE");
  if (value !== undefined && !Number.isSafeInteger(value))
    return because("bad-value", "value must be an integer, |value| <= 2^53-1");
  if (fn === "COUNT" && value !== undefined) return because("bad-value", "COUNT takes no value");
  if ((fn === "SUM" || fn === "AVERAGE") && value === undefined) return because("bad-value", `${fn} needs a value`);
  return undefined;
}

const badEvent = (detail: string): ReadEvent => ({ eventId: null, problem: { reason: "bad-event", detail } });
