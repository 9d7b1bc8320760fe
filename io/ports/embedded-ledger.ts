// SPDX-License-Identifier: Apache-2.0
import type { ArchivedObject, Ledger } from "./ledger";

/** A log range whose archive objects are being written; redone exactly after a crash. */
export interface PendingRange {
  fromPosition: number;
  toPosition: number;
}

/** A log range of which only the newest minutes are archived and counted; the others are, later, newest first. */
export interface DeferredRange extends PendingRange {
  /** Minutes from this one on are archived and counted. */
  countedFromMinute: number;
}

/** The ledger of one machine, and how far its stream has come. */
export interface EmbeddedLedger extends Ledger {
  /** The log is read up to here. */
  checkpoint(): Promise<number>;
  /** The log is archived and counted up to here: the checkpoint, or what is before the first deferred range. */
  countedThrough(): Promise<number>;
  pending(): Promise<PendingRange | undefined>;
  setPending(range: PendingRange): Promise<void>;
  /**
   * Ends a pass in one transaction: checkpoint = `position`, no pending range, objects listed, minutes marked changed,
   * and the range `deferred` where the pass left minutes of it. Never moves the checkpoint back.
   */
  completePass(
    position: number,
    objects: readonly ArchivedObject[],
    changedMinutes: readonly number[],
    deferred?: DeferredRange,
  ): Promise<void>;
  /** The oldest range with minutes that are still to be counted. */
  deferred(): Promise<DeferredRange | undefined>;
  /**
   * Ends a slice of a deferred range in one transaction: objects listed, minutes marked changed, and the range counted
   * from `countedFromMinute` on; undefined: nothing is left of it.
   */
  completeSlice(
    range: PendingRange,
    countedFromMinute: number | undefined,
    objects: readonly ArchivedObject[],
    changedMinutes: readonly number[],
  ): Promise<void>;
}
