// SPDX-License-Identifier: Apache-2.0
/**
 * The retry loop for Bigtable, Cloud Storage and Pub/Sub, made of cockatiel's. Each adapter's errors.ts decides which
 * errors are retried. Kafka retries through kafkajs.
 */
import { DelegateBackoff, handleWhen, retry } from "cockatiel";

interface RetryPolicy {
  /** How long after the first attempt begins a new attempt may still start. */
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
 * with the error that `asFinal` returns.
 */
export async function retrying<T>(call: (leftMs: number) => Promise<T>, policy: RetryPolicy): Promise<T> {
  const endsAt = performance.now() + policy.totalMs;
  let attempts = 0;
  let waitMs = 0;
  const isRetried = handleWhen((error) => {
    if (!policy.isWorthRetrying(error)) return false;
    waitMs = policy.pauseMs(attempts);
    return performance.now() + waitMs < endsAt;
  });
  const repeated = retry(isRetried, {
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
