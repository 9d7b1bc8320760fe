// SPDX-License-Identifier: Apache-2.0
/** Percentiles of latencies, and waiting for a schedule, for every probe. */

export interface LatencySummary {
  requests: number;
  p50Ms: number;
  p99Ms: number;
  p999Ms: number;
  maxMs: number;
}

/** Nearest-rank percentiles. */
export function summaryOf(latenciesMs: readonly number[]): LatencySummary {
  const sorted = Float64Array.from(latenciesMs).sort();
  const at = (share: number) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
  return { requests: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), p999Ms: at(0.999), maxMs: at(1) };
}

export const pauseUntil = (timeMs: number): Promise<void> => {
  const leftMs = timeMs - performance.now();
  return leftMs < 1 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, leftMs));
};

/**
 * Waits until a request is due. Resolves with the time from which its latency counts: from when it was due, so that a
 * stall is not hidden by the requests that it held up, and from now where it is sent up to a millisecond before.
 */
export async function untilDue(dueMs: number): Promise<number> {
  await pauseUntil(dueMs);
  return Math.min(dueMs, performance.now());
}
