// SPDX-License-Identifier: Apache-2.0
/**
 * Signals changes of a state to those who wait for one. A caller that reads `seen` before it inspects the state misses
 * no change between the inspection and the wait. The readers of Kafka and Pub/Sub wait for messages with it.
 */
export class ChangeSignal {
  readonly #waiters = new Set<() => void>();
  #changes = 0;

  /** The number of changes so far, which `changed` needs. */
  get seen(): number {
    return this.#changes;
  }

  signal(): void {
    this.#changes++;
    for (const wake of this.#waiters) wake();
  }

  /** Resolves with the next change after `seen`: at once where one has happened, and after `withinMs` at the latest. */
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
