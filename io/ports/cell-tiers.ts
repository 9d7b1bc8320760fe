// SPDX-License-Identifier: Apache-2.0
/** Minute and hour cells that have left the store for files: roll-ups. Days and totals stay in the store for ever. */
export type RolledLevel = "minute" | "hour";

/** A file of cells that left the store. What the store has of its range came later, and is added to it. */
export interface RollUp {
  /** In the folder of roll-ups. */
  name: string;
  level: RolledLevel;
  fromMs: number;
  toMs: number;
  /** The file holds the videos of this part out of `parts` (domain/rules/roll-ups.ts). */
  part: number;
  parts: number;
  cells: number;
  sizeBytes: number;
  sha256: string;
}

/**
 * frozen: cells are being written to files; nobody may change them. expiring: the files are right, and the raw events
 * of the range are being deleted. dropping: the files are what is read; the store's cells of the range are not, and are
 * being deleted.
 */
export type RollUpPhase = "frozen" | "expiring" | "dropping";

export interface RollingRange {
  level: RolledLevel;
  fromMs: number;
  toMs: number;
  phase: RollUpPhase;
}

export interface TierState {
  /** Grows with every change of the rest. */
  version: number;
  /** Those that are read. */
  rollUps: readonly RollUp[];
  /** What is being rolled up; at most one range at a time. */
  rolling: RollingRange | undefined;
}

/**
 * How cells leave a store, one range after the other. Each step is durable when it resolves and may be repeated; a
 * process that dies between two leaves every cell readable exactly once. While a range is rolled up, a write to a
 * minute of it is refused with `StoreUnavailableError`: write again later.
 */
export interface CellTiers {
  tiers(): Promise<TierState>;
  /**
   * Begins; or does nothing where this very range is frozen. Hours of the range are complete in the store when it
   * resolves.
   */
  freeze(range: Omit<RollingRange, "phase">): Promise<void>;
  /** Gives up a range that is frozen. */
  thaw(): Promise<void>;
  /** The files of the frozen range are written and right: they will be read after `commit`. */
  expire(rollUps: readonly RollUp[]): Promise<void>;
  /** From now on the files are read, and the store's cells are not. */
  commit(): Promise<void>;
  /** Deletes the store's cells of the range, in short transactions, and ends. */
  drop(): Promise<void>;
}

/** Where roll-ups are: a folder of the data folder, or a prefix of a bucket. Names have letters, digits and `-._=/`. */
export interface RollUpFolder {
  /** Durable when it resolves; replaces. */
  write(name: string, content: Uint8Array): Promise<void>;
  /** undefined: there is none of that name. */
  open(name: string): Promise<RollUpBytes | undefined>;
  /** Removes a file, if it is there. */
  remove(name: string): Promise<void>;
}

export interface RollUpBytes {
  byteLength: number;
  slice(from: number, to?: number): Promise<ArrayBuffer>;
}
