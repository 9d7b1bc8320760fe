// SPDX-License-Identifier: Apache-2.0
/** Why an event is refused: the closed list of the contract. A refused event goes to the dead letters, whole. */
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

/** One refused event of a batch, as the write API answers it. */
export interface Rejection {
  /** Position in the batch, from 0. */
  index: number;
  eventId: string | null;
  reason: RejectionReason;
  detail: string;
}
