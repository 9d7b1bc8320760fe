// SPDX-License-Identifier: Apache-2.0
import { callOptions, type SubscriberClient } from "./connection";
import { retried } from "./errors";

/** The ids of one request: Pub/Sub takes 512 KiB, and an id has about 200 bytes. */
const MAX_IDS = 1_000;

interface LeaseOptions {
  /** `projects/P/subscriptions/S` */
  subscription: string;
  /** How long a lease keeps a message from other readers. It is extended at a third of this time. */
  leaseSeconds: number;
  /** How long a message is kept from other readers in all. */
  maxHeldMs: number;
  attemptMs: number;
  onError(error: unknown): void;
}

/**
 * Keeps the messages that a reader holds from being delivered to another reader, for a bounded time. The reading side
 * of the log holds its messages with it until the archiver acknowledges them.
 */
export class Leases {
  readonly #held = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;
  #extending: Promise<void> | undefined;

  constructor(
    private readonly client: SubscriberClient,
    private readonly options: LeaseOptions,
  ) {
    this.#timer = setInterval(
      () => {
        this.#extending ??= this.#extend().finally(() => {
          this.#extending = undefined;
        });
      },
      (options.leaseSeconds * 1_000) / 3,
    );
  }

  hold(ackIds: readonly string[]): void {
    for (const id of ackIds) this.#held.set(id, performance.now());
  }

  /** Rejects with `StoreUnavailableError`; the messages are then delivered again at some time. */
  async acknowledge(ackIds: readonly string[], totalMs: number): Promise<void> {
    const { subscription, attemptMs } = this.options;
    try {
      for (const ids of pieces(ackIds)) {
        await retried(totalMs, (leftMs) =>
          this.client.acknowledge({ subscription, ackIds: ids }, callOptions(Math.min(leftMs, attemptMs))),
        );
      }
    } finally {
      this.#letGo(ackIds);
    }
  }

  /**
   * Gives messages back, to be delivered to any reader at once. When Pub/Sub does not answer, they are delivered after
   * the end of their lease.
   */
  async giveBack(ackIds: readonly string[]): Promise<void> {
    this.#letGo(ackIds);
    await this.#setDeadline(ackIds, 0);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #letGo(ackIds: readonly string[]): void {
    for (const id of ackIds) this.#held.delete(id);
  }

  async #extend(): Promise<void> {
    const oldestMs = performance.now() - this.options.maxHeldMs;
    for (const [id, sinceMs] of this.#held) if (sinceMs < oldestMs) this.#held.delete(id);
    await this.#setDeadline([...this.#held.keys()], this.options.leaseSeconds);
  }

  async #setDeadline(ackIds: readonly string[], ackDeadlineSeconds: number): Promise<void> {
    const { subscription, attemptMs, leaseSeconds, onError } = this.options;
    const totalMs = (leaseSeconds * 1_000) / 3;
    for (const ids of pieces(ackIds)) {
      const request = { subscription, ackIds: ids, ackDeadlineSeconds };
      await retried(totalMs, (leftMs) =>
        this.client.modifyAckDeadline(request, callOptions(Math.min(leftMs, attemptMs))),
      ).catch(onError);
    }
  }
}

function* pieces(ids: readonly string[]): Iterable<string[]> {
  for (let from = 0; from < ids.length; from += MAX_IDS) yield ids.slice(from, from + MAX_IDS);
}
