// SPDX-License-Identifier: Apache-2.0
/**
 * For those who look at something and wait for it to change. Whoever takes `seen` before looking misses no change that
 * comes between the look and the wait.
 */
export class ChangeSignal {
  readonly #waiters = new Set<() => void>();
  #changes = 0;

  /** What `changed` is to be given: the number of changes so far. */
  get seen(): number {
    return this.#changes;
  }

  signal(): void {
    this.#changes++;
    for (const wake of this.#waiters) wake();
  }

  /**
   * Resolves with the next change after `seen`, at once when there has been one, and after `withinMs` at the latest.
   */
  async changed(seen: number, withinMs: number): Promise<void> {
    if (seen !== this.#changes) return;
    await new Promise<void>((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiters.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, withinMs);
      this.#waiters.add(wake);
    });
  }
}
