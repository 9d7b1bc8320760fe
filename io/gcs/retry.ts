// SPDX-License-Identifier: Apache-2.0
/**
 * Which failures of Cloud Storage are worth another attempt, when it is made, and what the caller is told in the end.
 */
import { retrying } from "../flow/retry";
import { StoreUnavailableError } from "../ports";
import type { GcsConfig } from "./config";
import { ExchangeError } from "./http";

/** An answer that is a refusal. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  constructor(
    readonly status: number,
    detail: string,
  ) {
    super(`HTTP ${status}${detail === "" ? "" : `: ${detail}`}`);
  }
}

/** The bytes that came are not those of the checksum they came with. */
export class DamagedAnswerError extends Error {
  override readonly name = "DamagedAnswerError";
}

/** https://cloud.google.com/storage/docs/retry-strategy: overloaded, or a fault of the moment. */
const PASSING = new Set([408, 429, 500, 502, 503, 504]);
const MAX_PAUSE_MS = 5000;

/**
 * Whether another attempt may succeed. All requests may be sent again: a name is written again with the same bytes, and
 * an upload that wants the name to be free finds its own earlier one (GcsObjects.create).
 */
function isPassing(error: unknown): boolean {
  if (error instanceof RefusedError) return PASSING.has(error.status);
  return error instanceof ExchangeError || error instanceof DamagedAnswerError;
}

type RetryConfig = Pick<GcsConfig, "bucket" | "maxAttempts" | "retryWithinMs" | "retryPauseMs" | "random">;

/**
 * Tries until the attempt succeeds, fails for good, or was the last one. Rejects with `StoreUnavailableError` that
 * names the bucket, what was attempted and the reason.
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

/** Errors of other kinds are bugs and stay what they are. */
function asUnavailable(what: string, bucket: string, error: unknown): unknown {
  if (!(error instanceof RefusedError || isPassing(error))) return error;
  const isMissing = error instanceof RefusedError && error.status === 404;
  const reason = `${(error as Error).message}${isMissing ? " (viewmill storage init makes the bucket)" : ""}`;
  return new StoreUnavailableError(`bucket ${bucket}: ${what}: ${reason}`, { cause: error });
}
