import { parseEvent } from "../domain/event";
import {
  type EventColumns,
  EventColumnsBuilder,
  eventJsonAt,
  selectRows,
  validateColumns,
} from "../domain/event-columns";
import { BatchFormatError, decodeBatch } from "../io/avro/batch";
import type { DeadElement } from "./elements";

export interface CheckedBatch {
  receivedAtMs: number;
  producerId: string;
  batchId: string;
  /** The events that keep the contract. */
  columns: EventColumns;
  /** The others, or the whole message. */
  dead: DeadElement[];
}

const AVRO_SINGLE_OBJECT = 0xc3;
const OPENING = new Set(["{".charCodeAt(0), "[".charCodeAt(0)]);
/** A producer that writes to the topic itself sends single events; what is larger belongs in batches. */
const MAX_JSON_BYTES = 1 << 20;

/**
 * Decodes a message, an Avro batch or JSON events, and checks each event. `appendedAtMs` is the receipt time of what carries none, and dates the
 * dead letter of a message that cannot be decoded.
 */
export function checkedBatch(payload: Uint8Array, appendedAtMs: number): CheckedBatch {
  const whole = payload[0] === AVRO_SINGLE_OBJECT ? undefined : jsonEvents(payload, appendedAtMs);
  if (whole !== undefined) return whole;
  try {
    const batch = decodeBatch(payload);
    const receivedAtMs = batch.receivedAtMs === 0 ? appendedAtMs : batch.receivedAtMs;
    return { ...batch, receivedAtMs, ...checkedRows(batch.columns, receivedAtMs) };
  } catch (error) {
    if (!(error instanceof BatchFormatError)) throw error;
    const dead: DeadElement = {
      reason: error.reason,
      detail: error.message,
      receivedAtMs: appendedAtMs,
      payload,
      contentType: "application/vnd.viewmill.batch+avro",
    };
    return { receivedAtMs: appendedAtMs, producerId: "", batchId: "", columns: NO_EVENTS, dead: [dead] };
  }
}

function checkedRows(columns: EventColumns, receivedAtMs: number): Pick<CheckedBatch, "columns" | "dead"> {
  const rejections = validateColumns(columns, { receivedAtMs, rawRetentionMs: Number.POSITIVE_INFINITY });
  if (rejections.length === 0) return { columns, dead: [] };
  const bad = new Set(rejections.map(({ index }) => index));
  const good = [...Array(columns.count).keys()].filter((row) => !bad.has(row));
  const dead = rejections.map(({ index, eventId, reason, detail }) => {
    const payload = Buffer.from(eventJsonAt(columns, index));
    const letter: DeadElement = { reason, detail, receivedAtMs, payload, contentType: "application/json" };
    if (eventId !== null) letter.eventId = eventId;
    return letter;
  });
  return { columns: selectRows(columns, good), dead };
}

/** One event or an array of them; undefined for bytes that are no JSON. An event without a time has that of its append. */
function jsonEvents(payload: Uint8Array, receivedAtMs: number): CheckedBatch | undefined {
  if (!OPENING.has(payload[0] ?? 0) || payload.length > MAX_JSON_BYTES) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch {
    return undefined;
  }
  const builder = new EventColumnsBuilder();
  const dead: DeadElement[] = [];
  for (const raw of Array.isArray(value) ? value : [value]) {
    const parsed = parseEvent(raw, { receivedAtMs, rawRetentionMs: Number.POSITIVE_INFINITY });
    if (parsed.ok) {
      builder.add(parsed.event);
      continue;
    }
    const { reason, detail, eventId } = parsed;
    const bytes = Array.isArray(value) ? Buffer.from(JSON.stringify(raw)) : payload;
    const letter: DeadElement = { reason, detail, receivedAtMs, payload: bytes, contentType: "application/json" };
    if (eventId !== null) letter.eventId = eventId;
    dead.push(letter);
  }
  return { receivedAtMs, producerId: "", batchId: "", columns: builder.build(), dead };
}

const NO_EVENTS: EventColumns = {
  count: 0,
  ids: new Uint8Array(0),
  videos: [],
  videoIndex: new Uint32Array(0),
  types: [],
  typeIndex: new Uint16Array(0),
  timesMs: new Float64Array(0),
};
