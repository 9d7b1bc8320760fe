// SPDX-License-Identifier: Apache-2.0
/**
 * Publishes messages to a topic, durably and in groups. The event log and the dead-letter topic of this folder use it.
 */
import { BatchQueue } from "../flow/batch-queue";
import { MessageTooLargeError } from "../formats/messages/errors";
import { messageSizeBytes, type PubsubMessage } from "./codec";
import { type PubsubConnection, topicName } from "./config";
import { callOptions, DEFAULT_REQUEST_TIMEOUT_MS, type PublisherClient, publisherClient } from "./connection";
import { retried, unavailable } from "./errors";

export interface PubsubAppenderOptions extends PubsubConnection {
  topic: string;
  /** The deadline of an append. Default 20,000. */
  appendTimeoutMs?: number;
  /** The bytes that wait or are under way, beyond which appends are refused with `LogFullError`. Default 64 MiB. */
  maxQueueBytes?: number;
  /** How long messages wait for others while a request is under way. Default 5. */
  lingerMs?: number;
}

/** Pub/Sub takes 10 MB and 1,000 messages in a request; the rest is room for framing. */
const MAX_MESSAGE_BYTES = 9_900_000;
const MAX_REQUEST_MESSAGES = 1_000;
/** The size of a request, small enough for several requests under way. A larger message is sent alone. */
const MAX_REQUEST_BYTES = 1_000_000;
const MAX_REQUESTS = 8;

/** Publishes messages to a topic. Pub/Sub has stored a message when the promise resolves. */
export class PubsubAppender {
  readonly #topic: string;
  readonly #totalMs: number;
  readonly #attemptMs: number;
  readonly #queue: BatchQueue<PubsubMessage>;

  /** Rejects with `StoreUnavailableError` when Pub/Sub does not answer or the topic does not exist. */
  static async open(options: PubsubAppenderOptions): Promise<PubsubAppender> {
    const appender = new PubsubAppender(options, await publisherClient(options));
    try {
      await appender.ping();
    } catch (error) {
      await appender.close();
      throw error;
    }
    return appender;
  }

  private constructor(
    options: PubsubAppenderOptions,
    private readonly client: PublisherClient,
  ) {
    this.#topic = topicName(options.projectId, options.topic);
    this.#totalMs = options.appendTimeoutMs ?? 20_000;
    this.#attemptMs = options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS;
    this.#queue = new BatchQueue<PubsubMessage>({
      commit: (messages) => this.#publish(messages),
      sizeBytes: messageSizeBytes,
      maxGroupItems: MAX_REQUEST_MESSAGES,
      maxGroupBytes: MAX_REQUEST_BYTES,
      maxCommits: MAX_REQUESTS,
      lingerMs: options.lingerMs ?? 5,
      maxQueueBytes: options.maxQueueBytes ?? 64 << 20,
      timeoutMs: this.#totalMs,
    });
  }

  /** Rejects with `LogFullError`, `StoreUnavailableError` (the outcome may be unknown) or `MessageTooLargeError`. */
  async append(message: PubsubMessage): Promise<void> {
    const sizeBytes = messageSizeBytes(message);
    if (sizeBytes > MAX_MESSAGE_BYTES) {
      throw new MessageTooLargeError(
        `a message of ${sizeBytes} bytes is above Pub/Sub's bound of ${MAX_MESSAGE_BYTES}`,
      );
    }
    await this.#queue.add(message);
  }

  /** Rejects with `StoreUnavailableError`. */
  async ping(): Promise<void> {
    try {
      await this.client.getTopic({ topic: this.#topic }, callOptions(this.#attemptMs));
    } catch (error) {
      throw unavailable(error);
    }
  }

  /** Finishes the appends made so far. */
  async close(): Promise<void> {
    await this.#queue.idle();
    await this.client.close();
  }

  async #publish(messages: readonly PubsubMessage[]): Promise<void> {
    await retried(this.#totalMs, (leftMs) =>
      this.client.publish(
        { topic: this.#topic, messages: [...messages] },
        callOptions(Math.min(leftMs, this.#attemptMs)),
      ),
    );
  }
}
