// SPDX-License-Identifier: Apache-2.0
import type { NewDeadLetter } from "../../ports";

/** Pub/Sub's limit for the value of an attribute. */
const MAX_VALUE_BYTES = 1024;

/**
 * The headers or attributes of a dead letter's message: `viewmill-reason`, `-detail`, `-event-id`, `-source`,
 * `-received-at` (epoch ms), `-content-type`. Values longer than 1,024 bytes are cut at a character. The body is the
 * payload, whole. The dead-letter topics of Kafka and Pub/Sub have them.
 */
export function letterAttributes(letter: NewDeadLetter): Record<string, string> {
  const { reason, detail, eventId, source, receivedAtMs, contentType } = letter;
  const attributes: Record<string, string> = {
    "viewmill-reason": reason,
    "viewmill-detail": cut(detail),
    "viewmill-source": source,
    "viewmill-received-at": String(receivedAtMs),
    "viewmill-content-type": cut(contentType),
  };
  if (eventId !== undefined) attributes["viewmill-event-id"] = cut(eventId);
  return attributes;
}

function cut(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.byteLength <= MAX_VALUE_BYTES) return text;
  let end = MAX_VALUE_BYTES;
  while ((bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end).toString();
}
