// SPDX-License-Identifier: Apache-2.0
/**
 * Groups the items of many callers into few requests. A lone item is sent at once. While requests are under way, items
 * wait until a group is full or `lingerMs` old. Every item has a deadline: an item that still waits then is never sent,
 * and the outcome of an item under way is unknown.
 */
import { LogFullError, StoreUnavailableError } from "../ports";

export interface AppendQueueOptions<Item> {
  /** Makes the items durable, all or none. */
  send(items: readonly Item[]): Promise<void>;
  sizeBytes(item: Item): number;
  maxGroupItems: number;
  maxGroupBytes: number;
  /** The number of requests under way at the same time. */
  maxRequests: number;
  lingerMs: number;
  /** `add` rejects with `LogFullError` when more bytes than this wait or are under way; one item is always accepted. */
  maxQueueBytes: number;
  timeoutMs: number;
}

interface Waiting<Item> {
  item: Item;
  sizeBytes: number;
  sinceMs: number;
  settled: boolean;
  sent: boolean;
  settle(error?: unknown): void;
}

export class AppendQueue<Item> {
  #queue: Waiting<Item>[] = [];
  #queuedBytes = 0;
  #waitingBytes = 0;
  #requests = 0;
  #pumping = false;
  #linger: NodeJS.Timeout | undefined;
  #idle: (() => void)[] = [];

  constructor(private readonly options: AppendQueueOptions<Item>) {}

  /** The bytes that wait or are under way. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /**
   * Resolves when the item is durable. Rejects with the error of `send`, with `LogFullError` or with
   * `StoreUnavailableError`.
   */
  add(item: Item): Promise<void> {
    const sizeBytes = this.options.sizeBytes(item);
    const { maxQueueBytes, timeoutMs } = this.options;
    if (this.#queuedBytes > 0 && this.#queuedBytes + sizeBytes > maxQueueBytes) {
      return Promise.reject(new LogFullError(`${this.#queuedBytes} bytes wait for the log (bound ${maxQueueBytes})`));
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#expire(waiting), timeoutMs);
      const waiting: Waiting<Item> = {
        item,
        sizeBytes,
        sinceMs: performance.now(),
        settled: false,
        sent: false,
        settle(error) {
          if (this.settled) return;
          this.settled = true;
          clearTimeout(timer);
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      this.#queue.push(waiting);
      this.#queuedBytes += sizeBytes;
      this.#waitingBytes += sizeBytes;
      this.#pumpSoon();
    });
  }

  /** Resolves when no item waits and no request is under way. */
  async idle(): Promise<void> {
    while (this.#queue.length > 0 || this.#requests > 0) {
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    }
  }

  /** Pumps one turn of the event loop later, so that callers of the same tick share the first request. */
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
    while (this.#queue.length > 0 && this.#requests < this.options.maxRequests) {
      const lingerMs = this.#lingerMs();
      if (lingerMs > 0) {
        this.#linger = setTimeout(() => this.#pump(), lingerMs);
        return;
      }
      void this.#send(this.#take());
    }
    if (this.#queue.length === 0 && this.#requests === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  #lingerMs(): number {
    const { maxGroupBytes, maxGroupItems, lingerMs } = this.options;
    const full = this.#waitingBytes >= maxGroupBytes || this.#queue.length >= maxGroupItems;
    if (this.#requests === 0 || full) return 0;
    return Math.ceil(this.#queue[0]!.sinceMs + lingerMs - performance.now());
  }

  #take(): Waiting<Item>[] {
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

  async #send(group: Waiting<Item>[]): Promise<void> {
    this.#requests++;
    for (const waiting of group) waiting.sent = true;
    try {
      await this.options.send(group.map((waiting) => waiting.item));
      for (const waiting of group) waiting.settle();
    } catch (error) {
      for (const waiting of group) waiting.settle(error);
    }
    for (const waiting of group) this.#queuedBytes -= waiting.sizeBytes;
    this.#requests--;
    this.#pump();
  }

  #expire(waiting: Waiting<Item>): void {
    const after = `within ${this.options.timeoutMs} ms`;
    if (waiting.sent) {
      // The item's bytes stay counted until the request ends, because they are still held.
      waiting.settle(new StoreUnavailableError(`the log did not answer ${after}; whether it has the batch is unknown`));
      return;
    }
    this.#queue.splice(this.#queue.indexOf(waiting), 1);
    this.#queuedBytes -= waiting.sizeBytes;
    this.#waitingBytes -= waiting.sizeBytes;
    waiting.settle(new StoreUnavailableError(`the log took nothing ${after}`));
    this.#pumpSoon();
  }
}
