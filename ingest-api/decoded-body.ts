import type { AcceptanceRules } from "../domain/event";
import type { EventColumns } from "../domain/event-columns";
import type { Rejection } from "../domain/rejection";
import type { Stamp } from "../io/ports";
import { EventCollector } from "./event-collector";
import type { StampBook } from "./stamp-book";

/** A refused event with what its dead letter holds: its own bytes, and the type under which they are sent again. */
export interface RejectedEvent extends Rejection {
  payload: Uint8Array;
  contentType: string;
}

/** What decoding a body gives. */
export type DecodedBody =
  | {
      kind: "events";
      /** The accepted ones. */
      columns: EventColumns;
      rejected: RejectedEvent[];
      /** Stamps that accepted events were given, new or known. */
      stamps: Stamp[];
      /** The body itself, where it is a batch message and every event of it is accepted. */
      message?: Uint8Array;
    }
  | { kind: "malformed"; reason: "not-json" | "not-avro" | "unknown-schema" | "missing-field"; detail: string }
  | { kind: "too-many-events"; detail: string }
  | { kind: "stamps-full" };

export interface DecodeContext {
  rules: AcceptanceRules;
  stampBook: StampBook;
  maxEvents: number;
  maxEventBytes: number;
}

export function collectorOf(context: DecodeContext): EventCollector {
  return new EventCollector(context.rules, context.stampBook, context.maxEventBytes);
}

export function tooManyEvents(context: DecodeContext): DecodedBody {
  return { kind: "too-many-events", detail: `a body holds at most ${context.maxEvents} events` };
}

/**
 * What was collected, the rejections with their bytes. `payloadOf` is called for rejected events only. An event whose
 * bytes pass the bound is `too-large`, whatever else is wrong with it.
 */
export function collected(
  collector: EventCollector,
  context: DecodeContext,
  contentType: string,
  payloadOf: (index: number) => Uint8Array,
): DecodedBody {
  if (collector.stampsFull) return { kind: "stamps-full" };
  const rejected = collector.rejections.map((rejection): RejectedEvent => {
    const payload = payloadOf(rejection.index);
    if (payload.byteLength <= context.maxEventBytes) return { ...rejection, payload, contentType };
    const detail = `the event is larger than ${context.maxEventBytes} bytes`;
    return { ...rejection, reason: "too-large", detail, payload, contentType };
  });
  return { kind: "events", columns: collector.columns(), rejected, stamps: collector.stamps };
}
