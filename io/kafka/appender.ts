// SPDX-License-Identifier: Apache-2.0
/** Appends records to a topic, durably and in groups. The event log and the dead-letter topic write with it. */
import type { Message } from "kafkajs";
import { BatchQueue } from "../flow/batch-queue";
import { MessageTooLargeError } from "../formats/messages/errors";
import { StoreUnavailableError } from "../ports";
import { recordSizeBytes } from "./codec";
import type { KafkaConnection } from "./config";
import { kafkaOf } from "./connection";
import { kindOf, messageOf } from "./errors";
import { PartitionSender } from "./partition-sender";

export interface KafkaAppenderOptions extends KafkaConnection {
  topic: string;
  /** The deadline of an append. Default 10,000. */
  appendTimeoutMs?: number;
  /** The bytes that wait or are under way, beyond which appends are refused with `LogFullError`. Default 64 MiB. */
  maxQueueBytes?: number;
  /**
   * The size of the largest record, which the topic's `max.message.bytes` must allow (io/kafka/topics.ts sets it so).
   * Default 9 MiB.
   */
  maxMessageBytes?: number;
  /**
   * The bytes of one request, below the broker's default `message.max.bytes` of 1 MB. A larger record is sent alone.
   * Default 900,000.
   */
  maxRequestBytes?: number;
  /** How long records wait for others while another request is under way. Default 3. */
  lingerMs?: number;
  /** The largest age of the list of the topic's partitions. Default five minutes. */
  partitionsRefreshMs?: number;
}

export const DEFAULT_MAX_MESSAGE_BYTES = 9 << 20;
const MAX_REQUEST_RECORDS = 1_000;
const MAX_REQUESTS = 4;

/**
 * Appends records to a topic. When the promise resolves, the record is durable in every replica in sync (`acks=all`).
 */
export class KafkaAppender {
  readonly #sender: PartitionSender;
  readonly #queue: BatchQueue<Message>;
  readonly #maxMessageBytes: number;
  readonly #timeoutMs: number;

  /** Rejects with `StoreUnavailableError` when no broker answers or the topic does not exist. */
  static async open(options: KafkaAppenderOptions): Promise<KafkaAppender> {
    const { topic, requestTimeoutMs = 5_000, partitionsRefreshMs } = options;
    const sender = new PartitionSender(kafkaOf(options), topic, requestTimeoutMs, partitionsRefreshMs);
    try {
      return new KafkaAppender(options, sender, await sender.partitionCount());
    } catch (error) {
      await sender.close();
      throw unavailable(error);
    }
  }

  private constructor(options: KafkaAppenderOptions, sender: PartitionSender, partitions: number) {
    this.#sender = sender;
    this.#maxMessageBytes = options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES;
    this.#timeoutMs = options.appendTimeoutMs ?? 10_000;
    this.#queue = new BatchQueue<Message>({
      commit: (records) => this.#send(records),
      sizeBytes: recordSizeBytes,
      maxGroupItems: MAX_REQUEST_RECORDS,
      maxGroupBytes: options.maxRequestBytes ?? 900_000,
      maxCommits: Math.min(MAX_REQUESTS, partitions),
      lingerMs: options.lingerMs ?? 3,
      maxQueueBytes: options.maxQueueBytes ?? 64 << 20,
      timeoutMs: this.#timeoutMs,
    });
  }

  /** Rejects with `LogFullError`, `StoreUnavailableError` (the outcome may be unknown) or `MessageTooLargeError`. */
  async append(record: Message): Promise<void> {
    const sizeBytes = recordSizeBytes(record);
    if (sizeBytes > this.#maxMessageBytes) {
      throw new MessageTooLargeError(`a message of ${sizeBytes} bytes is above the bound of ${this.#maxMessageBytes}`);
    }
    await this.#queue.add(record);
  }

  async ping(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new StoreUnavailableError(`Kafka did not answer within ${this.#timeoutMs} ms`);
      timer = setTimeout(() => reject(error), this.#timeoutMs);
    });
    try {
      await Promise.race([this.#sender.ping(), late]);
    } catch (error) {
      throw unavailable(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Finishes the appends made so far. */
  async close(): Promise<void> {
    await this.#queue.idle();
    await this.#sender.close();
  }

  async #send(records: readonly Message[]): Promise<void> {
    try {
      await this.#sender.send(records);
    } catch (error) {
      if (kindOf(error) !== "too-large") throw unavailable(error);
      if (records.length > 1) throw new StoreUnavailableError("maxRequestBytes is above the topic's max.message.bytes");
      throw new MessageTooLargeError(`the topic refuses a message of ${recordSizeBytes(records[0]!)} bytes`);
    }
  }
}

function unavailable(error: unknown): StoreUnavailableError {
  if (error instanceof StoreUnavailableError) return error;
  return new StoreUnavailableError(`Kafka: ${messageOf(error)}`, { cause: error });
}
