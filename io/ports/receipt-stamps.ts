// SPDX-License-Identifier: Apache-2.0
/** The receipt time given to an event that had none, so that a retry within 10 minutes gets the same. */
import { MINUTE_MS } from "../../domain/rules/time";

export interface Stamp {
  /** `eventId \0 videoId \0 eventType` */
  key: string;
  stampedAtMs: number;
}

/** How long a stamp holds: the contract's window for a retry of an event without a time. */
export const STAMP_MEMORY_MS = 10 * MINUTE_MS;

/**
 * Receipt stamps where every instance of the write API sees them, for a log that does not keep them itself. Asked for
 * events without a time of their own only, once a request.
 */
export interface ReceiptStamps {
  /**
   * Puts if absent: answers, in order, the stamp that holds for each key, which is the one that another call gave it
   * less than `STAMP_MEMORY_MS` before the proposed one, or else the proposed one. Of calls at the same time one wins,
   * and all are answered its stamp. What is answered survives every process for as long as it holds. Keys are distinct.
   * Rejects with `StoreUnavailableError`; some of the keys may then be kept, and to ask again is right.
   */
  hold(proposed: readonly Stamp[]): Promise<Stamp[]>;
  close(): Promise<void>;
}
