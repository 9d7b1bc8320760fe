// SPDX-License-Identifier: Apache-2.0
/**
 * The reading side of a log on a Kafka topic: a consumer group whose members share the partitions. A portion is a
 * contiguous range of offsets of one partition, and one portion of a partition is open at a time. Portions are exact
 * after crashes. Before a range is handed out, the group commits its unchanged position again, with the range's end as
 * metadata. The next owner of the partition (after a restart or a rebalance) finds that metadata and takes exactly that
 * range, under the same name; `done` commits the end. Commits carry the generation of the group, so that the brokers
 * refuse those of a reader that has lost its partitions. A reader that still belongs to the group but not to the
 * partition is refused here, because its queue is no longer the partition's. Committed positions must outlive the
 * messages: the brokers' `offsets.retention.minutes` >= the topic's retention. kafkajs fetches into a bounded queue a
 * partition (which is paused when full), so that its heartbeats never wait for an archive. The archiver reads the log
 * with it; the streaming job reads the topic with Beam's own source.
 */

import { hash } from "node:crypto";
import type { Consumer, EachBatchPayload, KafkaMessage, TopicPartitionOffset } from "kafkajs";
import { ChangeSignal } from "../flow/change-signal";
import { LogClock } from "../flow/log-clock";
import {
  type LogMessage,
  type LogPortion,
  type LogSubscription,
  PortionLostError,
  StoreUnavailableError,
} from "../ports";
import { ClosingAdmin } from "./closing-admin";
import { messageOf as decoded } from "./codec";
import type { KafkaConnection } from "./config";
import { kafkaOf } from "./connection";
import { kindOf, messageOf } from "./errors";
import { GroupLag } from "./group-lag";
import { GroupMember } from "./group-member";
import { type CommittedPosition, type Fetched, gapsIn, PartitionQueue, type TakenRange } from "./partition-queue";

/**
 * Messages that left the log (retention, deleted records or segments, a topic created anew) before this group read
 * them. Every offset of a log holds a record, a marker of a transaction, or nothing because compaction removed it. A
 * reader that sees neither record nor marker has lost a message.
 */
export interface SkippedRange {
  topic: string;
  partition: number;
  fromOffset: number;
  /** The first offset after the skipped messages. */
  toOffset: number;
}

interface KafkaLogSubscriptionOptions extends KafkaConnection {
  topic: string;
  groupId: string;
  /**
   * The bytes fetched ahead over all partitions (each at least 1 MiB, plus a range that is taken again). Default 64
   * MiB.
   */
  prefetchBytes?: number;
  /**
   * The time after which a silent reader loses its partitions. Default 30,000; the brokers allow 6,000 to 1,800,000.
   */
  sessionTimeoutMs?: number;
  /** How long `done` tries to commit. Default 15,000. */
  commitTimeoutMs?: number;
  onSkipped?(range: SkippedRange): void;
}

interface Waiting extends Fetched, LogMessage {
  /** The time on the process's monotonic clock. */
  fetchedAtMs: number;
}
type Limits = Parameters<LogSubscription["take"]>[0];
type Queue = PartitionQueue<Waiting>;
type Range = TakenRange<Waiting>;

const PENDING = "viewmill-pending:";
const FETCH_WAIT_MS = 250;
const FETCH_PARTITION_BYTES = 1 << 20;
const RETRY_MS = 200;
/** The approximate bytes of a record in memory beside its value. */
const RECORD_BYTES = 200;
const MAX_TOPIC_IN_NAME = 100;
const MAX_RETRY_MS = 2_000;

export class KafkaLogSubscription implements LogSubscription {
  readonly #admin: ClosingAdmin;
  readonly #lag: GroupLag;
  readonly #member: GroupMember;
  /** The partitions that this reader owns and whose position it knows; new objects at each assignment. */
  #queues = new Map<number, Queue>();
  #assigned: readonly number[] = [];
  readonly #full = new Set<number>();
  readonly #changes = new ChangeSignal();
  readonly #clock = new LogClock();
  #closed = false;
  /** For each queue, the commit under way and the position committed last. */
  readonly #committing = new WeakMap<Queue, Promise<void>>();
  readonly #committed = new WeakMap<Queue, number>();
  #skippedMessages = 0;
  /**
   * The end of the skipped range that was reported for each partition. The group's position may stay before it until a
   * message is read.
   */
  readonly #toldThrough = new Map<number, number>();

  /** Rejects with `StoreUnavailableError` when no broker answers or the topic does not exist. */
  static async open(options: KafkaLogSubscriptionOptions): Promise<KafkaLogSubscription> {
    const subscription = new KafkaLogSubscription(options);
    try {
      await subscription.#admin.ask((admin) => admin.connect());
      await subscription.#member.start();
    } catch (error) {
      await subscription.close();
      throw new StoreUnavailableError(`Kafka, topic ${options.topic}: ${messageOf(error)}`, { cause: error });
    }
    return subscription;
  }

  private constructor(private readonly options: KafkaLogSubscriptionOptions) {
    const { topic, groupId, sessionTimeoutMs = 30_000, logger } = options;
    const kafka = kafkaOf(options);
    this.#admin = new ClosingAdmin(kafka.admin());
    this.#lag = new GroupLag(this.#admin, topic, groupId);
    this.#member = new GroupMember({
      kafka,
      topic,
      logger,
      consumer: {
        groupId,
        sessionTimeout: sessionTimeoutMs,
        heartbeatInterval: Math.max(500, Math.floor(sessionTimeoutMs / 10)),
        maxBytesPerPartition: FETCH_PARTITION_BYTES,
        maxWaitTimeInMs: FETCH_WAIT_MS,
        allowAutoTopicCreation: false,
        readUncommitted: false,
        retry: { retries: 8, initialRetryTime: 100, maxRetryTime: 2_000 },
      },
      onJoin: (consumer, partitions) => this.#join(consumer, partitions),
      onLost: () => this.#forget(),
      onFetched: (payload) => this.#fetched(payload),
    });
  }

  /** The messages that were dropped unread since this reader was opened. */
  get skippedMessages(): number {
    return this.#skippedMessages;
  }

  async take(limits: Limits): Promise<LogPortion | undefined> {
    // A closed subscription rejects. If it returned undefined at once, a reader in a loop would never yield to the
    // event loop.
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
      await Promise.all([...this.#queues].map(([partition, queue]) => this.#passMarkers(partition, queue)));
      const oldestMs = await this.#lag.oldestWaitingMs(this.#clock.reachedMs() ?? Date.now());
      this.#skipDropped(this.#lag.starts);
      return oldestMs;
    } catch (error) {
      throw new StoreUnavailableError(`Kafka: ${messageOf(error)}`, { cause: error });
    }
  }

  logTimeMs(): number | undefined {
    return this.#clock.reachedMs();
  }

  /** Leaves the group. Other readers take the open portions again. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#forget();
    await Promise.allSettled([this.#member.close(), this.#admin.close()]);
  }

  // -------------------------------------------------------------- portions

  async #takeDue(limits: Limits, untilMs: number): Promise<LogPortion | undefined> {
    const [partition, queue] = this.#oldestDue(limits, untilMs) ?? [];
    const range = queue?.take(limits.maxMessages, limits.maxBytes);
    if (partition === undefined || queue === undefined || range === undefined) return undefined;
    try {
      await this.#commit(partition, queue, range.first, `${PENDING}${range.last}`);
    } catch (error) {
      // The range may be committed, so whoever has the partition next must take exactly this range.
      if (this.#queues.get(partition) === queue) queue.giveBack();
      this.options.logger?.warn({ partition, err: error }, "kafka: a range could not be marked as pending");
      return undefined;
    }
    this.#resumeWhenDrained(partition, queue);
    return this.#portionOf(partition, queue, range);
  }

  /**
   * Returns the partition with the oldest message among those that fill a portion, or whose first message has waited
   * long enough.
   */
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
        const next = queue.afterOpen;
        try {
          await this.#commit(partition, queue, next, "");
        } catch (error) {
          // The range may be committed. If this reader still has the partition, it takes the same range again.
          if (this.#queues.get(partition) === queue) queue.giveBack();
          this.#changes.signal();
          throw error;
        }
        queue.finish(next);
        this.#changes.signal();
      },
      abandon: async () => {
        end();
        queue.giveBack();
        this.#changes.signal();
      },
    };
  }

  /**
   * Advances the group over offsets without a message (markers of transactions, aborted records, dropped messages)
   * where a partition holds nothing else. As long as the group's position stays before these offsets, they count as
   * waiting. The next call tries again after a failure.
   */
  async #passMarkers(partition: number, queue: Queue): Promise<void> {
    const { idleAt } = queue;
    if (idleAt === undefined || this.#committed.get(queue) === idleAt) return;
    try {
      await this.#commit(partition, queue, idleAt, "");
    } catch (error) {
      this.options.logger?.debug({ partition, err: error }, "kafka: the group could not be moved on");
    }
  }

  /**
   * Commits one position at a time for each partition, in order. Rejects with `PortionLostError` when the partition has
   * another owner, or with `StoreUnavailableError`.
   */
  async #commit(partition: number, queue: Queue, offset: number, metadata: string): Promise<void> {
    const before = this.#committing.get(queue);
    const mine = (before ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => this.#commitNow(partition, queue, offset, metadata));
    this.#committing.set(queue, mine);
    await mine;
    this.#committed.set(queue, offset);
  }

  async #commitNow(partition: number, queue: Queue, offset: number, metadata: string): Promise<void> {
    const { topic, commitTimeoutMs = 15_000 } = this.options;
    const untilMs = performance.now() + commitTimeoutMs;
    for (let pauseMs = RETRY_MS; ; pauseMs = Math.min(pauseMs * 2, MAX_RETRY_MS)) {
      // kafkajs takes up a new generation and reports it in the same run of microtasks, so a fresh turn of the event
      // loop sees both or neither.
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#queues.get(partition) !== queue)
        throw new PortionLostError(`partition ${partition} has another reader`);
      try {
        return await this.#member.consumer!.commitOffsets([{ topic, partition, offset: String(offset), metadata }]);
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

  /** Forgets all partitions, because this reader owns none of them any more. */
  #forget(): void {
    this.#queues = new Map();
    this.#assigned = [];
    this.#changes.signal();
  }

  /**
   * Stops fetching until the positions and their metadata are known. kafkajs does not report the metadata, and
   * overwrites it when a position is out of range.
   */
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
          this.#admin.ask((admin) => admin.fetchTopicOffsets(topic)),
          this.#admin.ask((admin) => admin.fetchOffsets({ groupId, topics: [topic] })),
        ]);
        if (this.#assigned !== partitions) return;
        const low = new Map(ends.map((end) => [end.partition, Number(end.low)]));
        const committed = new Map(groups[0]?.partitions.map((each) => [each.partition, each]));
        for (const partition of partitions) {
          this.#queues.set(partition, new PartitionQueue(positionOf(committed.get(partition))));
        }
        for (const moved of this.#skipDropped(low)) consumer.seek(moved);
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
    const { messagesWithinOffset: records } = batch as unknown as { messagesWithinOffset: KafkaMessage[] };
    for (const [from, to] of gapsIn(
      queue.nextOffset,
      records.map(({ offset }) => Number(offset)),
    ))
      this.#skipped(partition, from, to);
    const fetchedAtMs = performance.now();
    const messages = batch.messages.map((record) => ({
      ...decoded(topic, partition, record),
      fetchedAtMs,
      offset: Number(record.offset),
      sizeBytes: RECORD_BYTES + (record.value?.byteLength ?? 0),
    }));
    const newest = batch.messages.at(-1);
    if (newest !== undefined) this.#clock.saw(Number(newest.timestamp));
    queue.push(messages, Number(batch.lastOffset()));
    resolveOffset(batch.lastOffset());
    if (queue.waitingBytes >= this.#queueBytes() && !queue.incomplete) {
      this.#full.add(partition);
      this.#member.consumer?.pause([{ topic, partitions: [partition] }]);
    }
    this.#changes.signal();
  }

  /**
   * Handles a fetch that does not begin at the queue's end: it belongs to the earlier assignment, or the log does not
   * have that offset any more (or not yet). Only dropped messages are skipped.
   */
  async #realign(partition: number, queue: Queue): Promise<void> {
    const { topic } = this.options;
    const ends = await this.#admin.ask((admin) => admin.fetchTopicOffsets(topic));
    const end = ends.find((each) => each.partition === partition);
    if (end === undefined || this.#queues.get(partition) !== queue) return;
    const [low, high] = [Number(end.low), Number(end.high)];
    this.#skipDropped(new Map([[partition, low]]));
    if (queue.nextOffset > high) {
      // The topic was created anew: its offsets are new, and none of them is done. The number of unread messages of the
      // old topic is unknown.
      this.options.logger?.error(
        { topic, partition, offset: queue.nextOffset, end: high },
        "kafka: the log begins anew",
      );
      this.#queues.set(partition, new PartitionQueue({ offset: 0 }));
      this.#toldThrough.delete(partition);
      this.#skipDropped(new Map([[partition, low]]));
    }
    this.#seek({ topic, partition, offset: String(this.#queues.get(partition)!.nextOffset) });
    this.#changes.signal();
  }

  /**
   * Skips messages that are no longer in the log. Returns the next offset to fetch for each changed partition. `starts`
   * has the first offset of each partition.
   */
  #skipDropped(starts: ReadonlyMap<number, number>): TopicPartitionOffset[] {
    const { topic } = this.options;
    const moved: TopicPartitionOffset[] = [];
    for (const [partition, queue] of this.#queues) {
      const low = starts.get(partition) ?? 0;
      if (queue.nextOffset >= low) continue;
      this.#skipped(partition, queue.nextOffset, low);
      queue.skipTo(low);
      moved.push({ topic, partition, offset: String(low) });
    }
    if (moved.length > 0) this.#changes.signal();
    return moved;
  }

  #skipped(partition: number, fromOffset: number, toOffset: number): void {
    const from = Math.max(fromOffset, this.#toldThrough.get(partition) ?? 0);
    if (from >= toOffset) return;
    this.#toldThrough.set(partition, toOffset);
    this.#skippedMessages += toOffset - from;
    const range = { topic: this.options.topic, partition, fromOffset: from, toOffset };
    this.options.logger?.error(range, "kafka: messages left the log before they were archived");
    this.options.onSkipped?.(range);
  }

  /** A consumer that is being replaced has no position to change. */
  #seek(to: TopicPartitionOffset): void {
    try {
      this.#member.consumer?.seek(to);
    } catch (error) {
      this.options.logger?.debug({ err: error }, "kafka: the reader is not in its group");
    }
  }

  #queueBytes(): number {
    const { prefetchBytes = 64 << 20 } = this.options;
    return Math.max(FETCH_PARTITION_BYTES, prefetchBytes / Math.max(1, this.#queues.size));
  }

  #resumeWhenDrained(partition: number, queue: Queue): void {
    if (!this.#full.has(partition) || queue.waitingBytes > this.#queueBytes() / 2) return;
    this.#full.delete(partition);
    this.#member.consumer?.resume([{ topic: this.options.topic, partitions: [partition] }]);
  }
}

/**
 * Returns the position of a partition. Without a committed position (kafkajs writes a negative one after an offset out
 * of range) the log is read from its very start, because this group never read the messages dropped by now.
 */
function positionOf(committed: { offset: string; metadata: string | null } | undefined): CommittedPosition {
  const offset = Number(committed?.offset ?? -1);
  if (offset < 0) return { offset: 0 };
  const pending = /^viewmill-pending:(\d{1,16})$/.exec(committed?.metadata ?? "")?.[1];
  const redoThrough = Number(pending ?? -1);
  return redoThrough >= offset ? { offset, redoThrough } : { offset };
}

const offsetText = (offset: number): string => String(offset).padStart(15, "0");

/**
 * Returns a topic's name for files. Topic names hold letters, digits, `.`, `_` and `-` only, but may have 249
 * characters; two long names must not get the same result.
 */
function fileSafe(topic: string): string {
  if (topic.length <= MAX_TOPIC_IN_NAME) return topic;
  return `${topic.slice(0, MAX_TOPIC_IN_NAME - 17)}-${hash("sha256", topic).slice(0, 16)}`;
}
