// SPDX-License-Identifier: Apache-2.0
/**
 * Signatures of Standard Webhooks, version 1: HMAC-SHA256 over id, timestamp and body
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md). Each attempt to deliver
 * is signed with it.
 */
import { createHmac } from "node:crypto";

const PREFIX = "whsec_";
const LEAST_BYTES = 24;
const MOST_BYTES = 64;

/** A text that is no secret of Standard Webhooks; one clear line, without the text. */
class WebhookSecretError extends Error {
  override readonly name = "WebhookSecretError";
}

/** The bytes of `whsec_` and base64. `source`: whose secret it is. Throws WebhookSecretError. */
export function webhookSecret(text: string, source = "webhook"): Buffer {
  const encoded = text.startsWith(PREFIX) ? text.slice(PREFIX.length) : "";
  const bytes = Buffer.from(encoded, "base64");
  const isBase64 = bytes.toString("base64") === encoded;
  if (!isBase64 || bytes.length < LEAST_BYTES || bytes.length > MOST_BYTES)
    throw new WebhookSecretError(
      `${source}: a secret is ${PREFIX} and ${LEAST_BYTES} to ${MOST_BYTES} bytes in base64`,
    );
  return bytes;
}

/** `timestampSeconds`: when the attempt is made, so that a receiver can refuse old ones. */
export function signatureHeaders(
  secret: Uint8Array,
  messageId: string,
  timestampSeconds: number,
  body: string,
): Record<"webhook-id" | "webhook-timestamp" | "webhook-signature", string> {
  const signed = createHmac("sha256", secret).update(`${messageId}.${timestampSeconds}.${body}`).digest("base64");
  return {
    "webhook-id": messageId,
    "webhook-timestamp": String(timestampSeconds),
    "webhook-signature": `v1,${signed}`,
  };
}
