// SPDX-License-Identifier: Apache-2.0
/**
 * When a failed webhook delivery is tried again, and when it is given up. The lane of a webhook asks after each
 * failure.
 */
import { HOUR_MS } from "../../../domain/rules/time";
import type { AttemptOutcome, Delivery } from "../../../io/ports/alert-store";
import type { SendOutcome } from "../../../io/webhooks/send";

export interface RetryBounds {
  /** The longest pause after the first attempt that failed; doubles with each further one. */
  firstPauseMs: number;
  maxPauseMs: number;
  /** A delivery dies that was not taken for so long. */
  deadAfterMs: number;
}

/** A receiver's clock may be wrong, so its Retry-After is bounded. */
const MAX_RETRY_AFTER_MS = HOUR_MS;
/** Returns how far ahead the next attempt of a delivery can lie. */
export const longestPauseMs = ({ maxPauseMs }: Pick<RetryBounds, "maxPauseMs">): number =>
  Math.max(maxPauseMs, MAX_RETRY_AFTER_MS);

/** 2 to this power is beyond any pause, and still a number. */
const MAX_DOUBLINGS = 40;

/**
 * Returns the state of a delivery after a failed attempt: exponential backoff with full jitter, never before the
 * receiver's Retry-After. `random` is in [0, 1).
 */
export function nextAttempt(
  { attempts, sinceMs }: Pick<Delivery, "attempts" | "sinceMs">,
  { kind, detail, retryAfterMs = 0 }: SendOutcome,
  { firstPauseMs, maxPauseMs, deadAfterMs }: RetryBounds,
  nowMs: number,
  random: number,
): AttemptOutcome {
  if (kind === "gone") return { state: "dead", atMs: nowMs, detail };
  const pauseMs = random * Math.min(maxPauseMs, firstPauseMs * 2 ** Math.min(attempts, MAX_DOUBLINGS));
  const nextAttemptAtMs = Math.ceil(nowMs + Math.max(pauseMs, Math.min(retryAfterMs, MAX_RETRY_AFTER_MS)));
  if (nextAttemptAtMs - sinceMs > deadAfterMs) return { state: "dead", atMs: nowMs, detail };
  return { state: "waiting", nextAttemptAtMs, detail };
}
