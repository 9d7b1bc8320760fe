// SPDX-License-Identifier: Apache-2.0
/** The rows a writer knows, bounded by their cells; the one used longest ago is forgotten first. */

interface Known {
  readonly size: number;
  /** When it was last all there was: when it was read, or when its marks were last looked at (performance.now()). */
  readonly asOfMs: number;
}

/**
 * A mark is kept for a day after it was left (see tables.ts); knowledge is younger by far when it is compared with
 * the marks, so none can have come and gone unseen.
 */
const MAX_AGE_MS = 600_000;
/** A row costs something even when it has no cells. */
const CELLS_A_ROW = 4;

export class KnownCache<T extends Known> {
  readonly #rows = new Map<string, { row: T; size: number }>();
  #cells = 0;

  constructor(
    private readonly maxCells: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Gives the row and forgets it: it is put back when its writing has succeeded. */
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
