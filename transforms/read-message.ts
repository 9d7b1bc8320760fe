// SPDX-License-Identifier: Apache-2.0
/**
 * One reading of a message for all readers of the log: the decoding step of the stream, the embedded stream's pass, and
 * the archiver.
 */
import type { EventColumns } from "../domain/columns/event-columns";
import { toBytes } from "../engine";
import { type KnownEventTypes, settled } from "../intake/known-types";
import { type MessageRules, takeMessage } from "../intake/take-message";
import type { BatchMessage, DeadElement } from "./elements";

interface ReadMessage {
  receivedAtMs: number;
  producerId: string;
  batchId: string;
  /** The events that keep the contract. */
  columns: EventColumns;
  /** The other events, or the whole message. */
  dead: DeadElement[];
  /** Whether the whole message is the dead letter. */
  unreadable: boolean;
}

type Judged = ReturnType<typeof takeMessage>;

/** The messages that a step of this worker has judged, with its verdict. */
const verdicts = new WeakMap<BatchMessage, Judged>();

/** Judges a message by the rules of the intake, and keeps the verdict for the step behind. */
export function judge(message: BatchMessage, rules: MessageRules): Judged {
  const taken = takeMessage(toBytes(message.payload), message.appendedAtMs, rules);
  verdicts.set(message, taken);
  return taken;
}

/**
 * Reads a message as readMessage does. Where a step before has judged this message (AdmitEventTypes, by the same
 * rules), takes its verdict. A runner gives both steps the same object, unless it puts a shuffle between them.
 */
export function readJudged(message: BatchMessage, rules: MessageRules): ReadMessage {
  const { payload, appendedAtMs } = message;
  const taken = verdicts.get(message);
  return taken === undefined ? readMessage(toBytes(payload), appendedAtMs, rules) : asRead(taken, appendedAtMs);
}

/**
 * Reads a message of the log by the rules of the intake (intake/take-message.ts); refused events become dead letters.
 */
export function readMessage(payload: Uint8Array, appendedAtMs: number | undefined, rules?: MessageRules): ReadMessage {
  return asRead(takeMessage(payload, appendedAtMs, rules), appendedAtMs);
}

/**
 * Reads a message as readMessage does, for a reader that can ask for event types meanwhile (AdmitEventTypes asks for
 * the stream).
 */
export async function readSettledMessage(
  payload: Uint8Array,
  appendedAtMs: number | undefined,
  rules: MessageRules = {},
  types?: KnownEventTypes,
): Promise<ReadMessage> {
  const taken = await settled(types, (rule) => takeMessage(payload, appendedAtMs, { ...rules, ...rule }));
  return asRead(taken, appendedAtMs);
}

function asRead(taken: ReturnType<typeof takeMessage>, appendedAtMs: number | undefined): ReadMessage {
  if (taken.kind === "problem") {
    const { kind, ...letter } = taken;
    const receivedAtMs = appendedAtMs ?? 0;
    const dead = [{ ...letter, receivedAtMs }];
    return { receivedAtMs, producerId: "", batchId: "", columns: NO_EVENTS, dead, unreadable: true };
  }
  const { receivedAtMs, producerId, batchId, columns, rejected } = taken;
  const dead = rejected.map(({ index, eventId, ...letter }): DeadElement => {
    return eventId === null ? { ...letter, receivedAtMs } : { ...letter, receivedAtMs, eventId };
  });
  return { receivedAtMs, producerId, batchId, columns, dead, unreadable: false };
}

const NO_EVENTS: EventColumns = {
  count: 0,
  ids: new Uint8Array(0),
  videos: [],
  videoIndex: new Uint32Array(0),
  types: [],
  typeIndex: new Uint32Array(0),
  timesMs: new Float64Array(0),
};
