// SPDX-License-Identifier: Apache-2.0
/**
 * The rows that a writer knows, bounded by their cells. The row used longest ago is forgotten first. The rounds of the
 * counter store keep what they know in it.
 */

interface Known {
  readonly size: number;
  /**
   * The time at which the knowledge was complete: when the row was read, or when its marks were last checked
   * (performance.now()).
   */
  readonly asOfMs: number;
}

/**
 * The age of usable knowledge. Marks are kept for a day (see tables.ts). Knowledge that is compared with marks is far
 * younger, so no mark can have come and gone unseen.
 */
const MAX_AGE_MS = 600_000;
/** A row without cells still takes memory. */
const CELLS_A_ROW = 4;

export class KnownCache<T extends Known> {
  readonly #rows = new Map<string, { row: T; size: number }>();
  #cells = 0;

  constructor(
    private readonly maxCells: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Returns the row and forgets it. The caller puts it back when its write has succeeded. */
  take(key: string): T | undefined {
    const found = this.#rows.get(key);
    if (found === undefined) return undefined;
    this.#rows.delete(key);
    this.#cells -= found.size;
    return this.now() - found.row.asOfMs > MAX_AGE_MS ? undefined : found.row;
  }

  put(key: string, row: T): void {
    this.take(key);
    const size = row.size + CELLS_A_ROW;
    this.#rows.set(key, { row, size });
    this.#cells += size;
    while (this.#cells > this.maxCells) this.take(this.#rows.keys().next().value!);
  }

  clear(): void {
    this.#rows.clear();
    this.#cells = 0;
  }
}
