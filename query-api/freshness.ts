// SPDX-License-Identifier: Apache-2.0
/** How complete the counters are when a question is asked. Every answer with counts has it. */
import { completeThrough } from "../domain/rules/freshness";
import type { LogProgress } from "../io/ports";

export interface Freshness {
  asOfMs: number;
  /** Every event accepted before this time is in the counters that are read afterwards. */
  completeThroughMs: number;
}

interface FreshnessSources {
  progress: Pick<LogProgress, "completeThroughMs">;
  clock: () => number;
}

/**
 * Reads the freshness. The caller calls it before the counters are read, which then hold everything that is complete
 * now. The clock is read first, so that an event appended meanwhile is never promised.
 */
export async function readFreshness({ progress, clock }: FreshnessSources): Promise<Freshness> {
  const asOfMs = clock();
  return { asOfMs, completeThroughMs: completeThrough(asOfMs, await progress.completeThroughMs(asOfMs)) };
}
