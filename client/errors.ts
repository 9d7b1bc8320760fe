// SPDX-License-Identifier: Apache-2.0
/** The errors that an application gets from the client for its events. */
import type { RejectionReason } from "../domain/rejection";

/**
 * Why an event was not counted. The value is a reason of the server (see the contract), or one of these. `undelivered`:
 * no answer arrived within the retries; the event may have arrived, and sending it again with its eventId is safe.
 * `refused`: the server refuses the request itself, e.g. 401 or 404, or no request can be sent, e.g. to an unknown
 * scheme. `closed`, `buffer-full`: the client could not take the event. `bad-event`: the argument of the call is no
 * event at all: null, a text, an object whose fields throw.
 */
export type EventErrorReason = RejectionReason | "undelivered" | "refused" | "closed" | "buffer-full" | "bad-event";

/** One event that was not accepted. */
export class EventError extends Error {
  override readonly name = "EventError";
  constructor(
    readonly reason: EventErrorReason,
    /** A description for people. */
    readonly detail: string,
    readonly eventId: string | null,
    /** The event's position in the list given to `processEvents`; 0 for a single event. */
    readonly index: number = 0,
  ) {
    super(`${reason}: ${detail}`);
  }
}

/** Some events of a `processEvents` call were not accepted; the others are accepted and durable. */
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
