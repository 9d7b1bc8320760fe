import { type AcceptanceRules, parseEvent } from "../domain/event";
import { type EventColumns, EventColumnsBuilder } from "../domain/event-columns";
import type { RejectionReason } from "../domain/rejection";
import { cloudEventFields, isCloudEvent } from "../io/json/cloud-event";
import { extraJson, extraProblem, MAX_EVENT_BYTES } from "../io/json/extra-fields";
import { elementSlices, withoutBom } from "../io/json/json-text";
import { parseJson } from "../io/json/parse-json";
import type { DeadElement } from "./elements";

/** As the write API: what is larger belongs into several messages. */
export const MAX_MESSAGE_EVENTS = 10_000;

export type JsonMessage =
  | { kind: "events"; columns: EventColumns; dead: DeadElement[] }
  | { kind: "unreadable"; reason: RejectionReason; detail: string };

type Refusal = { reason: RejectionReason; detail: string; eventId: string | null };

const OPENING = new Set(["{".charCodeAt(0), "[".charCodeAt(0)]);

/** Whether the bytes mean to be JSON events: an object or an array, perhaps behind white space or a byte order mark. */
export function startsAsJson(payload: Buffer): boolean {
  const bytes = withoutBom(payload);
  let at = 0;
  while (at < bytes.length && (bytes[at] === 0x20 || (bytes[at]! >= 0x09 && bytes[at]! <= 0x0d))) at++;
  return OPENING.has(bytes[at] ?? 0);
}

/**
 * A message of JSON events: one, an array of them, `{"events": [...]}`; each an event or a CloudEvent (structured mode). What has no time of its own
 * has that of the message's receipt, which is the same for every reader and redelivery. Refused events keep the bytes they came as.
 */
export function jsonMessage(payload: Buffer, rules: AcceptanceRules): JsonMessage {
  const bytes = withoutBom(payload);
  const parsed = parseJson(bytes);
  if (!parsed.ok) return { kind: "unreadable", reason: "not-json", detail: parsed.detail };
  const { list, slices } = listOf(parsed.value, bytes);
  if (list.length > MAX_MESSAGE_EVENTS) {
    const detail = `a message holds at most ${MAX_MESSAGE_EVENTS} JSON events, not ${list.length}`;
    return { kind: "unreadable", reason: "too-large", detail };
  }
  const builder = new EventColumnsBuilder();
  const refused: [number, Refusal][] = [];
  for (let index = 0; index < list.length; index++) {
    const refusal = addEvent(builder, list[index], rules);
    if (refusal !== undefined) refused.push([index, refusal]);
  }
  if (refused.length === 0) return { kind: "events", columns: builder.build(), dead: [] };
  const payloads = slices();
  const dead = refused.map(([index, { reason, detail, eventId }]): DeadElement => {
    const contentType = isCloudEvent(list[index]) ? "application/cloudevents+json" : "application/json";
    const letter = { reason, detail, receivedAtMs: rules.receivedAtMs, payload: payloads[index]!, contentType };
    return eventId === null ? letter : { ...letter, eventId };
  });
  return { kind: "events", columns: builder.build(), dead };
}

/** An object with an eventId is an event, and one with a specversion a CloudEvent, also when an unknown field of it is called `events`. */
function listOf(value: unknown, bytes: Buffer): { list: readonly unknown[]; slices: () => Buffer[] } {
  if (Array.isArray(value)) return { list: value, slices: () => elementSlices(bytes) };
  if (typeof value === "object" && value !== null && !Object.hasOwn(value, "eventId") && !isCloudEvent(value)) {
    const events: unknown = Object.hasOwn(value, "events") ? Reflect.get(value, "events") : undefined;
    if (Array.isArray(events)) return { list: events, slices: () => elementSlices(bytes, "events") };
  }
  return { list: [value], slices: () => [bytes] };
}

function addEvent(builder: EventColumnsBuilder, raw: unknown, rules: AcceptanceRules): Refusal | undefined {
  let fields = raw;
  if (isCloudEvent(raw)) {
    const mapped = cloudEventFields(raw);
    if (!mapped.ok) return mapped;
    fields = mapped.fields;
  }
  const parsed = parseEvent(fields, rules);
  if (!parsed.ok) return parsed;
  const { event } = parsed;
  if (event.extra === undefined) {
    builder.add(event);
    return undefined;
  }
  const text = extraJson(event.extra);
  const detail = extraProblem(text, MAX_EVENT_BYTES);
  if (detail !== undefined) return { reason: "too-large", detail, eventId: event.eventId };
  builder.add(event, text);
  return undefined;
}
