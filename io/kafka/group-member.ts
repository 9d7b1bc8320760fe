// SPDX-License-Identifier: Apache-2.0
/**
 * One member of a consumer group, which is started again after every failure until it is closed: at most one consumer
 * of kafkajs at any time. kafkajs's own restarts are switched off. It restarts after some failures and not after
 * others, and a consumer that failed while it was being disconnected came back after `close`. The reading side of the
 * log consumes with it.
 */
import type { Consumer, ConsumerConfig, EachBatchPayload, Kafka } from "kafkajs";
import type { Logger } from "pino";

interface GroupMemberOptions {
  kafka: Kafka;
  topic: string;
  consumer: ConsumerConfig;
  logger: Logger | undefined;
  /** Called with the partitions that this member has from now on. It has lost all earlier ones. */
  onJoin(consumer: Consumer, partitions: readonly number[]): void;
  /** Called when the member has lost all its partitions. */
  onLost(): void;
  onFetched(payload: EachBatchPayload): Promise<void>;
}

const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 5_000;

export class GroupMember {
  /** Undefined between two consumers. */
  #consumer: Consumer | undefined;
  #restarting: Promise<void> | undefined;
  #closed = false;
  #wake: () => void = () => undefined;

  constructor(private readonly options: GroupMemberOptions) {}

  get consumer(): Consumer | undefined {
    return this.#consumer;
  }

  /** Rejects when the brokers do not answer or the topic does not exist. The member handles later failures itself. */
  async start(): Promise<void> {
    await this.#begin();
  }

  /** Leaves the group. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#wake();
    const consumer = this.#consumer;
    await this.#restarting;
    await Promise.allSettled([consumer?.disconnect(), this.#consumer?.disconnect()]);
    this.#consumer = undefined;
  }

  async #begin(): Promise<void> {
    const { kafka, topic, onJoin, onFetched } = this.options;
    const consumer = kafka.consumer({
      ...this.options.consumer,
      retry: { ...this.options.consumer.retry, restartOnFailure: async () => false },
    });
    this.#consumer = consumer;
    const { GROUP_JOIN, REBALANCING, STOP, CRASH } = consumer.events;
    const isCurrent = () => this.#consumer === consumer && !this.#closed;
    consumer.on(GROUP_JOIN, ({ payload }) => {
      if (isCurrent()) onJoin(consumer, payload.memberAssignment[topic] ?? []);
    });
    for (const event of [REBALANCING, STOP] as const) {
      consumer.on(event, () => {
        if (isCurrent()) this.options.onLost();
      });
    }
    consumer.on(CRASH, ({ payload }) => this.#over(consumer, payload.error));
    try {
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        eachBatch: async (payload) => {
          if (isCurrent()) await onFetched(payload);
        },
      });
    } catch (error) {
      if (this.#consumer === consumer) this.#consumer = undefined;
      await consumer.disconnect().catch(() => undefined);
      throw error;
    }
  }

  /** Counts the end of a consumer once, whatever the consumer reports afterwards, because another has its place. */
  #over(consumer: Consumer, error: Error): void {
    if (this.#consumer !== consumer || this.#closed) return;
    this.#consumer = undefined;
    this.options.onLost();
    this.options.logger?.error({ err: error }, "kafka: the reader lost its group");
    this.#restarting ??= this.#restart(consumer).finally(() => {
      this.#restarting = undefined;
    });
  }

  /** Restarts for as long as it takes: a broker that is away for long is not away for good. */
  async #restart(failed: Consumer): Promise<void> {
    await failed.disconnect().catch(() => undefined);
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
      await this.#pause(pauseMs);
      if (this.#closed) return;
      try {
        await this.#begin();
        // A consumer that failed in its first moments has reported so already, while this call waited for it.
        if (this.#consumer !== undefined) return;
      } catch (error) {
        this.options.logger?.warn({ err: error }, "kafka: the reader could not join its group");
      }
    }
  }

  async #pause(ms: number): Promise<void> {
    if (this.#closed) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
