// SPDX-License-Identifier: Apache-2.0
/** The most cells of a transaction, whatever little time they take. */
const MOST_CELLS = 16_384;
/** A transaction writes the first cells of many blocks, so a smaller one saves no time. */
const LEAST_CELLS = 1_024;
const FIRST_CELLS = 2_048;
/** After this processor time the next transaction takes half as much. Other writers of the file wait for all of it. */
const LONG_MS = 80;
const SHORT_MS = 35;

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

  /** Notes a transaction. One with few cells says nothing about how long many of them take. */
  took(cells: number, cpuMs: number): void {
    if (cpuMs > LONG_MS) this.#cells = Math.max(this.#least, Math.floor(this.#cells / 2));
    else if (cpuMs < SHORT_MS && cells >= this.#cells / 2) this.#cells = Math.min(this.most, this.#cells * 2);
  }
}

/** Returns the processor time of this thread, or the time of a clock where Node cannot tell (before 23.9). */
export function threadCpuMs(): number {
  const usage: (() => NodeJS.CpuUsage) | undefined = process.threadCpuUsage;
  if (usage === undefined) return performance.now();
  const { user, system } = usage.call(process);
  return (user + system) / 1_000;
}
