// SPDX-License-Identifier: Apache-2.0
/**
 * A log's own clock, as far as its reader can know it. A message with the append time `a` was in the log when it was
 * fetched, so the log's clock had reached `a` by then. Since then the log's clock has advanced as this process's
 * monotonic clock has. The derived time is never ahead of the log's clock, whatever the clock of this machine says. It
 * lags behind by the shortest delivery time so far. The readers of Kafka and Pub/Sub report with it how far the log has
 * been read.
 */
export class LogClock {
  /** The least difference by which the log's clock is ahead of the monotonic one. */
  #aheadMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly monotonicMs: () => number = () => performance.now()) {}

  /** Notes that a message with this append time has just been fetched. */
  saw(appendedAtMs: number): void {
    this.#aheadMs = Math.max(this.#aheadMs, appendedAtMs - this.monotonicMs());
  }

  /** The time that the log's clock has reached; undefined before the first message. */
  reachedMs(): number | undefined {
    return this.#aheadMs === Number.NEGATIVE_INFINITY ? undefined : Math.floor(this.#aheadMs + this.monotonicMs());
  }
}
