// SPDX-License-Identifier: Apache-2.0
/**
 * CloudEvents in the JSON format: what is one, and which of its attributes become fields of an event. The intake asks
 * for every JSON value, whether it is one.
 */
import { type FieldNames, type NumberTexts, parseRfc3339 } from "../../domain/event";
import type { RejectionReason } from "../../domain/rejection";
import { type NumberSource, NumbersOfTexts } from "./number-texts";
import { parseJson } from "./parse-json";

/** The members of an event as a CloudEvent carries them, still to be checked, or why the CloudEvent holds no event. */
type CloudEventFields =
  | { ok: true; fields: Record<string, unknown>; texts: NumberTexts }
  | { ok: false; eventId: string | null; reason: RejectionReason; detail: string };

/** The names of an event's fields, and of the attributes that every CloudEvent needs beside them. */
export interface CloudEventNames extends FieldNames {
  specversion: string;
  source: string;
}

/** The names that the JSON format gives to the fields of an event. */
export const CLOUD_EVENT_NAMES: CloudEventNames = {
  event: "a CloudEvent",
  eventId: "id",
  videoId: "subject",
  eventType: "type",
  eventTime: "time",
  value: "data.value",
  specversion: "specversion",
  source: "source",
};

const MAPPED = new Set(["id", "subject", "type", "time", "data"]);
/** Base64 with padding (RFC 4648, section 4). Node's own decoder stops at an unknown character without an error. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const JSON_MEDIA_TYPE = /^(?:application|text)\/json$|\+json$/;

/** Returns whether the value is an object with `specversion`, which every CloudEvent needs, and no event of ours. */
export const isCloudEvent = (raw: unknown): boolean => isObject(raw) && "specversion" in raw && !("eventId" in raw);

/** Returns whether a media type, its parameters aside, declares JSON. */
export const isJsonMediaType = (mediaType: string): boolean =>
  JSON_MEDIA_TYPE.test((mediaType.split(";")[0] ?? "").trim().toLowerCase());

/**
 * Reads CloudEvents 1.0.2 in the JSON format: id, subject = videoId, type = eventType, time, data.value, where the data
 * may be in `data_base64`. Everything else, extension attributes included, is kept under `cloudevent`. Data of a
 * `datacontenttype` other than JSON is refused, because a value in such data would be lost. `index` is the position of
 * the event in its source.
 */
export function cloudEventFields(
  raw: unknown,
  index: number,
  numbers: NumberSource,
  names: CloudEventNames,
): CloudEventFields {
  if (!isObject(raw)) {
    return {
      ok: false,
      eventId: null,
      reason: "missing-field",
      detail: "a CloudEvent is a JSON object with id, subject and type",
    };
  }
  const { id, subject, type, time } = raw;
  const refuse = (reason: RejectionReason, detail: string): CloudEventFields => {
    return { ok: false, eventId: typeof id === "string" ? id.slice(0, 128) : null, reason, detail };
  };
  const bad = badAttribute(raw, names);
  if (bad !== undefined) return refuse(bad.reason, bad.detail);
  const data = dataOf(raw);
  if (!data.ok) return refuse("bad-value", data.detail);
  const rest = Object.create(null) as Record<string, unknown>;
  for (const name in raw) if (!MAPPED.has(name)) rest[name] = raw[name];
  if (data.inBase64 === undefined && data.others !== undefined) rest.data = data.others;
  const texts: NumberTexts = {};
  const valueText =
    data.inBase64 === undefined
      ? numberText(data.value, index, numbers, ["data", "value"])
      : numberText(data.value, 0, new NumbersOfTexts([data.inBase64]), ["value"]);
  if (valueText !== undefined) texts.value = valueText;
  const fields: Record<string, unknown> = { eventTime: time, value: data.value, cloudevent: rest };
  // A null attribute counts as absent (JSON format, section 2.2).
  if (isGiven(id)) fields.eventId = id;
  if (isGiven(subject)) fields.videoId = subject;
  if (isGiven(type)) fields.eventType = type;
  return { ok: true, fields, texts };
}

/**
 * Judges the attributes that no field of an event holds, and the form of the time (CloudEvents 1.0.2, section 3.1). The
 * standard knows no time but RFC 3339, in which an event of ours may have a number.
 */
function badAttribute(
  raw: Record<string, unknown>,
  names: CloudEventNames,
): { reason: RejectionReason; detail: string } | undefined {
  const own = (name: string): unknown => (Object.hasOwn(raw, name) ? raw[name] : undefined);
  const [specversion, source, time] = [own("specversion"), own("source"), own("time")];
  const missing = (name: string) => ({ reason: "missing-field" as const, detail: `${name} is missing` });
  if (!isGiven(specversion)) return missing(names.specversion);
  if (specversion !== "1.0") return { reason: "unknown-schema", detail: `${names.specversion} must be 1.0` };
  if (!isGiven(source) || source === "") return missing(names.source);
  if (typeof source !== "string")
    return { reason: "missing-field", detail: `${names.source} must be a string, a URI-reference` };
  if (isGiven(time) && (typeof time !== "string" || parseRfc3339(time) === undefined))
    return { reason: "bad-event-time", detail: `${names.eventTime} must be an RFC 3339 time` };
  return undefined;
}

type Data =
  /** `others`: the data without its value. `inBase64`: the data's JSON text. */
  { ok: true; value: unknown; others: unknown; inBase64?: Buffer } | { ok: false; detail: string };

function dataOf({ data, data_base64: encoded, datacontenttype }: Record<string, unknown>): Data {
  if (isGiven(encoded)) {
    if (isGiven(data)) return { ok: false, detail: "data and data_base64 exclude each other" };
    if (typeof encoded !== "string" || !BASE64.test(encoded))
      return { ok: false, detail: "data_base64 must be base64" };
  } else if (!isGiven(data)) return { ok: true, value: undefined, others: undefined };
  // Without a media type the data is JSON (JSON format, section 3.1.1).
  if (isGiven(datacontenttype)) {
    if (typeof datacontenttype !== "string" || !isJsonMediaType(datacontenttype)) {
      return {
        ok: false,
        detail: "datacontenttype must be JSON (application/json): a value in other data cannot be read",
      };
    }
  }
  if (typeof encoded !== "string") return { ok: true, ...splitData(data) };
  const inBase64 = Buffer.from(encoded, "base64");
  const parsed = parseJson(inBase64);
  if (!parsed.ok) return { ok: false, detail: `data_base64 does not hold JSON: ${parsed.detail}` };
  return { ok: true, ...splitData(parsed.value), inBase64 };
}

/** Splits the data into the value and the rest. */
function splitData(data: unknown): { value: unknown; others: unknown } {
  if (!isObject(data)) return { value: undefined, others: data };
  const others = Object.create(null) as Record<string, unknown>;
  let count = 0;
  for (const name in data) {
    if (name === "value") continue;
    others[name] = data[name];
    count++;
  }
  return { value: data.value, others: count > 0 ? others : undefined };
}

/** Returns the text of a number whose double may differ from the text. */
const numberText = (
  value: unknown,
  index: number,
  source: NumberSource,
  path: readonly string[],
): string | undefined => (typeof value === "number" ? source.doubtfulText(value, index, path) : undefined);

const isGiven = (value: unknown): boolean => value !== undefined && value !== null;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
