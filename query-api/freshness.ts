import type { EventLog, StreamState } from "../io/ports";

export interface Freshness {
  asOfMs: number;
  /** Every event accepted before this is in what is read from the counters afterwards. */
  completeThroughMs: number;
}

export interface FreshnessSources {
  state: Pick<StreamState, "checkpoint">;
  log: Pick<EventLog, "firstAfter">;
  clock: () => number;
}

/**
 * To be called before the counters are read: whatever the checkpoint covers now is in them then. The clock is asked
 * first, so that an event appended meanwhile is never promised.
 */
export async function readFreshness({ state, log, clock }: FreshnessSources): Promise<Freshness> {
  const asOfMs = clock();
  const next = await log.firstAfter(await state.checkpoint());
  return { asOfMs, completeThroughMs: next === undefined ? asOfMs : Math.min(next.appendedAtMs, asOfMs) };
}
