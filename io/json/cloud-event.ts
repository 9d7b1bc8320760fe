import type { RejectionReason } from "../../domain/rejection";

/** The members of an event as they stand in a CloudEvent, still to be checked; or why it is none. */
export type CloudEventFields =
  | { ok: true; fields: Record<string, unknown> }
  | { ok: false; eventId: string | null; reason: RejectionReason; detail: string };

const MAPPED = new Set(["id", "subject", "type", "time", "data"]);

/** An object that says so itself (`specversion` is required of every CloudEvent) and is no event of ours. */
export const isCloudEvent = (raw: unknown): boolean =>
  isObject(raw) && Object.hasOwn(raw, "specversion") && !Object.hasOwn(raw, "eventId");

/** CloudEvents 1.0 in the JSON format: id, subject = videoId, type = eventType, time, data.value. All else is kept under `cloudevent`. */
export function cloudEventFields(raw: unknown): CloudEventFields {
  if (!isObject(raw)) {
    const detail = "a CloudEvent is a JSON object with id, subject and type";
    return { ok: false, eventId: null, reason: "missing-field", detail };
  }
  const { id, subject, type, time, data, specversion } = raw;
  if (specversion !== undefined && specversion !== "1.0") {
    const eventId = typeof id === "string" ? id.slice(0, 128) : null;
    return { ok: false, eventId, reason: "unknown-schema", detail: "specversion must be 1.0" };
  }
  const rest = Object.create(null) as Record<string, unknown>;
  for (const name in raw) if (!MAPPED.has(name)) rest[name] = raw[name];
  let value: unknown;
  if (isObject(data)) {
    value = data.value;
    const otherData = Object.create(null) as Record<string, unknown>;
    let others = 0;
    for (const name in data) {
      if (name === "value") continue;
      otherData[name] = data[name];
      others++;
    }
    if (others > 0) rest.data = otherData;
  } else if (data !== undefined) rest.data = data;
  const fields = { eventId: id, videoId: subject, eventType: type, eventTime: time, value, cloudevent: rest };
  return { ok: true, fields };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
