// SPDX-License-Identifier: Apache-2.0
/**
 * The judgement of JSON bodies: plain events and CloudEvents. take-body.ts calls it for HTTP and replayed letters, and
 * take-message.ts for messages of direct producers.
 */
import { EventCollector } from "./event-collector";
import { CLOUD_EVENT_NAMES, type CloudEventNames, isCloudEvent, isJsonMediaType } from "./json/cloud-event";
import { elementSlices, withoutBom } from "./json/json-text";
import { NumbersOfBody, NumbersOfTexts } from "./json/number-texts";
import { parseJson } from "./json/parse-json";
import type { IntakeProblem, IntakeRules, Taken } from "./taken";

export const JSON_TYPE = "application/json";
export const CLOUD_EVENT_TYPE = "application/cloudevents+json";
const CLOUD_EVENTS_TYPE = "application/cloudevents-batch+json";

type Events = { list: readonly unknown[]; slices: () => Buffer[] };

/**
 * Judges `application/json`: one event, an array of events, or `{"events": [...]}`. Each of them is an event or a
 * CloudEvent (structured mode). An object with an eventId is an event, and one with a specversion a CloudEvent, also
 * when one of its unknown fields is called `events`.
 */
export function takeJson(body: Buffer, rules: IntakeRules): Taken {
  const bytes = withoutBom(body);
  const parsed = parseJson(bytes);
  if (!parsed.ok) return problem("not-json", parsed.detail, body, JSON_TYPE);
  const events = eventsOf(parsed.value, bytes);
  if (events === undefined) {
    const detail = 'the body must be an event, an array of events or {"events": [...]}';
    return problem("missing-field", detail, body, JSON_TYPE);
  }
  const { maxEvents } = rules.limits;
  if (events.list.length > maxEvents) return tooManyEvents(maxEvents, body, JSON_TYPE);
  const collector = new EventCollector(rules);
  const { list, slices } = once(events);
  const numbers = new NumbersOfBody(bytes, slices);
  for (let index = 0; index < list.length; index++) collector.add(list[index], index, numbers);
  return collector.taken(slices, JSON_TYPE);
}

function eventsOf(value: unknown, bytes: Buffer): Events | undefined {
  if (Array.isArray(value)) return { list: value, slices: () => elementSlices(bytes) };
  if (typeof value !== "object" || value === null) return undefined;
  if (!Object.hasOwn(value, "eventId") && !isCloudEvent(value)) {
    const events: unknown = Object.hasOwn(value, "events") ? Reflect.get(value, "events") : undefined;
    if (Array.isArray(events)) return { list: events, slices: () => elementSlices(bytes, "events") };
  }
  return { list: [value], slices: () => [bytes] };
}

/**
 * Judges `application/cloudevents+json` (one) and `application/cloudevents-batch+json` (an array): CloudEvents in the
 * JSON format.
 */
export function takeCloudEvents(body: Buffer, isBatch: boolean, rules: IntakeRules): Taken {
  const contentType = isBatch ? CLOUD_EVENTS_TYPE : CLOUD_EVENT_TYPE;
  const bytes = withoutBom(body);
  const parsed = parseJson(bytes);
  if (!parsed.ok) return problem("not-json", parsed.detail, body, contentType);
  const { value } = parsed;
  if (Array.isArray(value) !== isBatch || typeof value !== "object" || value === null) {
    const detail = `the body must be ${isBatch ? "an array of CloudEvents" : "one CloudEvent"}`;
    return problem("missing-field", detail, body, contentType);
  }
  const list = isBatch ? (value as unknown as unknown[]) : [value];
  const { maxEvents } = rules.limits;
  if (list.length > maxEvents) return tooManyEvents(maxEvents, body, contentType);
  const { slices } = once({ list, slices: () => (isBatch ? elementSlices(bytes) : [bytes]) });
  const numbers = new NumbersOfBody(bytes, slices);
  const collector = new EventCollector(rules);
  for (let index = 0; index < list.length; index++) collector.addCloudEvent(list[index], index, numbers);
  return collector.taken(slices, CLOUD_EVENT_TYPE);
}

/** The names that CloudEvents' HTTP binding gives to the fields of an event in binary mode. */
const BINARY_NAMES: CloudEventNames = {
  ...CLOUD_EVENT_NAMES,
  eventId: "ce-id",
  videoId: "ce-subject",
  eventType: "ce-type",
  eventTime: "ce-time",
  specversion: "ce-specversion",
  source: "ce-source",
};

/**
 * Judges a CloudEvent in binary mode (HTTP binding 1.0.2, section 3.1): the attributes are headers, the body is the
 * data. The event is judged as the equivalent structured event, which its dead letter holds.
 */
export function takeBinaryCloudEvent(
  body: Buffer,
  { attributes, dataType }: { attributes: Readonly<Record<string, string>>; dataType: string },
  rules: IntakeRules,
): Taken {
  let event: Buffer;
  const data = withoutBom(body);
  const isJson = data.length > 0 && isJsonMediaType(dataType) && parseJson(data).ok;
  if (isJson) event = withMember({ datacontenttype: dataType, ...attributes }, "data", data);
  else {
    const inBase64 = { datacontenttype: dataType, data_base64: body.toString("base64") };
    event = Buffer.from(JSON.stringify(data.length > 0 ? { ...attributes, ...inBase64 } : attributes));
  }
  const parsed = parseJson(event);
  if (!parsed.ok) return problem("not-json", parsed.detail, event, CLOUD_EVENT_TYPE);
  const collector = new EventCollector(rules);
  collector.addCloudEvent(parsed.value, 0, new NumbersOfTexts([event]), BINARY_NAMES);
  return collector.taken(() => [event], CLOUD_EVENT_TYPE);
}

/** Returns the object, which has members, with one more, whose JSON text stays unchanged. */
function withMember(object: Record<string, unknown>, name: string, json: Buffer): Buffer {
  const text = JSON.stringify(object);
  return Buffer.concat([Buffer.from(`${text.slice(0, -1)},${JSON.stringify(name)}:`), json, Buffer.from("}")]);
}

function once({ list, slices }: Events): Events {
  let made: Buffer[] | undefined;
  return {
    list,
    slices: () => {
      made ??= slices();
      return made;
    },
  };
}

export function problem(
  reason: IntakeProblem["reason"],
  detail: string,
  payload: Uint8Array,
  contentType: string,
): IntakeProblem {
  return { kind: "problem", reason, detail, payload, contentType };
}

export function tooManyEvents(maxEvents: number, payload: Uint8Array, contentType: string): IntakeProblem {
  return problem("too-large", `a body or message holds at most ${maxEvents} events`, payload, contentType);
}
