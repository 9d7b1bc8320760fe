// SPDX-License-Identifier: Apache-2.0
/**
 * What one event, one body and one message may be, on every road into Viewmill. The configuration may set those of
 * `http`.
 */
export interface IntakeLimits {
  /** Of a request's body, before and after decompression. */
  maxBodyBytes: number;
  /** Of a topic's message, decompressed. */
  maxMessageBytes: number;
  /** Of one body or message. */
  maxEvents: number;
  /** Of the unknown fields of one event, as JSON text. */
  maxEventBytes: number;
}

/** The contract's. A message may be as large as the largest that Pub/Sub takes, 10 MB. */
export const CONTRACT_LIMITS: Readonly<IntakeLimits> = {
  maxBodyBytes: 8 << 20,
  maxMessageBytes: 10 << 20,
  maxEvents: 10_000,
  maxEventBytes: 64 << 10,
};

/** Levels of nesting the unknown fields of an event may have: whatever reads them later may recurse. */
export const MAX_EXTRA_DEPTH = 64;
