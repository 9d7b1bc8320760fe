// SPDX-License-Identifier: Apache-2.0
import type { RejectionReason } from "../domain/rejection";

/**
 * Why an event was not counted: a reason of the server (see the contract), or
 * `undelivered` (no answer within the retries; it may or may not have arrived: sending it again with its eventId is
 * safe), `refused` (the server refuses the request itself, e.g. 401 or 404, or no request can be made, e.g. to an
 * unknown scheme), `closed`, `buffer-full`, `bad-event` (the value that the call was given is no event at all: null, a
 * text, an object whose fields throw).
 */
export type EventErrorReason = RejectionReason | "undelivered" | "refused" | "closed" | "buffer-full" | "bad-event";

/** One event that was not accepted. */
export class EventError extends Error {
  override readonly name = "EventError";
  constructor(
    readonly reason: EventErrorReason,
    /** For a person to read. */
    readonly detail: string,
    readonly eventId: string | null,
    /** Position in the list given to `processEvents`; 0 for a single event. */
    readonly index: number = 0,
  ) {
    super(`${reason}: ${detail}`);
  }
}

/** Some events of a `processEvents` call were not accepted; the others were, and are durable. */
export class EventsError extends Error {
  override readonly name = "EventsError";
  constructor(
    readonly accepted: number,
    /** In the order of their index. */
    readonly rejected: readonly EventError[],
  ) {
    super(`${rejected.length} of ${accepted + rejected.length} events were not accepted: ${rejected[0]?.message}`);
  }
  get reason(): EventErrorReason {
    return this.rejected[0]?.reason ?? "undelivered";
  }
}
