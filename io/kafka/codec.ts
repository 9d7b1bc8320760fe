// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from "node:crypto";
import type { KafkaMessage, Message } from "kafkajs";
import { decodeAccepted, encodeAccepted } from "../formats/messages/accepted-minutes";
import { BATCH_ATTRIBUTE } from "../formats/messages/batch-attribute";
import { letterAttributes } from "../formats/messages/letter-attributes";
import type { LogBatch, LogMessage, NewDeadLetter } from "../ports";

/** Framing of a record beside key, value and headers: a bound of what its varints take. */
const RECORD_OVERHEAD_BYTES = 64;

/**
 * A batch as a record: value = payload, headers `viewmill-accepted` (io/formats/messages/accepted-minutes.ts),
 * `viewmill-events`, `viewmill-batch` (a unique id). No key: nothing depends on which events share a partition (the
 * counting splits by event id), whole requests go round the partitions instead; and a topic that was made compacted by
 * mistake refuses a record without a key, where it would forget records that have one.
 */
export function recordOf(batch: LogBatch): Message {
  return {
    key: null,
    value: asBuffer(batch.payload),
    timestamp: String(Date.now()),
    headers: {
      "viewmill-accepted": encodeAccepted(batch),
      "viewmill-events": String(batch.events),
      [BATCH_ATTRIBUTE]: randomUUID(),
    },
  };
}

/** A dead letter as a record: value = the payload whole, the rest as headers. */
export function letterRecordOf(letter: NewDeadLetter): Message {
  return {
    key: null,
    value: asBuffer(letter.payload),
    timestamp: String(Date.now()),
    headers: letterAttributes(letter),
  };
}

/** What the record takes in the log, at most. */
export function recordSizeBytes({ value, headers }: Message): number {
  let bytes = RECORD_OVERHEAD_BYTES + (value === null ? 0 : value.length);
  for (const [name, text] of Object.entries(headers ?? {})) bytes += name.length + String(text).length + 8;
  return bytes;
}

/** A record without a value (which only foreign producers write) is an empty payload. */
export function messageOf(topic: string, partition: number, record: KafkaMessage): LogMessage {
  const declared = record.headers?.["viewmill-accepted"];
  return {
    id: `${topic}-${partition}-${record.offset}`,
    payload: record.value ?? new Uint8Array(0),
    acceptedByMinute: declared === undefined || Array.isArray(declared) ? undefined : decodeAccepted(String(declared)),
    appendedAtMs: Number(record.timestamp),
  };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
