/**
 * Sends groups of records, each group to one partition, exactly once a producer session.
 *
 * kafkajs gives a record its sequence number when it is sent, and takes the number back when the request failed. If the request had
 * been written after all, the next records with that number would be taken for its repetition: acknowledged and lost. So
 * - a partition has at most one group under way; kafkajs repeats that same group, with the same numbers, and nothing else;
 * - a producer of which a group failed in the end gets no other one: a new producer (new producer id) takes over.
 * kafkajs keeps one idempotent request a broker under way anyway, so `maxInFlightRequests` would gain nothing.
 */
import { type Admin, type Kafka, type Message, Partitioners, type Producer } from "kafkajs";
import { StoreUnavailableError } from "../ports";
import { kindOf, messageOf } from "./error-kind";

interface Session {
  producer: Producer;
  partitions: number[];
  /** Partitions with a group under way. */
  busy: Set<number>;
  retired: boolean;
}

/** Attempts of one request before its producer is given up. */
const RETRIES = 3;
const PARTITIONS_REFRESH_MS = 5 * 60_000;

export class PartitionSender {
  #session: Promise<Session> | undefined;
  #connectedAtMs = 0;
  #next = Math.floor(Math.random() * 1_000_000);
  #closing: Promise<void>[] = [];
  readonly #admin: Admin;

  constructor(
    private readonly kafka: Kafka,
    private readonly topic: string,
    private readonly requestTimeoutMs: number,
  ) {
    this.#admin = kafka.admin();
  }

  /** Resolves when every replica in sync has the records. Rejects with kafkajs's errors; the outcome may then be unknown. */
  async send(records: readonly Message[]): Promise<void> {
    const session = await this.#connected();
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

  /** How many groups may be under way at the same time. Rejects with `StoreUnavailableError`. */
  async partitionCount(): Promise<number> {
    return (await this.#connected()).partitions.length;
  }

  /** Rejects with `StoreUnavailableError` when there is no producer or a partition without a leader. */
  async ping(): Promise<void> {
    await this.#connected();
    const { topics } = await this.#admin.fetchTopicMetadata({ topics: [this.topic] });
    const leaderless = topics[0]?.partitions.filter(({ leader }) => leader < 0) ?? [];
    if (leaderless.length > 0) {
      throw new StoreUnavailableError(`${leaderless.length} partitions of ${this.topic} have no leader`);
    }
  }

  async close(): Promise<void> {
    const session = await this.#session?.catch(() => undefined);
    if (session !== undefined) this.#retire(session);
    if (session !== undefined) this.#disconnectUnused(session);
    await Promise.allSettled([...this.#closing, this.#admin.disconnect()]);
  }

  /** Partitions that may be written at the same time: what is free is taken in turn, so that requests spread evenly. */
  #freePartition({ partitions, busy }: Session): number {
    for (let tried = 0; tried < partitions.length; tried++) {
      const partition = partitions[this.#next++ % partitions.length]!;
      if (!busy.has(partition)) return partition;
    }
    throw new StoreUnavailableError(`every partition of ${this.topic} has a request under way`);
  }

  #connected(): Promise<Session> {
    if (this.#session !== undefined && performance.now() - this.#connectedAtMs > PARTITIONS_REFRESH_MS) {
      void this.#session.then((session) => this.#retire(session)).catch(() => undefined);
      this.#session = undefined;
    }
    this.#session ??= this.#connect();
    return this.#session;
  }

  async #connect(): Promise<Session> {
    const producer = this.kafka.producer({
      idempotent: true,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      retry: { retries: RETRIES },
    });
    try {
      await this.#admin.connect();
      const { topics } = await this.#admin.fetchTopicMetadata({ topics: [this.topic] });
      const partitions = topics[0]?.partitions.map(({ partitionId }) => partitionId) ?? [];
      if (partitions.length === 0) throw new StoreUnavailableError(`topic ${this.topic} has no partitions`);
      await producer.connect();
      this.#connectedAtMs = performance.now();
      return { producer, partitions, busy: new Set(), retired: false };
    } catch (error) {
      this.#session = undefined;
      this.#closing.push(producer.disconnect().catch(() => undefined));
      throw new StoreUnavailableError(`Kafka, topic ${this.topic}: ${messageOf(error)}`, { cause: error });
    }
  }

  #retire(session: Session): void {
    if (session.retired) return;
    session.retired = true;
    this.#session = undefined;
  }

  /** Others of its groups may still be under way; the last one disconnects it. */
  #disconnectUnused(session: Session): void {
    if (!session.retired || session.busy.size > 0) return;
    const closing = session.producer.disconnect().catch(() => undefined);
    this.#closing.push(closing);
    void closing.then(() => this.#closing.splice(this.#closing.indexOf(closing), 1));
  }
}
