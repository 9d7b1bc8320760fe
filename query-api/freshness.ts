// SPDX-License-Identifier: Apache-2.0
import { completeThrough } from "../domain/rules/freshness";
import type { LogProgress } from "../io/ports";

export interface Freshness {
  asOfMs: number;
  /** Every event accepted before this is in what is read from the counters afterwards. */
  completeThroughMs: number;
}

interface FreshnessSources {
  progress: Pick<LogProgress, "completeThroughMs">;
  clock: () => number;
}

/**
 * To be called before the counters are read: what is complete now is in them then. The clock is asked first, so that an
 * event appended meanwhile is never promised.
 */
export async function readFreshness({ progress, clock }: FreshnessSources): Promise<Freshness> {
  const asOfMs = clock();
  return { asOfMs, completeThroughMs: completeThrough(asOfMs, await progress.completeThroughMs(asOfMs)) };
}
