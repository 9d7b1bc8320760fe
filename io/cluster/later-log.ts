// SPDX-License-Identifier: Apache-2.0
/**
 * A shared log that could not be opened when the service started. `serve` opens one behind a queue on disk, which takes
 * the batches until the log answers.
 */
import { type EventLog, type LogBatch, StoreUnavailableError } from "../ports";

/** Opens the log at the first call for which it answers. Until then every call rejects as the opening does. */
export class LaterLog implements EventLog {
  #log: Promise<EventLog> | undefined;
  #closed = false;

  private constructor(private readonly open: () => Promise<EventLog>) {}

  /**
   * Returns the log itself where it answers now. `onAway` gets the error where it does not. Rejects as `open` does
   * where the log is not merely away.
   */
  static async open(open: () => Promise<EventLog>, onAway: (error: unknown) => void): Promise<EventLog> {
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      onAway(error);
      return new LaterLog(open);
    }
  }

  async append(batch: LogBatch): Promise<unknown> {
    return (await this.#opened()).append(batch);
  }

  async ping(): Promise<void> {
    await (await this.#opened()).ping();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const log = await this.#log?.catch(() => undefined);
    await log?.close();
  }

  #opened(): Promise<EventLog> {
    if (this.#closed) return Promise.reject(new StoreUnavailableError("the log is closed"));
    this.#log ??= this.open().catch((error: unknown) => {
      this.#log = undefined;
      throw error;
    });
    return this.#log;
  }
}
