// SPDX-License-Identifier: Apache-2.0
import { StoreUnavailableError } from "../../io/ports";
import { pause } from "../pause";

/**
 * Runs `work` until `stop` aborts, and again after a pause when a log or store did not answer. Unacknowledged messages
 * are taken again, so an outage costs nothing but time. Rejects with any other error. `viewmill archive` runs the
 * archiver in it.
 */
export async function throughOutages(
  work: () => Promise<void>,
  { stop, pauseMs, onOutage }: { stop: AbortSignal; pauseMs: number; onOutage: (error: Error) => void },
): Promise<void> {
  while (!stop.aborted) {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      onOutage(error);
      await pause(pauseMs, stop);
    }
  }
}
