// SPDX-License-Identifier: Apache-2.0
/** The first step of the streaming job: what Kafka and Pub/Sub deliver becomes messages of one form. */
import {
  type DoFn,
  type Instant,
  type KV,
  millis,
  type PCollection,
  parDo,
  register,
  timestampParam,
  toBytes,
  withName,
} from "../engine";
import type { BatchMessage } from "./elements";

interface RecordContext {
  timestamp: { lookup(): Instant };
}

/**
 * Turns records of a Kafka topic into messages. In: key and value, with timestamps of their append. Out: the value with
 * that time. Rejects: none (an empty value is a message that cannot be decoded). Windowing: as given. Replay: the same
 * messages.
 */
export function messagesOfKafka(records: PCollection<KV<Uint8Array, Uint8Array>>): PCollection<BatchMessage> {
  return records.apply(withName("RecordsToMessages", parDo(new RecordToMessage(), { timestamp: timestampParam() })));
}

/**
 * Turns payloads of a Pub/Sub subscription into messages, as messagesOfKafka does. Their timestamps are those of
 * publication.
 */
export function messagesOfPubSub(payloads: PCollection<Uint8Array>): PCollection<BatchMessage> {
  return payloads.apply(withName("PayloadsToMessages", parDo(new PayloadToMessage(), { timestamp: timestampParam() })));
}

export class RecordToMessage implements DoFn<KV<Uint8Array, Uint8Array>, BatchMessage, RecordContext> {
  *process({ value }: KV<Uint8Array, Uint8Array>, { timestamp }: RecordContext): Iterable<BatchMessage> {
    yield { kind: "batch", payload: toBytes(value ?? new Uint8Array(0)), appendedAtMs: millis(timestamp.lookup()) };
  }
}

export class PayloadToMessage implements DoFn<Uint8Array, BatchMessage, RecordContext> {
  *process(payload: Uint8Array, { timestamp }: RecordContext): Iterable<BatchMessage> {
    yield { kind: "batch", payload: toBytes(payload), appendedAtMs: millis(timestamp.lookup()) };
  }
}

register(module);
