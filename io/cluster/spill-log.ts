// SPDX-License-Identifier: Apache-2.0
/**
 * A queue on disk in front of a shared log that may be away. `serve` opens one where the configuration asks for it.
 */
import { setTimeout as wait } from "node:timers/promises";
import { countByMinute } from "../../domain/columns/event-columns";
import { inParallel } from "../flow/in-parallel";
import { decodeBatch } from "../formats/avro/batch";
import { type EmbeddedLog, type EventLog, type LogBatch, type LogEntry, LogFullError } from "../ports";

interface SpillOptions {
  /** The shared log. */
  log: EventLog;
  /** The queue on this disk. */
  queue: EmbeddedLog;
  /**
   * How long the shared log may take for an append. After that the batch goes to the queue, and the outcome of the
   * append stays open: repeats count once.
   */
  patienceMs?: number;
  onSpill?: (error: unknown) => void;
  onDrained?: () => void;
}

/** The place in which a batch became durable. */
export interface Spilled {
  spilled: boolean;
}

const PATIENCE_MS = 2_000;
const RETRY_MS = 500;
const READ_ENTRIES = 256;
const READ_BYTES = 8 << 20;
/** After new batches were held back for as long as they may, this many times that bound passes before the next time. */
const PAUSE_BETWEEN_GATES = 5;

/**
 * A shared log that continues while the log is away: batches go into a bounded queue on this disk, and from there to
 * the log, in order, when the log is back. While a batch waits, new ones go behind it: half as many as are sent, and
 * none while the last ones are sent, because under load the queue would never be empty. Batches that an earlier process
 * left in the queue are sent first.
 */
export class SpillLog implements EventLog {
  #spilling = true;
  #closed = false;
  #enqueued = 0;
  /** The appends to the queue that are under way. */
  readonly #entering = new Set<Promise<unknown>>();
  #position = 0;
  /** The positions behind #position that the log has acknowledged already. */
  readonly #sentAhead = new Set<number>();
  readonly #gate: Gate;
  /** Whether the log has taken what was sent last. */
  #isBack = false;
  readonly #draining: Promise<void>;
  readonly #stop = new AbortController();
  #wake: () => void = () => undefined;

  private constructor(
    private readonly options: SpillOptions,
    hasWaiting: boolean,
  ) {
    this.#spilling = hasWaiting;
    this.#gate = new Gate(options.patienceMs ?? PATIENCE_MS);
    this.#draining = this.#drain();
  }

  static async open(options: SpillOptions): Promise<SpillLog> {
    return new SpillLog(options, (await options.queue.firstAfter(0)) !== undefined);
  }

  /** Rejects with `LogFullError` where the queue is full, `StoreUnavailableError` where its disk cannot write. */
  async append(batch: LogBatch): Promise<Spilled> {
    if (this.#spilling) {
      await this.#gate.pass();
      if (this.#spilling) return this.#enqueue(batch);
    }
    try {
      await this.#withPatience(this.options.log.append(batch));
      return { spilled: false };
    } catch (error) {
      // A log that is reachable and full reports this to its clients: a queue before it would only be full later.
      if (error instanceof LogFullError && !this.#spilling) throw error;
      if (!this.#spilling) this.options.onSpill?.(error);
      this.#spilling = true;
      const spilled = await this.#enqueue(batch);
      this.#wake();
      return spilled;
    }
  }

  /** Ready as long as the disk has room, whatever the shared log does. */
  async ping(): Promise<void> {
    if (this.#spilling) return this.options.queue.ping();
    await this.options.log.ping().catch(() => this.options.queue.ping());
  }

  /** Returns the bytes waiting on this disk, and since when; undefined where no batch waits. */
  async waiting(): Promise<{ bytes: number; sinceMs: number } | undefined> {
    const first = await this.options.queue.firstAfter(this.#position);
    if (first === undefined) return undefined;
    return { bytes: await this.options.queue.backlogBytes(), sinceMs: first.appendedAtMs };
  }

  /** Waiting batches stay on the disk for the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stop.abort();
    this.#gate.open();
    this.#wake();
    await this.#draining;
    await Promise.all([this.options.log.close(), this.options.queue.close()]);
  }

  async #enqueue(batch: LogBatch): Promise<Spilled> {
    this.#enqueued++;
    const appended = this.options.queue.append(batch);
    this.#entering.add(appended);
    try {
      await appended;
      return { spilled: true };
    } finally {
      this.#entering.delete(appended);
    }
  }

  async #withPatience(appended: Promise<unknown>): Promise<void> {
    const late = new AbortController();
    const { patienceMs = PATIENCE_MS } = this.options;
    const timeout = wait(patienceMs, undefined, { signal: late.signal, ref: false }).then(() => {
      throw new Error(`no answer within ${patienceMs} ms`);
    });
    // The loser of the race has no listener.
    timeout.catch(() => undefined);
    appended.catch(() => undefined);
    try {
      await Promise.race([appended, timeout]);
    } finally {
      late.abort();
    }
  }

  async #drain(): Promise<void> {
    while (!this.#closed) {
      if (!this.#spilling) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
          if (this.#spilling || this.#closed) resolve();
        });
        continue;
      }
      try {
        await this.#drainOnce();
      } catch (error) {
        this.#isBack = false;
        this.#gate.open();
        this.options.onSpill?.(error);
        await wait(RETRY_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined);
      }
    }
  }

  async #drainOnce(): Promise<void> {
    const { queue, onDrained } = this.options;
    const [enqueued, isQuiet] = [this.#enqueued, this.#entering.size === 0];
    const entries = await queue.read(this.#position, READ_ENTRIES, READ_BYTES);
    if (entries.length === 0) {
      if (!isQuiet || enqueued !== this.#enqueued) {
        // A batch that was entering the queue during the read is not in the result. Reading again at once would leave
        // no turn of the event loop to its end.
        await Promise.allSettled(this.#entering);
        return;
      }
      this.#spilling = false;
      this.#gate.open();
      onDrained?.();
      return;
    }
    const bytes = entries.reduce((sum, { payload }) => sum + payload.length, 0);
    const areLast = entries.length < READ_ENTRIES && bytes < READ_BYTES / 2;
    if (this.#isBack && !this.#closed) this.#gate.admit(areLast ? 0 : Math.ceil(entries.length / 2));
    await this.#send(entries);
    this.#isBack = true;
    await queue.trim(this.#position);
  }

  /**
   * Begins the batches in their order; the next does not wait for the answer to the one before. Where a batch fails, no
   * further one begins, and those that were acknowledged behind it are not sent again.
   */
  async #send(entries: readonly LogEntry[]): Promise<void> {
    const unsent = entries.filter(({ position }) => !this.#sentAhead.has(position));
    try {
      await inParallel(unsent, READ_ENTRIES, async (entry) => {
        if (this.#closed) return;
        await this.options.log.append(batchOf(entry));
        this.#sentAhead.add(entry.position);
      });
    } finally {
      for (const { position } of entries) {
        if (!this.#sentAhead.delete(position)) break;
        this.#position = position;
      }
    }
  }
}

/** Lets a number of batches pass until it is told the next number, or until `boundMs` have gone by without that. */
class Gate {
  #left = Number.POSITIVE_INFINITY;
  #changed = Promise.resolve();
  #tell: () => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;
  #notBeforeMs = 0;

  constructor(private readonly boundMs: number) {}

  async pass(): Promise<void> {
    while (this.#left <= 0) await this.#changed;
    this.#left--;
  }

  admit(batches: number): void {
    if (performance.now() < this.#notBeforeMs) return;
    this.#set(batches);
    this.#timer = setTimeout(() => {
      this.#notBeforeMs = performance.now() + this.boundMs * PAUSE_BETWEEN_GATES;
      this.open();
    }, this.boundMs);
  }

  open(): void {
    this.#set(Number.POSITIVE_INFINITY);
  }

  #set(left: number): void {
    clearTimeout(this.#timer);
    this.#left = left;
    this.#tell();
    this.#changed = new Promise((resolve) => {
      this.#tell = resolve;
    });
  }
}

/** Returns the batch as it was appended; its receipt stamps are in its events. */
function batchOf({ payload, events }: LogEntry): LogBatch {
  return { payload, events, acceptedByMinute: countByMinute(decodeBatch(payload).columns) };
}
