// SPDX-License-Identifier: Apache-2.0
/**
 * Sends groups of records, each group to one partition, exactly once a producer session. kafkajs gives a record its
 * sequence number when the record is sent, and takes the number back when the request failed. If that request was
 * written after all, the brokers would take the next records with the number for its repetition: acknowledged and lost.
 * Two rules follow.
 * - A partition has at most one group under way. kafkajs repeats that same group, with the same numbers, and no other.
 * - A producer with a failed group gets no further group: a new producer (new producer id) takes over. A producer is
 *   given up for that reason, or because the topic has other partitions by now, and for no other; reading the list of
 *   partitions again replaces no producer.
 * Every producer is remembered until it is disconnected, so that `close` misses none. kafkajs keeps one idempotent
 * request a broker under way anyway, so `maxInFlightRequests` would gain nothing. The appender of this folder sends by
 * it.
 */

import { type Kafka, type Message, Partitioners, type Producer } from "kafkajs";
import { MINUTE_MS } from "../../domain/rules/time";
import { StoreUnavailableError } from "../ports";
import { ClosingAdmin } from "./closing-admin";
import { kindOf, messageOf } from "./errors";

interface Session {
  producer: Producer;
  /** Resolves when the producer is connected and the partitions are known. */
  ready: Promise<void>;
  partitions: number[];
  /** The partitions with a group under way. */
  busy: Set<number>;
  retired: boolean;
}

/** The attempts of one request before its producer is given up. */
const RETRIES = 3;
const PARTITIONS_REFRESH_MS = 5 * MINUTE_MS;

export class PartitionSender {
  /** The session in use, or the one that is being opened; never a retired one. */
  #session: Session | undefined;
  /** The producers that were created and are not disconnected yet, each with its disconnecting once that has begun. */
  readonly #producers = new Map<Producer, Promise<void> | undefined>();
  #partitionsReadAtMs = 0;
  #refreshing: Promise<void> | undefined;
  #closed = false;
  #next = Math.floor(Math.random() * 1_000_000);
  readonly #admin: ClosingAdmin;

  constructor(
    private readonly kafka: Kafka,
    private readonly topic: string,
    private readonly requestTimeoutMs: number,
    /** The largest age of the list of the topic's partitions. */
    private readonly partitionsRefreshMs: number = PARTITIONS_REFRESH_MS,
  ) {
    this.#admin = new ClosingAdmin(kafka.admin());
  }

  /**
   * Resolves when every replica in sync has the records. Rejects with kafkajs's errors; the outcome may then be
   * unknown.
   */
  async send(records: readonly Message[]): Promise<void> {
    let session = await this.#connected();
    // Another group may have failed since then. Its producer gets no further group.
    while (session.retired) session = await this.#connected();
    const partition = this.#freePartition(session);
    session.busy.add(partition);
    try {
      await session.producer.send({
        topic: this.topic,
        acks: -1,
        timeout: this.requestTimeoutMs,
        messages: records.map((record) => ({ ...record, partition })),
      });
    } catch (error) {
      if (kindOf(error) !== "too-large") this.#retire(session);
      throw error;
    } finally {
      session.busy.delete(partition);
      this.#disconnectUnused(session);
    }
  }

  /**
   * Resolves with the number of groups that may be under way at the same time. Rejects with `StoreUnavailableError`.
   */
  async partitionCount(): Promise<number> {
    return (await this.#connected()).partitions.length;
  }

  /** Rejects with `StoreUnavailableError` when there is no producer or a partition without a leader. */
  async ping(): Promise<void> {
    await this.#connected();
    const { topics } = await this.#admin.ask((admin) => admin.fetchTopicMetadata({ topics: [this.topic] }));
    const leaderless = topics[0]?.partitions.filter(({ leader }) => leader < 0) ?? [];
    if (leaderless.length > 0) {
      throw new StoreUnavailableError(`${leaderless.length} partitions of ${this.topic} have no leader`);
    }
  }

  /** Disconnects every producer. A group under way is finished, or given up by its own attempts. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#session?.ready.catch(() => undefined);
    await this.#refreshing;
    for (const producer of this.#producers.keys()) this.#disconnect(producer);
    await Promise.allSettled([...this.#producers.values(), this.#admin.close()]);
  }

  /** Returns the next free partition, in turn, so that requests spread evenly. */
  #freePartition({ partitions, busy }: Session): number {
    for (let tried = 0; tried < partitions.length; tried++) {
      const partition = partitions[this.#next++ % partitions.length]!;
      if (!busy.has(partition)) return partition;
    }
    throw new StoreUnavailableError(`every partition of ${this.topic} has a request under way`);
  }

  async #connected(): Promise<Session> {
    if (this.#closed) throw new StoreUnavailableError(`the log on ${this.topic} is closed`);
    this.#session ??= this.#begin();
    const session = this.#session;
    await session.ready;
    this.#refreshWhenOld(session);
    return session;
  }

  #begin(): Session {
    const producer = this.kafka.producer({
      idempotent: true,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      retry: { retries: RETRIES },
    });
    this.#producers.set(producer, undefined);
    const session: Session = { producer, ready: Promise.resolve(), partitions: [], busy: new Set(), retired: false };
    session.ready = this.#connect(session);
    return session;
  }

  async #connect(session: Session): Promise<void> {
    try {
      await this.#admin.ask((admin) => admin.connect());
      session.partitions = await this.#readPartitions();
      if (session.partitions.length === 0) throw new StoreUnavailableError(`topic ${this.topic} has no partitions`);
      await session.producer.connect();
    } catch (error) {
      this.#retire(session);
      this.#disconnectUnused(session);
      throw new StoreUnavailableError(`Kafka, topic ${this.topic}: ${messageOf(error)}`, { cause: error });
    }
  }

  async #readPartitions(): Promise<number[]> {
    const { topics } = await this.#admin.ask((admin) => admin.fetchTopicMetadata({ topics: [this.topic] }));
    this.#partitionsReadAtMs = performance.now();
    return topics[0]?.partitions.map(({ partitionId }) => partitionId).sort((a, b) => a - b) ?? [];
  }

  /** Reads the list again beside the sending. A failed read changes nothing: the next use asks again. */
  #refreshWhenOld(session: Session): void {
    if (this.#refreshing !== undefined || session.retired || this.#closed) return;
    if (performance.now() - this.#partitionsReadAtMs < this.partitionsRefreshMs) return;
    this.#refreshing = this.#readPartitions()
      .then((partitions) => {
        if (partitions.length === 0 || partitions.join() === session.partitions.join()) return;
        this.#retire(session);
        this.#disconnectUnused(session);
      })
      .catch(() => {
        this.#partitionsReadAtMs = performance.now();
      })
      .finally(() => {
        this.#refreshing = undefined;
      });
  }

  /** Retires a session at once, so that no caller gets it. A session with a successor already is left alone. */
  #retire(session: Session): void {
    session.retired = true;
    if (this.#session === session) this.#session = undefined;
  }

  /** Disconnects a retired producer after the last of its groups has ended. */
  #disconnectUnused({ retired, busy, producer }: Session): void {
    if (retired && busy.size === 0) this.#disconnect(producer);
  }

  #disconnect(producer: Producer): void {
    if (!this.#producers.has(producer) || this.#producers.get(producer) !== undefined) return;
    const gone = producer
      .disconnect()
      .catch(() => undefined)
      .then(() => void this.#producers.delete(producer));
    this.#producers.set(producer, gone);
  }
}
