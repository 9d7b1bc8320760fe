// SPDX-License-Identifier: Apache-2.0
/**
 * The progress of the log's events into the archive and the counters. Freshness is told from it, and audits wait for
 * it.
 */
export interface LogProgress {
  /** Returns whether there are messages that are not archived yet. */
  behind(): Promise<boolean>;
  /** Returns accepted events by minute of event time, in [fromMinute, toMinute), without backfilled ones. */
  accepted(fromMinute: number, toMinute: number): Promise<Map<number, number>>;
  /** Every event accepted before this time is archived and listed. Never after `nowMs`; 0: nothing is known. */
  archivedThroughMs(nowMs: number): Promise<number>;
  /** Every event accepted before this time is in the counters. Never after `nowMs`. */
  completeThroughMs(nowMs: number): Promise<number>;
}
