import { type EventColumns, eventJsonAt, selectRows, validateColumns } from "../domain/event-columns";
import { BatchFormatError, decodeBatch } from "../io/avro/batch";
import type { DeadElement } from "./elements";
import { inflateMessage, MAX_MESSAGE_BYTES } from "./inflate-message";
import { jsonMessage, startsAsJson } from "./json-message";

export interface CheckedBatch {
  receivedAtMs: number;
  producerId: string;
  batchId: string;
  /** The events that keep the contract. */
  columns: EventColumns;
  /** The others, or the whole message. */
  dead: DeadElement[];
  /** The whole message is the dead letter. */
  unreadable: boolean;
}

const BATCH_TYPE = "application/vnd.viewmill.batch+avro";

/**
 * Decodes a message, an Avro batch or JSON events, compressed or not, and checks each event. `appendedAtMs` is the receipt time of what carries
 * none: such messages did not come through the write API, so they are judged here as it would have judged them, by `rawRetentionMs` too.
 * A pure function of its arguments: whoever reads the message, now or again, comes to the same events.
 */
export function checkedBatch(
  payload: Uint8Array,
  appendedAtMs: number,
  rawRetentionMs = Number.POSITIVE_INFINITY,
): CheckedBatch {
  const message = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  const inflated = inflateMessage(message);
  if (inflated.kind === "unreadable") return unreadable(inflated, message, appendedAtMs, inflated.contentType);
  const { bytes } = inflated;
  const rules = { receivedAtMs: appendedAtMs, rawRetentionMs };
  if (startsAsJson(bytes)) {
    if (bytes.length > MAX_MESSAGE_BYTES) {
      const detail = `JSON events of more than ${MAX_MESSAGE_BYTES} bytes in one message`;
      return unreadable({ reason: "too-large", detail }, message, appendedAtMs, "application/json");
    }
    const json = jsonMessage(bytes, rules);
    if (json.kind === "unreadable") return unreadable(json, message, appendedAtMs, "application/json");
    return { ...NO_HEADER, receivedAtMs: appendedAtMs, columns: json.columns, dead: json.dead, unreadable: false };
  }
  try {
    const batch = decodeBatch(bytes);
    if (batch.receivedAtMs === 0)
      return { ...batch, receivedAtMs: appendedAtMs, ...checkedRows(batch.columns, rules), unreadable: false };
    const { receivedAtMs } = batch;
    const accepted = { receivedAtMs, rawRetentionMs: Number.POSITIVE_INFINITY };
    return { ...batch, ...checkedRows(batch.columns, accepted), unreadable: false };
  } catch (error) {
    if (!(error instanceof BatchFormatError)) throw error;
    return unreadable({ reason: error.reason, detail: error.message }, message, appendedAtMs, BATCH_TYPE);
  }
}

function unreadable(
  { reason, detail }: Pick<DeadElement, "reason" | "detail">,
  payload: Uint8Array,
  receivedAtMs: number,
  contentType: string,
): CheckedBatch {
  const dead: DeadElement = { reason, detail, receivedAtMs, payload, contentType };
  return { ...NO_HEADER, receivedAtMs, columns: NO_EVENTS, dead: [dead], unreadable: true };
}

function checkedRows(
  columns: EventColumns,
  rules: { receivedAtMs: number; rawRetentionMs: number },
): Pick<CheckedBatch, "columns" | "dead"> {
  const rejections = validateColumns(columns, rules);
  if (rejections.length === 0) return { columns, dead: [] };
  const { receivedAtMs } = rules;
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

const NO_HEADER = { producerId: "", batchId: "" };

const NO_EVENTS: EventColumns = {
  count: 0,
  ids: new Uint8Array(0),
  videos: [],
  videoIndex: new Uint32Array(0),
  types: [],
  typeIndex: new Uint32Array(0),
  timesMs: new Float64Array(0),
};
