// SPDX-License-Identifier: Apache-2.0
/**
 * The result of the one intake, for every road: accepted events as columns, rejections with their own bytes, or a
 * problem with the whole. The write API stores it, and the stream, the archiver and backfills read messages and lines
 * into it.
 */
import type { EventColumns } from "../domain/columns/event-columns";
import type { AcceptanceRules } from "../domain/event";
import type { Rejection, RejectionReason } from "../domain/rejection";
import type { Stamp } from "../io/ports";
import type { IntakeLimits } from "./limits";

/** The rule for an event that has no time of its own. */
type UntimedRule =
  /**
   * The event gets a remembered stamp, so that a retry gets the same; undefined: there is no room for another stamp.
   */
  | { kind: "stamp"; stampOf: (key: string, receivedAtMs: number) => Stamp | undefined }
  /** The event gets the receipt time, which is the same however often the message is read. */
  | { kind: "receipt" }
  /** The event is refused. */
  | { kind: "refuse"; detail: string };

/** The rules of judgement, the same on every road. */
export interface IntakeRules extends AcceptanceRules {
  limits: IntakeLimits;
  untimed: UntimedRule;
}

/** A refused event with the content of its dead letter: its own bytes, and the type under which they are sent again. */
export interface RejectedEvent extends Rejection {
  payload: Uint8Array;
  contentType: string;
}

/** A refusal of everything that was sent. `payload` and `contentType` are those of its dead letter. */
export interface IntakeProblem {
  kind: "problem";
  reason: Extract<RejectionReason, "not-json" | "not-avro" | "unknown-schema" | "missing-field" | "too-large">;
  detail: string;
  payload: Uint8Array;
  contentType: string;
}

export interface TakenEvents {
  kind: "events";
  receivedAtMs: number;
  producerId: string;
  batchId: string;
  /** Whether the write API wrote the batch, and so has judged it. */
  alreadyAccepted: boolean;
  /** The accepted events. */
  columns: EventColumns;
  rejected: RejectedEvent[];
  /** The stamps that accepted events were given, new or known. */
  stamps: Stamp[];
  /** The row of `columns` whose time each of `stamps` is. */
  stampedRows: number[];
  /** The batch message itself, where the sender sent one and all its events are accepted. */
  message?: Uint8Array;
}

/** The outcome of the intake: events, each accepted or refused, or a problem with the whole. */
export type Taken = TakenEvents | IntakeProblem | { kind: "stamps-full" };
