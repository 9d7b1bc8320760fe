// SPDX-License-Identifier: Apache-2.0
/**
 * The embedded event log: log.sqlite in the data folder. All writing happens in one worker thread with group commit, so
 * the event loop of the caller never waits for an fsync; reading goes through `SqliteLogReader`. One process at a time
 * owns a SqliteEventLog of a folder (see data-folder.ts). `serve` owns it, and the stream process reads it.
 */
import { join } from "node:path";
import { BatchQueue } from "../flow/batch-queue";
import { type EmbeddedLog, type LogBatch, type LogEntry, LogFullError, type Stamp } from "../ports";
import { SqliteLogReader } from "./log-reader";
import { type CommitBatches, type Committed, LOG_FILE, type LogThreadOptions, type Trimmed } from "./log-schema";
import { packPayloads } from "./payload-pack";
import { ThreadChannel } from "./thread-channel";

interface EventLogOptions {
  /** The data folder; must exist. */
  folder: string;
  /** The payload bytes that are appended and not trimmed. Default 8 GiB. */
  maxBacklogBytes?: number;
  /** The payload bytes that wait in memory for the disk. Default 64 MiB. */
  maxQueueBytes?: number;
  /** Bound of the file itself; beyond it appends fail as on a full disk. Default: the disk. */
  maxFileBytes?: number;
  busyTimeoutMs?: number;
}

const MAX_GROUP_BATCHES = 512;
const MAX_GROUP_BYTES = 8 << 20;
/** The entries deleted in one step: an append waits for at most one such step. */
const TRIM_CHUNK_ENTRIES = 64;

export class SqliteEventLog implements EmbeddedLog {
  readonly #channel: ThreadChannel;
  readonly #commits: BatchQueue<LogBatch, number>;
  readonly #reader: SqliteLogReader;
  readonly #maxBacklogBytes: number;
  #committedBytes: number;

  /** Opens or creates the log. Rejects with `StoreUnavailableError`, `SchemaVersionError`. */
  static async open(options: EventLogOptions): Promise<SqliteEventLog> {
    const threadOptions: LogThreadOptions = {
      file: join(options.folder, LOG_FILE),
      busyTimeoutMs: options.busyTimeoutMs,
      maxFileBytes: options.maxFileBytes,
    };
    const channel = new ThreadChannel(join(__dirname, "log-thread.js"), threadOptions);
    try {
      const { backlogBytes } = await channel.call<{ backlogBytes: number }>("open", undefined);
      return new SqliteEventLog(options, channel, backlogBytes);
    } catch (error) {
      await channel.close();
      throw error;
    }
  }

  private constructor(options: EventLogOptions, channel: ThreadChannel, backlogBytes: number) {
    this.#channel = channel;
    this.#committedBytes = backlogBytes;
    this.#maxBacklogBytes = options.maxBacklogBytes ?? 8 * 2 ** 30;
    this.#reader = new SqliteLogReader({ folder: options.folder });
    this.#commits = new BatchQueue<LogBatch, number>({
      commit: (batches) => this.#commit(batches),
      sizeBytes: (batch) => batch.payload.byteLength,
      maxGroupItems: MAX_GROUP_BATCHES,
      maxGroupBytes: MAX_GROUP_BYTES,
      maxQueueBytes: options.maxQueueBytes ?? 64 << 20,
    });
  }

  async append(batch: LogBatch): Promise<{ position: number }> {
    // Checked here, because a batch that the thread cannot write would fail the others of its group.
    refuseInconsistent(batch);
    const waiting = this.#committedBytes + this.#commits.queuedBytes;
    if (waiting + batch.payload.byteLength > this.#maxBacklogBytes) {
      throw new LogFullError(`${waiting} bytes of the log wait to be counted (bound ${this.#maxBacklogBytes})`);
    }
    return { position: await this.#commits.add(batch) };
  }

  async trim(position: number): Promise<void> {
    for (;;) {
      const trimmed = await this.#channel.call<Trimmed>("trim", { position, maxEntries: TRIM_CHUNK_ENTRIES });
      this.#committedBytes = trimmed.backlogBytes;
      if (trimmed.entries < TRIM_CHUNK_ENTRIES) return;
    }
  }

  read(after: number, maxEntries: number, maxBytes: number): Promise<LogEntry[]> {
    return this.#reader.read(after, maxEntries, maxBytes);
  }
  firstAfter(after: number): Promise<{ position: number; appendedAtMs: number } | undefined> {
    return this.#reader.firstAfter(after);
  }
  head(): Promise<number> {
    return this.#reader.head();
  }
  accepted(fromMinute: number, toMinute: number): Promise<Map<number, number>> {
    return this.#reader.accepted(fromMinute, toMinute);
  }
  recentStamps(nowMs: number): Promise<Stamp[]> {
    return this.#reader.recentStamps(nowMs);
  }
  backlogBytes(): Promise<number> {
    return this.#reader.backlogBytes();
  }

  async ping(): Promise<void> {
    await this.#reader.head();
  }

  /** Finishes the appends made so far. */
  async close(): Promise<void> {
    await this.#commits.idle();
    await this.#reader.close();
    await this.#channel.close();
  }

  async #commit(batches: readonly LogBatch[]): Promise<number[]> {
    const group = asCommit(batches);
    const committed = await this.#channel.call<Committed>("commit", group, [group.buffer]);
    this.#committedBytes = committed.backlogBytes;
    return committed.positions;
  }
}

function asCommit(batches: readonly LogBatch[]): CommitBatches {
  const accepted = new Map<number, number>();
  const stampKeys: string[] = [];
  const stampTimesMs: number[] = [];
  for (const batch of batches) {
    for (const [minute, events] of batch.acceptedByMinute) accepted.set(minute, (accepted.get(minute) ?? 0) + events);
    for (const stamp of batch.stamps ?? []) {
      stampKeys.push(stamp.key);
      stampTimesMs.push(stamp.stampedAtMs);
    }
  }
  return {
    ...packPayloads(batches.map((batch) => batch.payload)),
    events: batches.map((batch) => batch.events),
    acceptedMinutes: [...accepted.keys()],
    acceptedEvents: [...accepted.values()],
    stampKeys,
    stampTimesMs,
  };
}

/** Throws a RangeError for a caller's bug; data never causes it. */
function refuseInconsistent(batch: LogBatch): void {
  let accepted = 0;
  for (const [minute, events] of batch.acceptedByMinute) {
    if (!Number.isSafeInteger(minute) || !Number.isSafeInteger(events) || events < 0) {
      throw new RangeError(`minute ${minute} with ${events} events is not countable`);
    }
    accepted += events;
  }
  if (accepted !== batch.events) {
    throw new RangeError(`a batch of ${batch.events} events says that ${accepted} were accepted`);
  }
}
