// SPDX-License-Identifier: Apache-2.0
/**
 * A log's own clock, as far as its reader can know it. A message that was appended at `a` was there when it was
 * fetched, so the log's clock had reached `a` by then, and has gone on since as this process's monotonic clock has. The
 * time that follows is never ahead of the log's clock, whatever the clock of this machine says; it is behind by the
 * shortest way that a message took so far.
 */
export class LogClock {
  /** What the log's clock shows more than the monotonic one, at least. */
  #aheadMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly monotonicMs: () => number = () => performance.now()) {}

  /** A message with this append time has just been fetched. */
  saw(appendedAtMs: number): void {
    this.#aheadMs = Math.max(this.#aheadMs, appendedAtMs - this.monotonicMs());
  }

  /** Undefined before the first message. */
  reachedMs(): number | undefined {
    return this.#aheadMs === Number.NEGATIVE_INFINITY ? undefined : Math.floor(this.#aheadMs + this.monotonicMs());
  }
}
