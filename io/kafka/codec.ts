// SPDX-License-Identifier: Apache-2.0
/**
 * Batches, dead letters and messages as records of Kafka. The writing and reading adapters of this folder convert with
 * it.
 */
import { randomUUID } from "node:crypto";
import type { KafkaMessage, Message } from "kafkajs";
import { decodeAccepted, encodeAccepted } from "../formats/messages/accepted-minutes";
import { BATCH_ATTRIBUTE } from "../formats/messages/batch-attribute";
import { letterAttributes } from "../formats/messages/letter-attributes";
import type { LogBatch, LogMessage, NewDeadLetter } from "../ports";

/** A bound of a record's framing beside key, value and headers: the bytes of its varints. */
const RECORD_OVERHEAD_BYTES = 64;

/**
 * Returns a batch as a record: value = payload, headers `viewmill-accepted` (io/formats/messages/accepted-minutes.ts),
 * `viewmill-events`, `viewmill-batch` (a unique id). The record has no key. Whole requests are spread over the
 * partitions, because the counting splits by event id and does not depend on which events share a partition. A topic
 * that was made compacted by mistake refuses records without a key; records with one would be forgotten.
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

/** Returns a dead letter as a record: value = the payload whole, the other fields as headers. */
export function letterRecordOf(letter: NewDeadLetter): Message {
  return {
    key: null,
    value: asBuffer(letter.payload),
    timestamp: String(Date.now()),
    headers: letterAttributes(letter),
  };
}

/** Returns the bytes that the record takes in the log, at most. */
export function recordSizeBytes({ value, headers }: Message): number {
  let bytes = RECORD_OVERHEAD_BYTES + (value === null ? 0 : value.length);
  for (const [name, text] of Object.entries(headers ?? {})) bytes += name.length + String(text).length + 8;
  return bytes;
}

/** A record without a value, which foreign producers alone write, is an empty payload. */
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
