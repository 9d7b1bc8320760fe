// SPDX-License-Identifier: Apache-2.0
/**
 * The counters as `serve` reads them. A read of one video uses a read-only connection in the calling thread. `top` and
 * `rising` run in a worker thread, so that a ranking over a busy hour delays no other answer.
 */
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { isMainThread, workerData } from "node:worker_threads";
import type { Cell, CounterStore, Total, Versioned, VideoCount, VideoGrowth } from "../ports";
import { CommitsOfOthers } from "./commits-of-others";
import { CounterReads } from "./counter-reads";
import { COUNTERS_FILE, openCountersReadOnly } from "./counter-schema";
import { answerFrom, ThreadChannel } from "./thread-channel";

interface CounterReaderOptions {
  /** The data folder. Opening creates or migrates counters.sqlite if needed; afterwards the file is only read. */
  folder: string;
  busyTimeoutMs?: number;
  /** The bytes of cells and rows that are kept for further reads, by estimate. Default 64 MiB; 0: none. */
  keptBytes?: number;
}

interface TopQuestion {
  eventType: string;
  startMs: number;
  endMs: number;
  limit: number;
}

/** Identifies the worker thread: reader and thread run this same file. */
const THREAD = "viewmill-counter-reader";

export class SqliteCounterReader
  implements Pick<CounterStore, "totals" | "read" | "top" | "rising" | "videoIds" | "videosSeen" | "close">, Versioned
{
  readonly #db: DatabaseSync;
  readonly #reads: CounterReads;
  readonly #thread: ThreadChannel;
  readonly #commits: CommitsOfOthers;

  /** Throws `StoreUnavailableError`, `SchemaVersionError`. The thread starts at the first `top` or `rising`. */
  constructor(options: CounterReaderOptions) {
    const { folder, keptBytes = 64 << 20, ...open } = options;
    const file = join(folder, COUNTERS_FILE);
    this.#db = openCountersReadOnly(file, open);
    this.#reads = new CounterReads(this.#db, { keptBytes });
    this.#commits = new CommitsOfOthers(this.#db, COUNTERS_FILE);
    this.#thread = new ThreadChannel(__filename, { kind: THREAD, file, open });
  }

  async totals(videoId: string): Promise<Map<string, Total>> {
    return this.#reads.totals(videoId);
  }

  async read(...asked: Parameters<CounterStore["read"]>): Promise<Cell[]> {
    return this.#reads.read(...asked);
  }

  top(eventType: string, startMs: number, endMs: number, limit: number): Promise<VideoCount[]> {
    return this.#thread.call("top", { eventType, startMs, endMs, limit } satisfies TopQuestion);
  }

  rising(eventType: string, startMs: number, endMs: number, limit: number): Promise<VideoGrowth[]> {
    return this.#thread.call("rising", { eventType, startMs, endMs, limit } satisfies TopQuestion);
  }

  async videoIds(text: string, afterId: string, limit: number): Promise<string[]> {
    return this.#reads.videoIds(text, afterId, limit);
  }

  async videosSeen(after: number, limit: number): Promise<{ videoIds: string[]; last: number }> {
    return this.#reads.videosSeen(after, limit);
  }

  /** Counts the commits of other connections. This connection never commits. */
  version(): number {
    return this.#commits.count();
  }

  async close(): Promise<void> {
    await this.#thread.close();
    if (this.#db.isOpen) this.#db.close();
  }
}

function answerTop(file: string, open: { busyTimeoutMs?: number }): void {
  const db = openCountersReadOnly(file, open);
  const reads = new CounterReads(db, { keepsRankings: true });
  const top = (asked: TopQuestion) => reads.top(asked.eventType, asked.startMs, asked.endMs, asked.limit);
  const rising = (asked: TopQuestion) => reads.rising(asked.eventType, asked.startMs, asked.endMs, asked.limit);
  answerFrom({ top, rising }, () => db.close());
}

if (!isMainThread && workerData?.kind === THREAD) answerTop(workerData.file, workerData.open);
