// SPDX-License-Identifier: Apache-2.0
/**
 * Decides which failures of Cloud Storage are worth another attempt, when the attempt is made, and which error the
 * caller gets in the end. The requests of this folder (objects.ts) are made with it.
 */
import { retrying } from "../flow/retry";
import { StoreUnavailableError } from "../ports";
import type { GcsConfig } from "./config";
import { ExchangeError } from "./connection";

/** Thrown for an answer that is a refusal. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  constructor(
    readonly status: number,
    detail: string,
  ) {
    super(`HTTP ${status}${detail === "" ? "" : `: ${detail}`}`);
  }
}

/** Thrown when received bytes differ from their checksum. */
export class DamagedAnswerError extends Error {
  override readonly name = "DamagedAnswerError";
}

/** https://cloud.google.com/storage/docs/retry-strategy: overload, or a fault that passes. */
const PASSING = new Set([408, 429, 500, 502, 503, 504]);
const MAX_PAUSE_MS = 5000;

/**
 * Returns whether another attempt may succeed. All requests may be sent again: a repeated write has the same bytes, and
 * an upload that needs a free name recognises its own earlier write (GcsObjects.create).
 */
function isPassing(error: unknown): boolean {
  if (error instanceof RefusedError) return PASSING.has(error.status);
  return error instanceof ExchangeError || error instanceof DamagedAnswerError;
}

type RetryConfig = Pick<GcsConfig, "bucket" | "maxAttempts" | "retryWithinMs" | "retryPauseMs" | "random">;

/**
 * Repeats until the attempt succeeds, fails for good, or was the last one. Rejects with `StoreUnavailableError` that
 * names the bucket, the operation and the reason.
 */
export async function withRetries<T>(what: string, config: RetryConfig, attempt: () => Promise<T>): Promise<T> {
  const { bucket, maxAttempts, retryWithinMs, retryPauseMs, random } = config;
  return retrying(() => attempt(), {
    totalMs: retryWithinMs,
    maxAttempts,
    pauseMs: (attempts) => random() * Math.min(MAX_PAUSE_MS, retryPauseMs * 2 ** (attempts - 1)),
    isWorthRetrying: isPassing,
    asFinal: (error, attempts) =>
      asUnavailable(isPassing(error) ? `${what} (${attempts} attempts)` : what, bucket, error),
  });
}

/** Errors of other kinds are bugs and stay unchanged. */
function asUnavailable(what: string, bucket: string, error: unknown): unknown {
  if (!(error instanceof RefusedError || isPassing(error))) return error;
  const isMissing = error instanceof RefusedError && error.status === 404;
  const reason = `${(error as Error).message}${isMissing ? " (viewmill storage init makes the bucket)" : ""}`;
  return new StoreUnavailableError(`bucket ${bucket}: ${what}: ${reason}`, { cause: error });
}
