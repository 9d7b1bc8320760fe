// SPDX-License-Identifier: Apache-2.0
/**
 * A dead letter as a body that can be sent again. `viewmill dead-letters replay` and the replay endpoint of the read
 * API make it.
 */
import { isEventId, uuidV7TimeMs } from "../../domain/event";
import type { DeadLetter } from "../../io/ports";

export interface FieldChange {
  field: string;
  text: string;
}

/** The bytes to send for a dead letter, or why it cannot be sent. */
type ReplayPayload = { ok: true; bytes: Uint8Array } | { ok: false; detail: string };

const CLOUD_EVENT_NAMES: Record<string, string> = {
  eventId: "id",
  videoId: "subject",
  eventType: "type",
  eventTime: "time",
};

/**
 * Returns the bytes to send: those of the letter, with the changes after its own members. In JSON the last of equal
 * names counts, so no other part of the event is rewritten. An event without a time gets that of its first receipt, so
 * that it counts once when it is replayed twice.
 */
export function replayPayload(letter: DeadLetter, changes: readonly FieldChange[]): ReplayPayload {
  const text = Buffer.from(letter.payload).toString("utf8").trimEnd();
  const event = jsonObject(text);
  if (event === undefined) {
    if (changes.length > 0) return { ok: false, detail: "the payload is no JSON object, --set cannot change it" };
    return { ok: true, bytes: letter.payload };
  }
  const cloud = letter.contentType.startsWith("application/cloudevents");
  const named = (field: string) => (cloud ? (CLOUD_EVENT_NAMES[field] ?? field) : field);
  /** JSON texts, so that a number keeps its form, which the service judges. */
  const changed: Record<string, string> = {};
  for (const { field, text: value } of changes) {
    const hasGoodId = typeof event[named("eventId")] === "string" && isEventId(event[named("eventId")] as string);
    if (field === "eventId" && hasGoodId) return { ok: false, detail: "a replayed event keeps its eventId" };
    if (cloud && field === "value") {
      const encoded = typeof event.data_base64 === "string" ? event.data_base64 : undefined;
      const data = encoded === undefined ? event.data : jsonObject(Buffer.from(encoded, "base64").toString());
      changed.data = withValue(data, fieldText(field, value));
      // The two exclude each other; null counts as absent.
      if (encoded !== undefined) changed.data_base64 = "null";
    } else changed[named(field)] = fieldText(field, value);
  }
  const after: Record<string, unknown> = { ...event };
  for (const [name, json] of Object.entries(changed)) after[name] = JSON.parse(json);
  const id = after[named("eventId")];
  const isEvent = typeof id === "string" && after.events === undefined;
  if (isEvent && (after[named("eventTime")] ?? null) === null && uuidV7TimeMs(id) === undefined) {
    const receivedAtMs = letter.receivedAtMs;
    changed[named("eventTime")] = JSON.stringify(cloud ? new Date(receivedAtMs).toISOString() : receivedAtMs);
  }
  const members = Object.entries(changed).map(([name, json]) => `${JSON.stringify(name)}:${json}`);
  if (members.length === 0) return { ok: true, bytes: letter.payload };
  const comma = Object.keys(event).length > 0 ? "," : "";
  return { ok: true, bytes: Buffer.from(`${text.slice(0, -1)}${comma}${members.join(",")}}`) };
}

/**
 * Returns the JSON text of a field's new value. Texts stay texts; any other value that reads as JSON is used unchanged.
 */
function fieldText(field: string, text: string): string {
  if (["eventId", "videoId", "eventType", "id", "subject", "type", "time"].includes(field)) return JSON.stringify(text);
  try {
    JSON.parse(text);
    return text.trim();
  } catch {
    return JSON.stringify(text);
  }
}

/**
 * Returns the data of a CloudEvent with another value, added after its own members: in JSON the last of equal names
 * counts.
 */
function withValue(data: unknown, valueJson: string): string {
  const members = jsonObject(JSON.stringify(data));
  const before = members === undefined ? "{}" : JSON.stringify(members);
  return `${before.slice(0, -1)}${before === "{}" ? "" : ","}"value":${valueJson}}`;
}

function jsonObject(text: string | undefined): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(text ?? "") as unknown;
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    return value as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
