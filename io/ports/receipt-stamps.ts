// SPDX-License-Identifier: Apache-2.0
/** The receipt time given to an event without a time of its own. A retry within 10 minutes gets the same time. */
import { MINUTE_MS } from "../../domain/rules/time";

export interface Stamp {
  /** `eventId \0 videoId \0 eventType` */
  key: string;
  stampedAtMs: number;
}

/** How long a stamp holds: the contract's window for a retry of an event without a time. */
export const STAMP_MEMORY_MS = 10 * MINUTE_MS;

/**
 * Receipt stamps in a store that every instance of the write API sees, for a log that does not keep them itself. Only
 * events without a time of their own need it, once a request.
 */
export interface ReceiptStamps {
  /**
   * Puts if absent: returns, in order, the valid stamp of each key. That is the stamp that another call gave the key
   * less than `STAMP_MEMORY_MS` before the proposed one, or else the proposed one. Of concurrent calls one wins, and
   * all return its stamp. A returned stamp survives every process for as long as it holds. Keys are distinct. Rejects
   * with `StoreUnavailableError`; some of the keys may then be kept, and the caller may ask again.
   */
  hold(proposed: readonly Stamp[]): Promise<Stamp[]>;
  close(): Promise<void>;
}
