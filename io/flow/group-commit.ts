// SPDX-License-Identifier: Apache-2.0
/**
 * Group commit: items that arrive during a commit wait, and all of them (up to the bounds) form the next commit. One
 * fsync serves many callers, and a lone caller does not wait.
 */
import { LogFullError } from "../ports";

interface GroupCommitOptions<Item, Result> {
  /** Makes the items durable, all or none; returns one result an item, in order. */
  commit(items: readonly Item[]): Promise<readonly Result[]>;
  sizeBytes(item: Item): number;
  maxGroupItems: number;
  maxGroupBytes: number;
  /** `add` rejects with `LogFullError` when more bytes than this wait. */
  maxQueueBytes: number;
}

interface Waiting<Item, Result> {
  item: Item;
  sizeBytes: number;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

export class GroupCommit<Item, Result> {
  #queue: Waiting<Item, Result>[] = [];
  #running: Promise<void> | undefined;
  #queuedBytes = 0;

  constructor(private readonly options: GroupCommitOptions<Item, Result>) {}

  /** The bytes of items that are not durable yet. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Resolves when the item is durable; rejects when its group failed. */
  add(item: Item): Promise<Result> {
    const sizeBytes = this.options.sizeBytes(item);
    if (this.#queuedBytes > 0 && this.#queuedBytes + sizeBytes > this.options.maxQueueBytes) {
      return Promise.reject(
        new LogFullError(`${this.#queuedBytes} bytes wait for the disk already (bound ${this.options.maxQueueBytes})`),
      );
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ item, sizeBytes, resolve, reject });
      this.#queuedBytes += sizeBytes;
      this.#running ??= this.#run();
    });
  }

  /** Resolves when no item waits. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    // One turn of the event loop lets callers of the same tick share the first commit.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#queue.length > 0) {
      const group = this.#take();
      try {
        const results = await this.options.commit(group.map((waiting) => waiting.item));
        for (const [index, waiting] of group.entries()) waiting.resolve(results[index] as Result);
      } catch (error) {
        for (const waiting of group) waiting.reject(error);
      }
      for (const waiting of group) this.#queuedBytes -= waiting.sizeBytes;
    }
    this.#running = undefined;
  }

  #take(): Waiting<Item, Result>[] {
    let bytes = 0;
    let items = 0;
    for (const waiting of this.#queue) {
      if (
        items > 0 &&
        (items >= this.options.maxGroupItems || bytes + waiting.sizeBytes > this.options.maxGroupBytes)
      ) {
        break;
      }
      bytes += waiting.sizeBytes;
      items++;
    }
    return this.#queue.splice(0, items);
  }
}
