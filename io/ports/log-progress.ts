// SPDX-License-Identifier: Apache-2.0
/** How far the events of the log have come: into the archive and the counters. */
export interface LogProgress {
  /** Whether there are messages that are not archived yet. */
  behind(): Promise<boolean>;
  /**
   * Events answered as accepted by minute of event time, in [fromMinute, toMinute); backfilled ones are not among them.
   */
  accepted(fromMinute: number, toMinute: number): Promise<Map<number, number>>;
  /** Every event accepted before this is archived and listed. Never after `nowMs`; 0: nothing is known. */
  archivedThroughMs(nowMs: number): Promise<number>;
  /** Every event accepted before this is in the counters. Never after `nowMs`. */
  completeThroughMs(nowMs: number): Promise<number>;
}
