// SPDX-License-Identifier: Apache-2.0
/**
 * What the embedded stream needs of a ledger beside the books: where it is in the log, and which ranges wait.
 * io/sqlite/ implements it.
 */
import type { ArchivedObject, Ledger } from "./ledger";

/** A log range whose archive objects are being written. After a crash exactly this range is done again. */
export interface PendingRange {
  fromPosition: number;
  toPosition: number;
}

/**
 * A log range of which only the newest minutes are archived and counted. The other minutes are counted later, newest
 * first.
 */
export interface DeferredRange extends PendingRange {
  /** Minutes from this one on are archived and counted. */
  countedFromMinute: number;
}

/** The ledger of one machine, with the position of its stream. */
export interface EmbeddedLedger extends Ledger {
  /** Returns the position up to which the log is read. */
  checkpoint(): Promise<number>;
  /**
   * Returns the position up to which the log is archived and counted: the checkpoint, or the start of the first
   * deferred range.
   */
  countedThrough(): Promise<number>;
  pending(): Promise<PendingRange | undefined>;
  setPending(range: PendingRange): Promise<void>;
  /**
   * Ends a pass in one transaction: sets the checkpoint to `position`, removes the pending range, lists the objects,
   * marks the minutes changed, and stores the range `deferred` where the pass left minutes of it. Never moves the
   * checkpoint back.
   */
  completePass(
    position: number,
    objects: readonly ArchivedObject[],
    changedMinutes: readonly number[],
    deferred?: DeferredRange,
  ): Promise<void>;
  /** Returns the oldest range with minutes that are still to be counted. */
  deferred(): Promise<DeferredRange | undefined>;
  /**
   * Ends a slice of a deferred range in one transaction: lists the objects, marks the minutes changed, and notes that
   * the range is counted from `countedFromMinute` on. With undefined the whole range is counted.
   */
  completeSlice(
    range: PendingRange,
    countedFromMinute: number | undefined,
    objects: readonly ArchivedObject[],
    changedMinutes: readonly number[],
  ): Promise<void>;
}
