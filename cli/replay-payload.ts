import { isEventId, uuidV7TimeMs } from "../domain/event";
import type { DeadLetter } from "../io/ports";

export interface FieldChange {
  field: string;
  text: string;
}

/** What is sent for a dead letter, or why it cannot be. */
export type ReplayPayload = { ok: true; bytes: Uint8Array } | { ok: false; detail: string };

const CLOUD_EVENT_NAMES: Record<string, string> = {
  eventId: "id",
  videoId: "subject",
  eventType: "type",
  eventTime: "time",
};

/**
 * The bytes that are sent again: those of the letter, with the changes behind its own members (in JSON the last of equal names counts, so
 * nothing else of the event is rewritten). An event without a time is given that of its first receipt: replayed twice, it is still one.
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
  const changed: Record<string, unknown> = {};
  for (const { field, text: value } of changes) {
    const hasGoodId = typeof event[named("eventId")] === "string" && isEventId(event[named("eventId")] as string);
    if (field === "eventId" && hasGoodId) return { ok: false, detail: "a replayed event keeps its eventId" };
    if (cloud && field === "value") {
      changed.data = { ...(jsonObject(JSON.stringify(event.data)) ?? {}), value: fieldValue(field, value) };
    } else changed[named(field)] = fieldValue(field, value);
  }
  const after = { ...event, ...changed };
  const id = after[named("eventId")];
  const isEvent = typeof id === "string" && after.events === undefined;
  if (isEvent && (after[named("eventTime")] ?? null) === null && uuidV7TimeMs(id) === undefined) {
    changed[named("eventTime")] = cloud ? new Date(letter.receivedAtMs).toISOString() : letter.receivedAtMs;
  }
  const members = Object.entries(changed).map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  if (members.length === 0) return { ok: true, bytes: letter.payload };
  const comma = Object.keys(event).length > 0 ? "," : "";
  return { ok: true, bytes: Buffer.from(`${text.slice(0, -1)}${comma}${members.join(",")}}`) };
}

/** Texts stay texts; a time or value that is a number becomes one; any other field is JSON where it reads as JSON. */
function fieldValue(field: string, text: string): unknown {
  if (["eventId", "videoId", "eventType", "id", "subject", "type", "time"].includes(field)) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
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
