// SPDX-License-Identifier: Apache-2.0
/**
 * The port of tiering, by which `viewmill tier` moves cells and readers learn what has moved. io/sqlite/ and
 * io/bigtable/ implement it.
 */

/** Minute and hour cells leave the store for files, the roll-ups. Days and totals stay in the store for ever. */
export type RolledLevel = "minute" | "hour";

/**
 * A file of cells that left the store. Cells that the store has in the file's range are of later events, and are added
 * to it.
 */
export interface RollUp {
  /** The file's name in the folder of roll-ups. */
  name: string;
  level: RolledLevel;
  fromMs: number;
  toMs: number;
  /** The file holds the videos of this part of `parts` (domain/rules/roll-ups.ts). */
  part: number;
  parts: number;
  cells: number;
  sizeBytes: number;
  sha256: string;
  /** The hours (since 1970) of which a file of minutes has cells. Absent where the store does not keep them. */
  hours?: readonly number[];
}

/**
 * - `frozen`: cells are being written to files, and no process may change them.
 * - `expiring`: the files are right, and the raw events of the range are being deleted.
 * - `dropping`: readers read the files and not the store's cells of the range, which are being deleted.
 */
export type RollUpPhase = "frozen" | "expiring" | "dropping";

export interface RollingRange {
  level: RolledLevel;
  fromMs: number;
  toMs: number;
  phase: RollUpPhase;
}

export interface TierState {
  /** Grows with every change of the other fields. */
  version: number;
  /** The roll-ups that readers read. */
  rollUps: readonly RollUp[];
  /** The range that is being rolled up; at most one at a time. */
  rolling: RollingRange | undefined;
}

/**
 * Moves cells out of a store, one range after the other. Each step is durable when it resolves and may be repeated. A
 * process that dies between two steps leaves every cell readable exactly once. While a range is rolled up, a write to
 * one of its minutes is refused with `StoreUnavailableError`, and the writer writes again later.
 */
export interface CellTiers {
  tiers(): Promise<TierState>;
  /**
   * Freezes a range; does nothing where this very range is frozen. Hours of the range are complete in the store when it
   * resolves.
   */
  freeze(range: Omit<RollingRange, "phase">): Promise<void>;
  /** Gives up the frozen range. */
  thaw(): Promise<void>;
  /** Notes that the files of the frozen range are written and right. Readers use them after `commit`. */
  expire(rollUps: readonly RollUp[]): Promise<void>;
  /** Switches readers from the store's cells to the files. */
  commit(): Promise<void>;
  /** Deletes the store's cells of the range, in short transactions, and ends the roll-up. */
  drop(): Promise<void>;
}

/**
 * The place of roll-ups: a folder of the data folder, or a prefix of a bucket. Names have letters, digits and `-._=/`.
 */
export interface RollUpFolder {
  /** Writes or replaces a file; durable when it resolves. */
  write(name: string, content: Uint8Array): Promise<void>;
  /** Resolves with undefined where no file has that name. */
  open(name: string): Promise<RollUpBytes | undefined>;
  /** Removes a file; a missing file is no error. */
  remove(name: string): Promise<void>;
  /** Returns the names of the files below a folder (`granularity=hour/date=2026-10-01`), in any order. */
  names(folder: string): Promise<string[]>;
}

export interface RollUpBytes {
  byteLength: number;
  slice(from: number, to?: number): Promise<ArrayBuffer>;
}
