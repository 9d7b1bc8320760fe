// SPDX-License-Identifier: Apache-2.0
import type { EmbeddedLog, LogPortion, LogSubscription, PendingRange } from "../../../io/ports";

/** The position of the reader; durable when a promise resolves. */
export interface ReadingPosition {
  checkpoint(): Promise<number>;
  pending(): Promise<PendingRange | undefined>;
  setPending(range: PendingRange): Promise<void>;
  /** Notes that no range is pending any more. */
  complete(position: number): Promise<void>;
}

const POLL_MS = 50;

/**
 * The log of one machine as a subscription with one reader. A portion is a range of positions, and one is open at a
 * time.
 */
export class SqliteLogSubscription implements LogSubscription {
  #open = false;

  constructor(
    private readonly log: Pick<EmbeddedLog, "read" | "firstAfter">,
    private readonly position: ReadingPosition,
  ) {}

  async take(limits: { maxMessages: number; maxBytes: number; waitMs: number }): Promise<LogPortion | undefined> {
    const untilMs = performance.now() + limits.waitMs;
    for (;;) {
      const over = performance.now() >= untilMs;
      const portion = this.#open ? undefined : await this.#next(limits.maxMessages, limits.maxBytes, over);
      if (portion !== undefined || over) return portion;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async oldestWaitingMs(): Promise<number | undefined> {
    return (await this.log.firstAfter(await this.position.checkpoint()))?.appendedAtMs;
  }

  /** The log's clock is this machine's, which the caller reads anyway. */
  logTimeMs(): undefined {
    return undefined;
  }

  async close(): Promise<void> {}

  async #next(maxMessages: number, maxBytes: number, partly: boolean): Promise<LogPortion | undefined> {
    this.#open = true;
    try {
      const range = (await this.position.pending()) ?? (await this.#mark(maxMessages, maxBytes, partly));
      if (range !== undefined) return await this.#portion(range);
      this.#open = false;
      return undefined;
    } catch (error) {
      this.#open = false;
      throw error;
    }
  }

  async #mark(maxMessages: number, maxBytes: number, partly: boolean): Promise<PendingRange | undefined> {
    const entries = await this.log.read(await this.position.checkpoint(), maxMessages, maxBytes);
    const [first, last] = [entries[0], entries.at(-1)];
    if (first === undefined || last === undefined) return undefined;
    const bytes = entries.reduce((sum, { payload }) => sum + payload.byteLength, 0);
    if (!partly && entries.length < maxMessages && bytes < maxBytes) return undefined;
    const range = { fromPosition: first.position, toPosition: last.position };
    await this.position.setPending(range);
    return range;
  }

  async #portion({ fromPosition, toPosition }: PendingRange): Promise<LogPortion> {
    const entries = await this.log.read(fromPosition - 1, toPosition - fromPosition + 1, Number.MAX_SAFE_INTEGER);
    return {
      name: `log-${String(fromPosition).padStart(12, "0")}-${String(toPosition).padStart(12, "0")}`,
      exact: true,
      messages: entries
        .filter(({ position }) => position <= toPosition)
        .map(({ position, payload, appendedAtMs }) => {
          return { id: `log-${position}`, payload, acceptedByMinute: undefined, appendedAtMs };
        }),
      done: async () => {
        await this.position.complete(toPosition);
        this.#open = false;
      },
      abandon: async () => {
        this.#open = false;
      },
    };
  }
}
