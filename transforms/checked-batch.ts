import { type EventColumns, eventJsonAt, selectRows, validateColumns } from "../domain/event-columns";
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

/** Decodes a batch message and checks each event. `receivedAtMs` dates the dead letter of a message that cannot be decoded. */
export function checkedBatch(payload: Uint8Array, receivedAtMs: number): CheckedBatch {
  try {
    const batch = decodeBatch(payload);
    return { ...batch, ...checkedRows(batch.columns, batch.receivedAtMs) };
  } catch (error) {
    if (!(error instanceof BatchFormatError)) throw error;
    const dead: DeadElement = {
      reason: error.reason,
      detail: error.message,
      receivedAtMs,
      payload,
      contentType: "application/vnd.viewmill.batch+avro",
    };
    return { receivedAtMs, producerId: "", batchId: "", columns: NO_EVENTS, dead: [dead] };
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

const NO_EVENTS: EventColumns = {
  count: 0,
  ids: new Uint8Array(0),
  videos: [],
  videoIndex: new Uint32Array(0),
  types: [],
  typeIndex: new Uint16Array(0),
  timesMs: new Float64Array(0),
};
