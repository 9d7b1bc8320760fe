/**
 * The reading side of a log on a Kafka topic: a consumer group whose members share the partitions. A portion is a contiguous range
 * of offsets of one partition, of which at most one is open.
 *
 * Exact after crashes: before a range is handed out, the group's position is committed again where it is, with the range's end as metadata.
 * Whoever gets the partition next (after a restart or a rebalance) finds it there and takes exactly that range, under the same name;
 * `done` commits the end. Commits carry the generation of the group, so that the brokers refuse those of a reader that has lost its
 * partitions; one that still belongs to the group but not to the partition is refused here, by its queue no longer being the
 * partition's. Committed positions must outlive the messages: the brokers' `offsets.retention.minutes` >= the topic's retention.
 *
 * kafkajs fetches into a bounded queue a partition (it is paused when full), so that its heartbeats never wait for an archive.
 */

import { hash } from "node:crypto";
import type { Admin, Consumer, EachBatchPayload, Kafka } from "kafkajs";
import { ChangeSignal } from "../flow/change-signal";
import {
  type LogMessage,
  type LogPortion,
  type LogSubscription,
  PortionLostError,
  StoreUnavailableError,
} from "../ports";
import { messageOf as decoded } from "./codec";
import { type KafkaConnection, kafkaOf } from "./config";
import { kindOf, messageOf } from "./error-kind";
import { GroupLag } from "./group-lag";
import { type CommittedPosition, type Fetched, PartitionQueue, type TakenRange } from "./partition-queue";

/** Messages that the log dropped (retention, a topic made anew) before this group read them. */
export interface SkippedRange {
  partition: number;
  fromOffset: number;
  /** First offset that exists. */
  toOffset: number;
}

export interface KafkaLogSubscriptionOptions extends KafkaConnection {
  topic: string;
  groupId: string;
  /** Bytes fetched ahead over all partitions (each at least 1 MiB; a range that is taken again comes on top). Default 64 MiB. */
  prefetchBytes?: number;
  /** A reader that is silent for so long loses its partitions. Default 30,000; the brokers allow 6,000 to 1,800,000. */
  sessionTimeoutMs?: number;
  /** How long `done` tries to commit. Default 15,000. */
  commitTimeoutMs?: number;
  onSkipped?(range: SkippedRange): void;
}

interface Waiting extends Fetched, LogMessage {
  /** Of the process's monotonic clock. */
  fetchedAtMs: number;
}
type Limits = Parameters<LogSubscription["take"]>[0];
type Queue = PartitionQueue<Waiting>;
type Range = TakenRange<Waiting>;

const PENDING = "viewmill-pending:";
const FETCH_WAIT_MS = 250;
const FETCH_PARTITION_BYTES = 1 << 20;
const RETRY_MS = 200;
/** What a record takes in memory beside its value, roughly. */
const RECORD_BYTES = 200;
const MAX_TOPIC_IN_NAME = 100;
const MAX_RETRY_MS = 2_000;

export class KafkaLogSubscription implements LogSubscription {
  readonly #kafka: Kafka;
  readonly #admin: Admin;
  readonly #lag: GroupLag;
  #consumer: Consumer | undefined;
  /** The partitions that this reader owns and knows the position of; new objects at each assignment. */
  #queues = new Map<number, Queue>();
  #assigned: readonly number[] = [];
  readonly #full = new Set<number>();
  readonly #changes = new ChangeSignal();
  #closed = false;
  #skippedMessages = 0;

  /** Rejects with `StoreUnavailableError` when no broker answers or the topic does not exist. */
  static async open(options: KafkaLogSubscriptionOptions): Promise<KafkaLogSubscription> {
    const subscription = new KafkaLogSubscription(options);
    try {
      await subscription.#admin.connect();
      await subscription.#start();
    } catch (error) {
      await subscription.close();
      throw new StoreUnavailableError(`Kafka, topic ${options.topic}: ${messageOf(error)}`, { cause: error });
    }
    return subscription;
  }

  private constructor(private readonly options: KafkaLogSubscriptionOptions) {
    this.#kafka = kafkaOf(options);
    this.#admin = this.#kafka.admin();
    this.#lag = new GroupLag(this.#admin, options.topic, options.groupId);
  }

  /** Messages that were dropped unread, since this reader was opened. */
  get skippedMessages(): number {
    return this.#skippedMessages;
  }

  async take(limits: Limits): Promise<LogPortion | undefined> {
    // Not undefined at once, as of an empty log: a reader in a loop would never let go of the event loop.
    if (this.#closed) throw new Error("the subscription is closed");
    const untilMs = performance.now() + limits.waitMs;
    for (;;) {
      const { seen } = this.#changes;
      const portion = await this.#takeDue(limits, untilMs);
      const nowMs = performance.now();
      if (portion !== undefined || nowMs >= untilMs || this.#closed) return portion;
      await this.#changes.changed(seen, Math.min(untilMs, this.#nextDueMs(limits.waitMs)) - nowMs);
    }
  }

  async oldestWaitingMs(): Promise<number | undefined> {
    try {
      return await this.#lag.oldestWaitingMs(Date.now());
    } catch (error) {
      throw new StoreUnavailableError(`Kafka: ${messageOf(error)}`, { cause: error });
    }
  }

  /** Leaves the group. Portions that are open are taken again by others. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#forget();
    await Promise.allSettled([this.#consumer?.disconnect(), this.#admin.disconnect()]);
  }

  // -------------------------------------------------------------- portions

  async #takeDue(limits: Limits, untilMs: number): Promise<LogPortion | undefined> {
    const [partition, queue] = this.#oldestDue(limits, untilMs) ?? [];
    const range = queue?.take(limits.maxMessages, limits.maxBytes);
    if (partition === undefined || queue === undefined || range === undefined) return undefined;
    try {
      await this.#commit(partition, queue, range.first, `${PENDING}${range.last}`);
    } catch (error) {
      // Perhaps committed, so it is this range that must be taken next, by whoever has the partition then.
      if (this.#queues.get(partition) === queue) queue.giveBack();
      this.options.logger?.warn({ partition, err: error }, "kafka: a range could not be marked as pending");
      return undefined;
    }
    this.#resumeWhenDrained(partition, queue);
    return this.#portionOf(partition, queue, range);
  }

  /** Of the partitions that fill a portion, or whose first message has waited long enough, the one with the oldest message. */
  #oldestDue({ maxMessages, maxBytes, waitMs }: Limits, untilMs: number): [number, Queue] | undefined {
    const nowMs = performance.now();
    let oldest: [number, Queue] | undefined;
    for (const [partition, queue] of this.#queues) {
      const first = queue.ready;
      if (first === undefined) continue;
      const waited = nowMs >= Math.min(untilMs, first.fetchedAtMs + waitMs);
      if (!waited && !queue.fills(maxMessages, maxBytes) && !this.#full.has(partition)) continue;
      if (oldest === undefined || first.appendedAtMs < oldest[1].ready!.appendedAtMs) oldest = [partition, queue];
    }
    return oldest;
  }

  #nextDueMs(waitMs: number): number {
    const dueMs = [...this.#queues.values()].map((queue) => (queue.ready?.fetchedAtMs ?? Infinity) + waitMs);
    return Math.max(performance.now() + 1, Math.min(...dueMs));
  }

  #portionOf(partition: number, queue: Queue, { first, last, messages }: Range): LogPortion {
    const { topic } = this.options;
    let ended = false;
    const end = () => {
      if (ended) throw new PortionLostError("the portion has been done or abandoned already");
      ended = true;
    };
    return {
      name: `${fileSafe(topic)}-${partition}-${offsetText(first)}-${offsetText(last)}`,
      exact: true,
      messages,
      done: async () => {
        end();
        try {
          await this.#commit(partition, queue, last + 1, "");
        } catch (error) {
          // Perhaps committed; if this reader still has the partition, it takes the same range again.
          if (this.#queues.get(partition) === queue) queue.giveBack();
          this.#changes.signal();
          throw error;
        }
        queue.finish();
        this.#changes.signal();
      },
      abandon: async () => {
        end();
        queue.giveBack();
        this.#changes.signal();
      },
    };
  }

  /** Rejects with `PortionLostError` when the partition has another owner, or with `StoreUnavailableError`. */
  async #commit(partition: number, queue: Queue, offset: number, metadata: string): Promise<void> {
    const { topic, commitTimeoutMs = 15_000 } = this.options;
    const untilMs = performance.now() + commitTimeoutMs;
    for (let pauseMs = RETRY_MS; ; pauseMs = Math.min(pauseMs * 2, MAX_RETRY_MS)) {
      // kafkajs takes up a new generation and tells of it in the same run of microtasks: from a fresh turn of the event loop both are seen or none.
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#queues.get(partition) !== queue)
        throw new PortionLostError(`partition ${partition} has another reader`);
      try {
        return await this.#consumer!.commitOffsets([{ topic, partition, offset: String(offset), metadata }]);
      } catch (error) {
        if (kindOf(error) === "lost") throw new PortionLostError(messageOf(error), { cause: error });
        if (performance.now() + pauseMs > untilMs) {
          throw new StoreUnavailableError(`Kafka: ${messageOf(error)}`, { cause: error });
        }
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  }

  // -------------------------------------------------------------- the group

  async #start(): Promise<void> {
    const { topic, groupId, sessionTimeoutMs = 30_000 } = this.options;
    const consumer = this.#kafka.consumer({
      groupId,
      sessionTimeout: sessionTimeoutMs,
      heartbeatInterval: Math.max(500, Math.floor(sessionTimeoutMs / 10)),
      maxBytesPerPartition: FETCH_PARTITION_BYTES,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      allowAutoTopicCreation: false,
      retry: { retries: 8, initialRetryTime: 100, maxRetryTime: 2_000 },
    });
    this.#consumer = consumer;
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) =>
      this.#join(consumer, payload.memberAssignment[topic] ?? []),
    );
    const forget = () => {
      if (this.#consumer === consumer) this.#forget();
    };
    consumer.on(consumer.events.REBALANCING, forget);
    consumer.on(consumer.events.STOP, forget);
    consumer.on(consumer.events.CRASH, ({ payload }) => this.#crashed(consumer, payload.error, payload.restart));
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
      // What holds no message (marks of transactions) never reaches eachBatch.
      const queue = this.#queues.get(payload.partition);
      const follows = queue !== undefined && payload.firstOffset === String(queue.nextOffset);
      if (payload.batchSize === 0 && follows) queue.push([], Number(payload.lastOffset));
    });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: (payload) => this.#fetched(payload),
    });
  }

  #crashed(consumer: Consumer, error: Error, restarts: boolean): void {
    this.#forget();
    this.options.logger?.error({ err: error }, "kafka: the reader lost its group");
    if (restarts || this.#closed) return;
    // kafkajs gives up on what it takes for final; a broker that is away for long is not.
    void consumer.disconnect().catch(() => undefined);
    setTimeout(() => {
      if (!this.#closed) this.#start().catch((again: Error) => this.#crashed(this.#consumer!, again, false));
    }, MAX_RETRY_MS);
  }

  /** Nothing of what this reader holds is its own any more. */
  #forget(): void {
    this.#queues = new Map();
    this.#assigned = [];
    this.#changes.signal();
  }

  /** Fetching waits until the positions are known with their metadata, which kafkajs does not tell (and overwrites when they are out of range). */
  #join(consumer: Consumer, partitions: readonly number[]): void {
    const { topic } = this.options;
    this.#forget();
    this.#assigned = partitions;
    this.#full.clear();
    if (partitions.length === 0) return;
    consumer.pause([{ topic, partitions: [...partitions] }]);
    void this.#load(consumer, partitions);
  }

  async #load(consumer: Consumer, partitions: readonly number[]): Promise<void> {
    const { topic, groupId, logger } = this.options;
    while (this.#assigned === partitions) {
      try {
        const [ends, groups] = await Promise.all([
          this.#admin.fetchTopicOffsets(topic),
          this.#admin.fetchOffsets({ groupId, topics: [topic] }),
        ]);
        if (this.#assigned !== partitions) return;
        const low = new Map(ends.map((end) => [end.partition, Number(end.low)]));
        const committed = new Map(groups[0]?.partitions.map((each) => [each.partition, each]));
        for (const partition of partitions) {
          const position = positionOf(committed.get(partition), low.get(partition) ?? 0);
          this.#queues.set(partition, new PartitionQueue(position));
        }
        consumer.resume([{ topic, partitions: [...partitions] }]);
        return;
      } catch (error) {
        logger?.warn({ err: error }, "kafka: the positions of the group could not be read");
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  // -------------------------------------------------------------- fetching

  async #fetched({ batch, resolveOffset }: EachBatchPayload): Promise<void> {
    const { topic, partition } = batch;
    const queue = this.#queues.get(partition);
    if (queue === undefined) return;
    const { fetchedOffset } = batch as unknown as { fetchedOffset: string };
    if (Number(fetchedOffset) !== queue.nextOffset) return this.#realign(partition, queue);
    const fetchedAtMs = performance.now();
    const messages = batch.messages.map((record) => ({
      ...decoded(topic, partition, record),
      fetchedAtMs,
      offset: Number(record.offset),
      sizeBytes: RECORD_BYTES + (record.value?.byteLength ?? 0),
    }));
    queue.push(messages, Number(batch.lastOffset()));
    resolveOffset(batch.messages[batch.messages.length - 1]!.offset);
    if (queue.waitingBytes >= this.#queueBytes() && !queue.incomplete) {
      this.#full.add(partition);
      this.#consumer?.pause([{ topic, partitions: [partition] }]);
    }
    this.#changes.signal();
  }

  /**
   * kafkajs fetched from elsewhere than where the queue ends: a fetch of the assignment before, or the log no longer (or not yet) has
   * that offset. Only what the log has dropped is skipped.
   */
  async #realign(partition: number, queue: Queue): Promise<void> {
    const { topic } = this.options;
    const ends = await this.#admin.fetchTopicOffsets(topic);
    const end = ends.find((each) => each.partition === partition);
    if (end === undefined || this.#queues.get(partition) !== queue) return;
    const [low, high] = [Number(end.low), Number(end.high)];
    const fromOffset = queue.nextOffset;
    if (fromOffset < low) {
      queue.skipTo(low);
      this.#skipped({ partition, fromOffset, toOffset: low });
    } else if (fromOffset > high) {
      // The topic was made anew: its offsets are others, and none of them is done.
      this.#queues.set(partition, new PartitionQueue({ offset: low }));
      this.#skipped({ partition, fromOffset, toOffset: low });
    }
    this.#consumer?.seek({ topic, partition, offset: String(this.#queues.get(partition)!.nextOffset) });
    this.#changes.signal();
  }

  #skipped(range: SkippedRange): void {
    this.#skippedMessages += Math.max(0, range.toOffset - range.fromOffset);
    this.options.logger?.error(
      { topic: this.options.topic, ...range },
      "kafka: the log no longer has messages that were not read",
    );
    this.options.onSkipped?.(range);
  }

  #queueBytes(): number {
    const { prefetchBytes = 64 << 20 } = this.options;
    return Math.max(FETCH_PARTITION_BYTES, prefetchBytes / Math.max(1, this.#queues.size));
  }

  #resumeWhenDrained(partition: number, queue: Queue): void {
    if (!this.#full.has(partition) || queue.waitingBytes > this.#queueBytes() / 2) return;
    this.#full.delete(partition);
    this.#consumer?.resume([{ topic: this.options.topic, partitions: [partition] }]);
  }
}

/** Without a committed position (kafkajs writes a negative one after an offset out of range) the log is read from its start. */
function positionOf(
  committed: { offset: string; metadata: string | null } | undefined,
  low: number,
): CommittedPosition {
  const offset = Number(committed?.offset ?? -1);
  if (offset < 0) return { offset: low };
  const pending = /^viewmill-pending:(\d{1,16})$/.exec(committed?.metadata ?? "")?.[1];
  const redoThrough = Number(pending ?? -1);
  return redoThrough >= offset ? { offset, redoThrough } : { offset };
}

const offsetText = (offset: number): string => String(offset).padStart(15, "0");

/** Names of topics hold letters, digits, `.`, `_` and `-` only, but may have 249 characters; two long ones must not get one name. */
function fileSafe(topic: string): string {
  if (topic.length <= MAX_TOPIC_IN_NAME) return topic;
  return `${topic.slice(0, MAX_TOPIC_IN_NAME - 17)}-${hash("sha256", topic).slice(0, 16)}`;
}
