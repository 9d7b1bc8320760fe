// SPDX-License-Identifier: Apache-2.0
/**
 * The one place that decides which failures of a call are worth another attempt. Every call of this folder is repeated
 * or given up with it.
 */
import { status } from "@grpc/grpc-js";
import { retrying } from "../flow/retry";
import { StoreUnavailableError } from "../ports";

/** `again`: the failure may pass. `stop`: an operator must act. `caller`: the request itself is wrong. */
type FailureKind = "again" | "stop" | "caller";

const AGAIN: ReadonlySet<number> = new Set([
  status.UNAVAILABLE,
  status.DEADLINE_EXCEEDED,
  status.ABORTED,
  status.RESOURCE_EXHAUSTED,
  // A connection that breaks in the middle of an answer appears as any of these three codes.
  status.INTERNAL,
  status.UNKNOWN,
  status.CANCELLED,
]);
const CALLER: ReadonlySet<number> = new Set([status.INVALID_ARGUMENT, status.OUT_OF_RANGE, status.ALREADY_EXISTS]);
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 2_000;

/** A failed call, or a failed entry of one. */
export interface Failure {
  code: number;
  details: string;
}

export function failureKind({ code, details }: Failure): FailureKind {
  // Bigtable answers INTERNAL for a family that does not exist, which no attempt changes.
  if (code === status.INTERNAL && /unknown family/i.test(details)) return "stop";
  if (AGAIN.has(code)) return "again";
  return CALLER.has(code) ? "caller" : "stop";
}

export function asFailure(error: unknown): Failure | undefined {
  if (typeof error !== "object" || error === null || !("code" in error) || typeof error.code !== "number") {
    return undefined;
  }
  return { code: error.code, details: "details" in error ? String(error.details) : String(error) };
}

/** Returns the error that the caller of the store gets for a failure that stays. */
function asStoreError(failure: Failure, what: string): Error {
  const text = `Bigtable, ${what}: ${status[failure.code] ?? failure.code} ${failure.details}`;
  if (failureKind(failure) === "caller") return new RangeError(text);
  const missing = failure.code === status.NOT_FOUND || /unknown family/i.test(failure.details);
  return new StoreUnavailableError(
    missing ? `${text} (viewmill bigtable init makes the tables; an emulator forgets them)` : text,
  );
}

/** Returns the milliseconds before attempt `attempt` (1: the second): exponential with full jitter. */
export function pauseMs(attempt: number, random: () => number): number {
  return random() * Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt, 16));
}

export interface RetryTimes {
  attemptTimeoutMs: number;
  totalTimeoutMs: number;
}

/**
 * Runs `attempt` until it succeeds, with a deadline each (epoch milliseconds). `attempt` throws a `Failure`; any other
 * error passes through. Rejects as `asStoreError` says.
 */
export async function withRetries<T>(
  what: string,
  times: RetryTimes,
  attempt: (deadlineMs: number) => Promise<T>,
): Promise<T> {
  return retrying((leftMs) => attempt(Date.now() + Math.min(leftMs, times.attemptTimeoutMs)), {
    totalMs: times.totalTimeoutMs,
    pauseMs: (attempts) => pauseMs(attempts, Math.random),
    isWorthRetrying: (error) => {
      const failure = asFailure(error);
      return failure !== undefined && failureKind(failure) === "again";
    },
    asFinal: (error) => {
      const failure = asFailure(error);
      return failure === undefined ? error : asStoreError(failure, what);
    },
  });
}
