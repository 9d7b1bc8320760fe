// SPDX-License-Identifier: Apache-2.0
/**
 * Decides which answers of Pub/Sub are worth another attempt, and how many attempts are made. Every call of this folder
 * is repeated or given up with it.
 */
import { retrying } from "../flow/retry";
import { StoreUnavailableError } from "../ports";

/** gRPC codes: CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, INTERNAL, UNAVAILABLE. */
const AGAIN: ReadonlySet<number> = new Set([1, 2, 4, 8, 10, 13, 14]);
const ALREADY_EXISTS = 6;
const NOT_FOUND = 5;
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 2_000;

export function isWorthRetrying(error: unknown): boolean {
  return AGAIN.has(codeOf(error));
}
export const alreadyExists = (error: unknown): boolean => codeOf(error) === ALREADY_EXISTS;
export const notFound = (error: unknown): boolean => codeOf(error) === NOT_FOUND;

/**
 * Repeats `call` until it succeeds, fails for good or `totalMs` is over; `call` gets the time left. Every call of this
 * folder may be repeated, because a message that is published twice has one id. Rejects with `StoreUnavailableError`.
 */
export async function retried<T>(totalMs: number, call: (leftMs: number) => Promise<T>): Promise<T> {
  return retrying(call, {
    totalMs,
    pauseMs: (attempts) => Math.min(FIRST_PAUSE_MS * 2 ** (attempts - 1), MAX_PAUSE_MS) * (0.5 + Math.random() / 2),
    isWorthRetrying,
    asFinal: unavailable,
  });
}

export function unavailable(error: unknown): StoreUnavailableError {
  if (error instanceof StoreUnavailableError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const remedy = notFound(error) ? " (viewmill pubsub init makes topics and subscriptions)" : "";
  return new StoreUnavailableError(`Pub/Sub: ${reason}${remedy}`, { cause: error });
}

function codeOf(error: unknown): number {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === "number" ? code : -1;
}
