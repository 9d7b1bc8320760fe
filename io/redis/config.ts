// SPDX-License-Identifier: Apache-2.0
/** The place of shared answers, and the bounds of the connection. The read API's shared answers are opened with it. */

export interface RedisAnswersOptions {
  /** redis://host:port/database, or rediss:// for TLS. */
  url: string;
  username?: string;
  password?: string;
  /** Before every key: two deployments on one Redis must not share answers. */
  prefix: string;
  /** A find that takes longer finds nothing. */
  deadlineMs: number;
  /** Told once an outage: why Redis is left alone, and undefined when it answers again. */
  onChange?: (trouble: Error | undefined) => void;
  /** Milliseconds, of a clock that only goes forward. */
  now?: () => number;
}

export const RECONNECT_MS = 250;
export const CONNECT_TIMEOUT_MS = 2_000;
/** Commands that wait for Redis; more are not sent. */
export const MAX_WAITING = 1_000;
