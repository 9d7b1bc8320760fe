// SPDX-License-Identifier: Apache-2.0
/**
 * The one policy that repeats calls of stores and brokers. The loop and its pauses are cockatiel's; each adapter
 * decides in its errors.ts which errors are worth another attempt.
 */
import { DelegateBackoff, handleWhen, retry } from "cockatiel";

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
  let attempts = 0;
  let waitMs = 0;
  const isTried = handleWhen((error) => {
    if (!policy.isWorthRetrying(error)) return false;
    waitMs = policy.pauseMs(attempts);
    return performance.now() + waitMs < endsAt;
  });
  const repeated = retry(isTried, {
    maxAttempts: (policy.maxAttempts ?? Number.POSITIVE_INFINITY) - 1,
    backoff: new DelegateBackoff(() => waitMs),
  });
  try {
    return await repeated.execute(() => {
      attempts++;
      return call(Math.max(1, endsAt - performance.now()));
    });
  } catch (error) {
    throw policy.asFinal(error, attempts);
  }
}
