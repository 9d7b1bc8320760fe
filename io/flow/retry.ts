// SPDX-License-Identifier: Apache-2.0
/**
 * The one loop that repeats calls of stores and brokers. Each adapter decides which errors are worth another attempt
 * (its retry.ts).
 */
import { setTimeout as delay } from "node:timers/promises";

interface RetryPolicy {
  /** The time after the first attempt in which another one may begin. */
  totalMs: number;
  /** The number of attempts; default: as many as the time allows. */
  maxAttempts?: number;
  /** Returns the pause after this many attempts. */
  pauseMs(attempts: number): number;
  isWorthRetrying(error: unknown): boolean;
  /** Turns the last attempt's error into the caller's error. */
  asFinal(error: unknown, attempts: number): unknown;
}

/**
 * Repeats `call` until it succeeds, fails for good, or the policy ends the attempts; `call` gets the time left. Rejects
 * with `asFinal`.
 */
export async function retrying<T>(call: (leftMs: number) => Promise<T>, policy: RetryPolicy): Promise<T> {
  const endsAt = performance.now() + policy.totalMs;
  for (let attempts = 1; ; attempts++) {
    try {
      return await call(Math.max(1, endsAt - performance.now()));
    } catch (error) {
      const waitMs = policy.isWorthRetrying(error) ? policy.pauseMs(attempts) : Number.POSITIVE_INFINITY;
      const isLast = attempts >= (policy.maxAttempts ?? Number.POSITIVE_INFINITY);
      if (isLast || performance.now() + waitMs >= endsAt) throw policy.asFinal(error, attempts);
      await delay(waitMs);
    }
  }
}
