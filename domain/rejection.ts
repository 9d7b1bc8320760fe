// SPDX-License-Identifier: Apache-2.0
/**
 * Rejections of events, and their closed list of reasons. The intake (intake/) makes them on every road, the dead
 * letters keep them, and the client library reports them to its user.
 */

/**
 * The reasons for which an event is refused: the closed list of the contract. A refused event goes to the dead letters,
 * whole.
 */
export const REJECTION_REASONS = [
  "not-json",
  "not-avro",
  "unknown-schema",
  "missing-field",
  "bad-event-id",
  "bad-video-id",
  "bad-event-type",
  "bad-event-time",
  "bad-value",
  "too-far-in-future",
  "too-old",
  "too-large",
] as const;

export type RejectionReason = (typeof REJECTION_REASONS)[number];

/** One refused event of a batch, in the form in which the write API returns it. */
export interface Rejection {
  /** The event's position in the batch, from 0. */
  index: number;
  eventId: string | null;
  reason: RejectionReason;
  detail: string;
}
