// SPDX-License-Identifier: Apache-2.0
import { inflateMessage } from "./inflate-message";
import { withoutBom } from "./json/json-text";
import { CONTRACT_LIMITS, type IntakeLimits } from "./limits";
import { receiptOf } from "./receipt";
import { takeBatch } from "./take-batch";
import { JSON_TYPE, problem, takeJson } from "./take-json";
import type { IntakeProblem, IntakeRules, TakenEvents } from "./taken";

/** The rules by which the readers of a log judge direct producers' messages. */
export interface MessageRules {
  /** The largest age of an event; absent: no event is too old. */
  rawRetentionMs?: number;
  limits?: IntakeLimits;
  admitsType?: (eventType: string) => boolean;
}

/**
 * Judges a message of the log: an Avro batch, or JSON events as in a body, perhaps compressed. `appendedAtMs` is the
 * append time, which is the receipt time of events without one; it is absent in a log that the write API alone writes.
 * The function is pure: every reader of the message, now or later, gets the same events. The stream, the archiver and
 * the embedded stream read the log with it.
 */
export function takeMessage(
  payload: Uint8Array,
  appendedAtMs: number | undefined,
  { rawRetentionMs = Number.POSITIVE_INFINITY, limits = CONTRACT_LIMITS, admitsType }: MessageRules = {},
): TakenEvents | IntakeProblem {
  const message = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  const inflated = inflateMessage(message, limits.maxMessageBytes);
  if (inflated.kind === "problem") return inflated;
  const { bytes } = inflated;
  const rules: IntakeRules = {
    receivedAtMs: appendedAtMs ?? 0,
    rawRetentionMs,
    limits,
    untimed: { kind: "receipt" },
    ...(admitsType === undefined ? {} : { admitsType }),
  };
  const taken = startsAsJson(bytes) ? takeJsonMessage(bytes, rules) : takeBatchMessage(bytes, appendedAtMs, rules);
  if (taken.kind === "stamps-full") throw new Error("a message was stamped");
  // The dead letter of a whole message is the message as received.
  return taken.kind === "problem" ? { ...taken, payload: message } : taken;
}

function takeJsonMessage(bytes: Buffer, rules: IntakeRules) {
  const { maxMessageBytes } = rules.limits;
  if (bytes.length <= maxMessageBytes) return takeJson(bytes, rules);
  return problem("too-large", `JSON events of more than ${maxMessageBytes} bytes in one message`, bytes, JSON_TYPE);
}

function takeBatchMessage(bytes: Buffer, appendedAtMs: number | undefined, rules: IntakeRules) {
  return takeBatch(
    bytes,
    (batch) =>
      appendedAtMs === undefined
        ? { receivedAtMs: batch.receivedAtMs, alreadyAccepted: true }
        : receiptOf(batch, appendedAtMs),
    rules,
  );
}

const OPENING = new Set(["{".charCodeAt(0), "[".charCodeAt(0)]);

/**
 * Returns whether the bytes begin as JSON events do: an object or an array, perhaps after white space or a byte order
 * mark.
 */
function startsAsJson(payload: Buffer): boolean {
  const bytes = withoutBom(payload);
  let at = 0;
  while (at < bytes.length && (bytes[at] === 0x20 || (bytes[at]! >= 0x09 && bytes[at]! <= 0x0d))) at++;
  return OPENING.has(bytes[at] ?? 0);
}
