// SPDX-License-Identifier: Apache-2.0
/**
 * The one loop that repeats calls of stores and brokers. What is worth another attempt is each adapter's own (its
 * retry.ts).
 */
import { setTimeout as delay } from "node:timers/promises";

export interface RetryPolicy {
  /** No attempt begins later than this after the first. */
  totalMs: number;
  /** Default: as many as there is time for. */
  maxAttempts?: number;
  /** How long to wait after this many attempts. */
  pauseMs(attempts: number): number;
  isWorthRetrying(error: unknown): boolean;
  /** The error that the caller gets for the last attempt's. */
  asFinal(error: unknown, attempts: number): unknown;
}

/**
 * Attempts `call` until it succeeds, fails for good, or the policy's end; `call` gets what is left of the time. Rejects
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
