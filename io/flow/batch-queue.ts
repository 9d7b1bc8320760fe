// SPDX-License-Identifier: Apache-2.0
/**
 * Groups the items of many callers into few commits: requests to a broker, transactions, or objects. A lone item is
 * committed at once. While as many commits as allowed are under way, items wait until a group is full or `lingerMs`
 * old. With `timeoutMs` every item has a deadline: an item that still waits then is never sent, and the outcome of an
 * item under way is unknown. The logs and the dead letters append with it.
 */
import { LogFullError, StoreUnavailableError } from "../ports";

export interface BatchQueueOptions<Item, Result = undefined> {
  /** Makes the items durable, all or none; returns one result an item, in order, where an item has a result. */
  commit(items: readonly Item[]): Promise<[Result] extends [undefined] ? void : readonly Result[]>;
  sizeBytes(item: Item): number;
  maxGroupItems: number;
  maxGroupBytes: number;
  /** The number of commits under way at the same time. Default 1. */
  maxCommits?: number;
  /** How long an item waits for company while a commit is under way and another is allowed. Default 0. */
  lingerMs?: number;
  /** `add` rejects with `LogFullError` when more bytes than this wait or are under way; one item is always accepted. */
  maxQueueBytes: number;
  /** Default: an item waits as long as the commits before it take. */
  timeoutMs?: number;
}

interface Waiting<Item, Result> {
  item: Item;
  sizeBytes: number;
  sinceMs: number;
  sent: boolean;
  timer: NodeJS.Timeout | undefined;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

export class BatchQueue<Item, Result = undefined> {
  readonly #maxCommits: number;
  #queue: Waiting<Item, Result>[] = [];
  #queuedBytes = 0;
  #waitingBytes = 0;
  #commits = 0;
  #pumping = false;
  #linger: NodeJS.Timeout | undefined;
  #idle: (() => void)[] = [];

  constructor(private readonly options: BatchQueueOptions<Item, Result>) {
    this.#maxCommits = options.maxCommits ?? 1;
  }

  /** The bytes that wait or are under way. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /**
   * Resolves when the item is durable. Rejects with the error of `commit`, with `LogFullError` or with
   * `StoreUnavailableError`.
   */
  add(item: Item): Promise<Result> {
    const sizeBytes = this.options.sizeBytes(item);
    const { maxQueueBytes, timeoutMs } = this.options;
    if (this.#queuedBytes > 0 && this.#queuedBytes + sizeBytes > maxQueueBytes) {
      return Promise.reject(new LogFullError(`${this.#queuedBytes} bytes wait already (bound ${maxQueueBytes})`));
    }
    return new Promise((resolve, reject) => {
      const waiting: Waiting<Item, Result> = {
        ...{ item, sizeBytes, sinceMs: performance.now(), sent: false, resolve, reject },
        timer: timeoutMs === undefined ? undefined : setTimeout(() => this.#expire(waiting), timeoutMs),
      };
      this.#queue.push(waiting);
      this.#queuedBytes += sizeBytes;
      this.#waitingBytes += sizeBytes;
      this.#pumpSoon();
    });
  }

  /** Resolves when no item waits and no commit is under way. */
  async idle(): Promise<void> {
    while (this.#queue.length > 0 || this.#commits > 0) {
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    }
  }

  /** Pumps one turn of the event loop later, so that callers of the same tick share the first commit. */
  #pumpSoon(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      this.#pump();
    });
  }

  #pump(): void {
    clearTimeout(this.#linger);
    this.#linger = undefined;
    while (this.#queue.length > 0 && this.#commits < this.#maxCommits) {
      const lingerMs = this.#lingerMs();
      if (lingerMs > 0) {
        this.#linger = setTimeout(() => this.#pump(), lingerMs);
        return;
      }
      void this.#send(this.#take());
    }
    if (this.#queue.length === 0 && this.#commits === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  #lingerMs(): number {
    const { maxGroupBytes, maxGroupItems, lingerMs = 0 } = this.options;
    const full = this.#waitingBytes >= maxGroupBytes || this.#queue.length >= maxGroupItems;
    if (this.#commits === 0 || full) return 0;
    return Math.ceil(this.#queue[0]!.sinceMs + lingerMs - performance.now());
  }

  #take(): Waiting<Item, Result>[] {
    let bytes = 0;
    let items = 0;
    for (const { sizeBytes } of this.#queue) {
      if (items > 0 && (items >= this.options.maxGroupItems || bytes + sizeBytes > this.options.maxGroupBytes)) break;
      bytes += sizeBytes;
      items++;
    }
    this.#waitingBytes -= bytes;
    return this.#queue.splice(0, items);
  }

  async #send(group: Waiting<Item, Result>[]): Promise<void> {
    this.#commits++;
    for (const waiting of group) waiting.sent = true;
    try {
      const results = (await this.options.commit(group.map((waiting) => waiting.item))) as
        | readonly Result[]
        | undefined;
      for (const [at, waiting] of group.entries()) waiting.resolve(results?.[at] as Result);
    } catch (error) {
      for (const waiting of group) waiting.reject(error);
    }
    for (const waiting of group) {
      clearTimeout(waiting.timer);
      this.#queuedBytes -= waiting.sizeBytes;
    }
    this.#commits--;
    this.#pump();
  }

  #expire(waiting: Waiting<Item, Result>): void {
    const after = `within ${this.options.timeoutMs} ms`;
    if (waiting.sent) {
      // The item's bytes stay counted until the commit ends, because they are still held.
      waiting.reject(new StoreUnavailableError(`the log did not answer ${after}; whether it has the batch is unknown`));
      return;
    }
    this.#queue.splice(this.#queue.indexOf(waiting), 1);
    this.#queuedBytes -= waiting.sizeBytes;
    this.#waitingBytes -= waiting.sizeBytes;
    waiting.reject(new StoreUnavailableError(`the log took nothing ${after}`));
    this.#pumpSoon();
  }
}
