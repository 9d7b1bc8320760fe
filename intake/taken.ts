// SPDX-License-Identifier: Apache-2.0
import type { EventColumns } from "../domain/columns/event-columns";
import type { AcceptanceRules } from "../domain/event";
import type { Rejection, RejectionReason } from "../domain/rejection";
import type { Stamp } from "../io/ports";
import type { IntakeLimits } from "./limits";

/** How an event that has no time of its own gets one. */
type UntimedRule =
  /** A stamp that is remembered, so that a retry gets the same; undefined: there is no room for another stamp. */
  | { kind: "stamp"; stampOf: (key: string, receivedAtMs: number) => Stamp | undefined }
  /** The receipt, which is the same however often the message is read. */
  | { kind: "receipt" }
  /** No time will do: the event is refused. */
  | { kind: "refuse"; detail: string };

/** What everything is judged by, whatever road it came. */
export interface IntakeRules extends AcceptanceRules {
  limits: IntakeLimits;
  untimed: UntimedRule;
}

/** A refused event with what its dead letter holds: its own bytes, and the type under which they are sent again. */
export interface RejectedEvent extends Rejection {
  payload: Uint8Array;
  contentType: string;
}

/** What was sent is refused as a whole. `payload` and `contentType`: of its dead letter. */
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
  /** Of a batch that the write API wrote and so judged. */
  alreadyAccepted: boolean;
  /** The accepted ones. */
  columns: EventColumns;
  rejected: RejectedEvent[];
  /** Stamps that accepted events were given, new or known. */
  stamps: Stamp[];
  /** The row of `columns` that each of `stamps` is the time of. */
  stampedRows: number[];
  /** The batch message itself, where that was sent and every event of it is accepted. */
  message?: Uint8Array;
}

/** What becomes of anything that is sent: events, each accepted or refused, or a problem with the whole. */
export type Taken = TakenEvents | IntakeProblem | { kind: "stamps-full" };
