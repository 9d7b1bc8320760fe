// SPDX-License-Identifier: Apache-2.0
/**
 * A CounterStore whose applies run in a worker thread, so that the stream counts the next minute while SQLite writes
 * the last (writing all levels takes about as long as counting). All other methods are those of this thread's
 * SqliteCounterStore. The stream process writes with it.
 */
import { isMainThread, workerData } from "node:worker_threads";
import type { MinuteCounts } from "../../domain/columns/minute-counts";
import type { ApplyOptions } from "../ports";
import { type CounterStoreOptions, SqliteCounterStore } from "./counter-store";
import { NameReceiver, NameSender, type SentMessage } from "./sent-names";
import { answerFrom, ThreadChannel } from "./thread-channel";

interface ApplyQuestion {
  sent: SentMessage;
  options: ApplyOptions;
}

/**
 * The page caches of the writing thread and of this one, which reads little. A cache grows to its bound within minutes,
 * and a page that is missing in it is copied from the system's cache.
 */
const WRITER_CACHE_BYTES = 32 << 20;
const READER_CACHE_BYTES = 4 << 20;

/** Marks the worker data of this file, which is both the writer and the thread it starts. */
const THREAD = "viewmill-counter-writer";

export class ThreadedCounterStore extends SqliteCounterStore {
  readonly #thread: ThreadChannel;
  readonly #names = new NameSender();

  /** Throws `StoreUnavailableError`, `SchemaVersionError`. The thread starts at the first `apply`. */
  constructor(options: CounterStoreOptions) {
    super({ ...options, cacheBytes: READER_CACHE_BYTES });
    this.#thread = new ThreadChannel(__filename, {
      kind: THREAD,
      options: { cacheBytes: WRITER_CACHE_BYTES, ...options },
    });
  }

  /**
   * As SqliteCounterStore.apply. The counts are copied, so that a thread that dies leaves them whole, to be applied
   * again.
   */
  override apply(
    counts: readonly MinuteCounts[],
    options: ApplyOptions = {},
  ): Promise<{ written: number; unchanged: number }> {
    const sent = this.#names.message(counts, this.#thread.worker());
    return this.#thread.call("apply", { sent, options } satisfies ApplyQuestion);
  }

  override async close(): Promise<void> {
    await this.#thread.close();
    await super.close();
  }
}

function answerApply(options: CounterStoreOptions): void {
  const store = new SqliteCounterStore(options);
  const names = new NameReceiver();
  const apply = ({ sent, options: asked }: ApplyQuestion) => store.apply(names.counts(sent), asked);
  answerFrom({ apply }, () => store.close());
}

if (!isMainThread && workerData?.kind === THREAD) answerApply(workerData.options);
