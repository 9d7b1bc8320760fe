// SPDX-License-Identifier: Apache-2.0
/**
 * The reading side of a log on a Pub/Sub subscription, by unary pulls while a caller waits for a portion. Pub/Sub has
 * no positions: a portion holds the messages of some pulls, `exact` is false, and unacknowledged messages are delivered
 * again together with others. Ids tell which messages were delivered twice. The archiver reads the log with it; the
 * streaming job reads its own subscription with Beam's source.
 */

import { randomBytes } from "node:crypto";
import type { Logger } from "pino";
import { MINUTE_MS } from "../../domain/rules/time";
import { ChangeSignal } from "../flow/change-signal";
import { LogClock } from "../flow/log-clock";
import { type LogMessage, type LogPortion, type LogSubscription, PortionLostError } from "../ports";
import { type ReceivedMessage, receivedOf } from "./codec";
import { type PubsubConnection, subscriptionName } from "./config";
import { callOptions, DEFAULT_REQUEST_TIMEOUT_MS, type SubscriberClient, subscriberClient } from "./connection";
import { isWorthRetrying, unavailable } from "./errors";
import { Leases } from "./leases";

interface PubsubLogSubscriptionOptions extends PubsubConnection {
  subscription: string;
  /**
   * How long a lease keeps messages from other readers: 10 to 600. Messages of a reader that died are kept as long.
   * Default 60.
   */
  leaseSeconds?: number;
  /** The time after which an open portion is given to another reader. Default 15 minutes. */
  maxHeldMs?: number;
  /** How long `done` tries to acknowledge. Default 15,000. */
  ackTimeoutMs?: number;
  /** The logger; absent: silent. */
  logger?: Logger;
}

interface Held {
  ackId: string;
  message: LogMessage;
  /** The time on the process's monotonic clock. */
  fetchedAtMs: number;
}
type Limits = Parameters<LogSubscription["take"]>[0];

const PULLS = 4;
/**
 * Without a message, the service answers an empty pull after up to 90 s. A pull that is cut off may have taken
 * messages.
 */
const PULL_TIMEOUT_MS = 120_000;
const PULL_MESSAGES = 1_000;
const PAUSE_AFTER_ERROR_MS = 500;
/** The approximate bytes of a message in memory beside its payload. */
const MESSAGE_BYTES = 500;
const MAX_SUBSCRIPTION_IN_NAME = 100;

export class PubsubLogSubscription implements LogSubscription {
  readonly #subscription: string;
  readonly #leases: Leases;
  #waiting: Held[] = [];
  #waitingBytes = 0;
  readonly #open = new Set<Held[]>();
  #takers = 0;
  #pulls = 0;
  readonly #changes = new ChangeSignal();
  readonly #clock = new LogClock();
  #closed = false;

  /** Rejects with `StoreUnavailableError` when Pub/Sub does not answer or the subscription does not exist. */
  static async open(options: PubsubLogSubscriptionOptions): Promise<PubsubLogSubscription> {
    const client = await subscriberClient(options);
    const subscription = new PubsubLogSubscription(options, client);
    try {
      await client.getSubscription(
        { subscription: subscription.#subscription },
        callOptions(options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS),
      );
    } catch (error) {
      await subscription.close();
      throw unavailable(error);
    }
    return subscription;
  }

  private constructor(
    private readonly options: PubsubLogSubscriptionOptions,
    private readonly client: SubscriberClient,
  ) {
    this.#subscription = subscriptionName(options.projectId, options.subscription);
    this.#leases = new Leases(client, {
      subscription: this.#subscription,
      leaseSeconds: options.leaseSeconds ?? 60,
      maxHeldMs: options.maxHeldMs ?? 15 * MINUTE_MS,
      attemptMs: options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS,
      onError: (error) => options.logger?.warn({ err: error }, "pubsub: messages could not be kept or given back"),
    });
  }

  async take(limits: Limits): Promise<LogPortion | undefined> {
    // A closed subscription rejects. If it returned undefined at once, a reader in a loop would never yield to the
    // event loop.
    if (this.#closed) throw new Error("the subscription is closed");
    const untilMs = performance.now() + limits.waitMs;
    this.#takers++;
    try {
      for (;;) {
        const { seen } = this.#changes;
        const portion = this.#takeDue(limits, untilMs);
        const nowMs = performance.now();
        if (portion !== undefined || nowMs >= untilMs || this.#closed) return portion;
        this.#pull();
        const dueMs = (this.#waiting[0]?.fetchedAtMs ?? Infinity) + limits.waitMs;
        await this.#changes.changed(seen, Math.max(1, Math.min(untilMs, dueMs) - nowMs));
      }
    } finally {
      this.#takers--;
    }
  }

  /**
   * Returns the time of the oldest message that this reader holds. A reader that holds none checks whether messages
   * wait. Messages of other readers are unknown: Pub/Sub shows the age of the oldest message only in its metrics
   * (`subscription/oldest_unacked_message_age`), minutes later.
   */
  async oldestWaitingMs(): Promise<number | undefined> {
    if (this.#waiting.length === 0 && this.#open.size === 0) await this.#look();
    let oldest: number | undefined;
    for (const held of [this.#waiting, ...this.#open]) {
      for (const { message } of held) oldest = Math.min(oldest ?? Infinity, message.appendedAtMs);
    }
    return oldest;
  }

  logTimeMs(): number | undefined {
    return this.#clock.reachedMs();
  }

  /**
   * Gives back fetched messages that are in no portion. Open portions are delivered again after the end of their lease.
   */
  async close(): Promise<void> {
    this.#closed = true;
    this.#changes.signal();
    this.#leases.close();
    const waiting = this.#waiting.splice(0);
    if (waiting.length > 0) await this.#leases.giveBack(waiting.map(({ ackId }) => ackId));
    await this.client.close();
  }

  // -------------------------------------------------------------- portions

  #takeDue({ maxMessages, maxBytes, waitMs }: Limits, untilMs: number): LogPortion | undefined {
    const first = this.#waiting[0];
    if (first === undefined) return undefined;
    const full = this.#waiting.length >= maxMessages || this.#waitingBytes >= maxBytes;
    if (!full && performance.now() < Math.min(untilMs, first.fetchedAtMs + waitMs)) return undefined;
    let bytes = 0;
    let count = 0;
    for (const held of this.#waiting) {
      if (count > 0 && (count >= maxMessages || bytes + sizeBytesOf(held) > maxBytes)) break;
      bytes += sizeBytesOf(held);
      count++;
    }
    this.#waitingBytes -= bytes;
    return this.#portionOf(this.#waiting.splice(0, count));
  }

  #portionOf(held: Held[]): LogPortion {
    this.#open.add(held);
    const ackIds = held.map(({ ackId }) => ackId);
    let ended = false;
    const end = () => {
      if (ended) throw new PortionLostError("the portion has been done or abandoned already");
      ended = true;
      this.#open.delete(held);
    };
    return {
      name: `${this.options.subscription.replace(/[^A-Za-z0-9._-]/g, "_").slice(0, MAX_SUBSCRIPTION_IN_NAME)}-${Date.now()}-${randomBytes(8).toString("hex")}`,
      exact: false,
      // A message that was published twice is one message with two acknowledgements.
      messages: [...new Map(held.map(({ message }) => [message.id, message])).values()],
      done: async () => {
        end();
        await this.#leases.acknowledge(ackIds, this.options.ackTimeoutMs ?? 15_000);
      },
      abandon: async () => {
        end();
        await this.#leases.giveBack(ackIds);
      },
    };
  }

  // -------------------------------------------------------------- fetching

  #pull(): void {
    while (this.#pulls < PULLS && !this.#closed) {
      this.#pulls++;
      void this.#pullWhileWanted().finally(() => this.#pulls--);
    }
  }

  /** Pulls until no caller waits. A pull fetches at most one answer beyond a portion. */
  async #pullWhileWanted(): Promise<void> {
    while (this.#takers > 0 && !this.#closed) {
      try {
        await this.#fetch(false, PULL_TIMEOUT_MS);
      } catch (error) {
        if (this.#closed) return;
        if (!isWorthRetrying(error)) this.options.logger?.error({ err: error }, "pubsub: messages cannot be pulled");
        await this.#changes.changed(this.#changes.seen, PAUSE_AFTER_ERROR_MS);
      }
    }
  }

  async #look(): Promise<void> {
    try {
      await this.#fetch(true, this.options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS);
    } catch (error) {
      throw unavailable(error);
    }
  }

  async #fetch(returnImmediately: boolean, timeoutMs: number): Promise<void> {
    const request = { subscription: this.#subscription, maxMessages: PULL_MESSAGES, returnImmediately };
    const [{ receivedMessages }] = await this.client.pull(request, callOptions(timeoutMs));
    this.#received(receivedMessages ?? []);
  }

  #received(received: readonly ReceivedMessage[]): void {
    if (received.length === 0) return;
    const fetchedAtMs = performance.now();
    for (const { ackId, message } of received) {
      const held = { ackId: ackId ?? "", message: receivedOf(message ?? {}), fetchedAtMs };
      this.#clock.saw(held.message.appendedAtMs);
      this.#waiting.push(held);
      this.#waitingBytes += sizeBytesOf(held);
    }
    this.#leases.hold(received.map(({ ackId }) => ackId ?? ""));
    this.#changes.signal();
  }
}

const sizeBytesOf = ({ message }: Held): number => MESSAGE_BYTES + message.payload.byteLength;
