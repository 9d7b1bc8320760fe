// SPDX-License-Identifier: Apache-2.0
/**
 * The bound on how long a write holds the store: it learns from each transaction how many cells the next one may have.
 * The counter store cuts the stream's writes with it.
 */

/** The most cells of a transaction, whatever little time they take. */
const MOST_CELLS = 16_384;
/** A transaction writes the first cells of many blocks, so a smaller one saves no time. */
const LEAST_CELLS = 1_024;
const FIRST_CELLS = 2_048;
/** The processor time that a transaction aims at: other writers of the file wait for all of it, at most 100 ms. */
const AIM_MS = 85;

/**
 * Says how many cells the next transaction takes, by what the last ones took: a cell costs several times more where
 * blocks are read first, where hours are folded, or on a slow machine.
 */
export class TransactionSize {
  #cells: number;
  readonly #least: number;

  constructor(private readonly most = MOST_CELLS) {
    this.#cells = Math.min(FIRST_CELLS, most);
    this.#least = Math.min(LEAST_CELLS, most);
  }

  get cells(): number {
    return this.#cells;
  }

  /**
   * Notes a transaction. The next one takes as many cells as this time says, at most twice and at least half as many.
   * One with few cells says nothing about how long many of them take, unless it took too long.
   */
  took(cells: number, cpuMs: number): void {
    if (cells < this.#cells / 2 && cpuMs <= AIM_MS) return;
    const factor = Math.min(2, Math.max(0.5, AIM_MS / Math.max(1, cpuMs)));
    this.#cells = Math.min(this.most, Math.max(this.#least, Math.floor(this.#cells * factor)));
  }
}

/** Returns the processor time of this thread, or the time of a clock where Node cannot tell (before 23.9). */
export function threadCpuMs(): number {
  const usage: (() => NodeJS.CpuUsage) | undefined = process.threadCpuUsage;
  if (usage === undefined) return performance.now();
  const { user, system } = usage.call(process);
  return (user + system) / 1_000;
}
