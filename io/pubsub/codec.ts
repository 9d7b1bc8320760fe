// SPDX-License-Identifier: Apache-2.0
/**
 * Batches, dead letters and messages as messages of Pub/Sub. The writing and reading adapters of this folder convert
 * with it.
 */
import { randomUUID } from "node:crypto";
import type { protos } from "@google-cloud/pubsub";
import { decodeAccepted, encodeAccepted } from "../formats/messages/accepted-minutes";
import { BATCH_ATTRIBUTE } from "../formats/messages/batch-attribute";
import { letterAttributes } from "../formats/messages/letter-attributes";
import type { LogBatch, LogMessage, NewDeadLetter } from "../ports";

export type PubsubMessage = protos.google.pubsub.v1.IPubsubMessage;
export type ReceivedMessage = protos.google.pubsub.v1.IReceivedMessage;

/** The attribute with a message's id. A message that is published again has the same id (Beam's `idLabel`). */
const ID_ATTRIBUTE = BATCH_ATTRIBUTE;
const ACCEPTED = "viewmill-accepted";
/**
 * Pub/Sub's limit for the value of an attribute. The longest declaration takes 32 pieces (Pub/Sub allows 100
 * attributes).
 */
const MAX_VALUE_BYTES = 1024;
/** A bound of a message's framing in a request. */
const MESSAGE_OVERHEAD_BYTES = 64;

/**
 * Returns a batch as a message: data = payload, attributes `viewmill-batch` (a unique id), `viewmill-events` and
 * `viewmill-accepted` (io/formats/messages/accepted-minutes.ts). A declaration beyond 1,024 bytes continues in
 * `viewmill-accepted-1`, `-2` ...
 */
export function publishedOf(batch: LogBatch): PubsubMessage {
  const accepted = encodeAccepted(batch);
  const attributes: Record<string, string> = {
    [ID_ATTRIBUTE]: randomUUID(),
    "viewmill-events": String(batch.events),
  };
  for (let piece = 0; piece * MAX_VALUE_BYTES < Math.max(1, accepted.length); piece++) {
    attributes[pieceName(piece)] = accepted.slice(piece * MAX_VALUE_BYTES, (piece + 1) * MAX_VALUE_BYTES);
  }
  return { data: batch.payload, attributes };
}

/** Returns a dead letter as a message: data = the payload whole, the other fields as attributes. */
export function publishedLetterOf(letter: NewDeadLetter): PubsubMessage {
  return { data: letter.payload, attributes: { ...letterAttributes(letter), [ID_ATTRIBUTE]: randomUUID() } };
}

export function messageSizeBytes({ data, attributes }: PubsubMessage): number {
  let bytes = MESSAGE_OVERHEAD_BYTES + (data?.length ?? 0);
  for (const [name, value] of Object.entries(attributes ?? {})) bytes += name.length + Buffer.byteLength(value) + 8;
  return bytes;
}

/** Returns a received message. A foreign producer's message without our id has Pub/Sub's id. */
export function receivedOf(message: PubsubMessage): LogMessage {
  const attributes = message.attributes ?? {};
  const { seconds, nanos } = message.publishTime ?? {};
  return {
    id: attributes[ID_ATTRIBUTE] || `pubsub-${message.messageId}`,
    payload: bytesOf(message.data),
    acceptedByMinute: declaredOf(attributes),
    appendedAtMs: Number(seconds ?? 0) * 1_000 + Math.floor((nanos ?? 0) / 1e6),
  };
}

function declaredOf(attributes: Record<string, string>): Map<number, number> | undefined {
  if (attributes[ACCEPTED] === undefined) return undefined;
  let text = "";
  for (let piece = 0; attributes[pieceName(piece)] !== undefined; piece++) text += attributes[pieceName(piece)];
  return decodeAccepted(text);
}

const pieceName = (piece: number): string => (piece === 0 ? ACCEPTED : `${ACCEPTED}-${piece}`);

function bytesOf(data: PubsubMessage["data"]): Uint8Array {
  if (data === null || data === undefined) return new Uint8Array(0);
  return typeof data === "string" ? Buffer.from(data, "base64") : data;
}
