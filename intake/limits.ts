// SPDX-License-Identifier: Apache-2.0
/**
 * The bounds on what may come in. The write API, the archiver, the stream and backfills take them from the deployment,
 * so that they refuse the same events.
 */

/**
 * The limits of one event, one body and one message, on every road into Viewmill. The configuration may set the limits
 * of `http`.
 */
export interface IntakeLimits {
  /** The bytes of a request's body, before and after decompression. */
  maxBodyBytes: number;
  /** The bytes of a topic's message, decompressed. */
  maxMessageBytes: number;
  /** The events of one body or message. */
  maxEvents: number;
  /** The bytes of the unknown fields of one event, as JSON text. */
  maxEventBytes: number;
}

/** The contract's limits. A message may be as large as Pub/Sub's largest, 10 MB. */
export const CONTRACT_LIMITS: Readonly<IntakeLimits> = {
  maxBodyBytes: 8 << 20,
  maxMessageBytes: 10 << 20,
  maxEvents: 10_000,
  maxEventBytes: 64 << 10,
};

/** How deep the unknown fields of an event may nest, because a later reader may recurse. */
export const MAX_EXTRA_DEPTH = 64;
