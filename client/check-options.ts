// SPDX-License-Identifier: Apache-2.0
/** The longest timer: a platform fires a longer one at once. ViewmillClient checks its options before it starts. */
const MAX_TIMER_MS = 2 ** 31 - 1;

const MILLISECONDS = [
  "lingerMs",
  "connectTimeoutMs",
  "requestTimeoutMs",
  "deliverWithinMs",
  "drainWithinMs",
  "retryBaseMs",
  "retryMaxMs",
] as const;
const AT_LEAST_ONE = [
  "batchSize",
  "maxBatchBytes",
  "maxBufferedEvents",
  "maxBufferedBytes",
  "maxInFlightRequests",
  "maxConnections",
] as const;

type Checked = Partial<
  Record<(typeof MILLISECONDS)[number] | (typeof AT_LEAST_ONE)[number] | "retries" | "maxWaitingEvents", number>
>;

/** Throws a RangeError that names an option by which calls would never end, or would end at once. */
export function checkOptions(options: Checked): void {
  for (const name of MILLISECONDS) within(name, options[name], 0, MAX_TIMER_MS);
  for (const name of AT_LEAST_ONE) within(name, options[name], 1, Number.POSITIVE_INFINITY);
  within("retries", options.retries, 0, Number.POSITIVE_INFINITY);
  within("maxWaitingEvents", options.maxWaitingEvents, 0, Number.POSITIVE_INFINITY);
}

function within(name: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined) return;
  if (typeof value !== "number" || !(value >= least && value <= most))
    throw new RangeError(`${name} must be a number from ${least} to ${most}`);
}

/** Returns a wait as a timer can hold it; `usualMs` where the caller has given no time at all. */
export function boundedWaitMs(waitMs: unknown, usualMs: number): number {
  return typeof waitMs === "number" && waitMs >= 0 ? Math.min(waitMs, MAX_TIMER_MS) : usualMs;
}
