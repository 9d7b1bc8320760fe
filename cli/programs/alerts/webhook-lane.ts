// SPDX-License-Identifier: Apache-2.0
import type { Logger } from "pino";
import type { AlertStore, AttemptOutcome, Delivery } from "../../../io/ports/alert-store";
import type { Message, SendOutcome } from "../../../io/webhooks/send";
import type { AlertMetrics } from "./alert-metrics";
import { longestPauseMs, nextAttempt, type RetryBounds } from "./next-attempt";

/** How often a lane without work looks whether an attempt is due. */
const LOOK_EVERY_MS = 1_000;

interface LaneOptions {
  name: string;
  store: AlertStore;
  /** One attempt; never rejects. */
  send: (message: Message, signal: AbortSignal) => Promise<SendOutcome>;
  maxConcurrent: number;
  bounds: RetryBounds;
  clock: () => number;
  /** In [0, 1). */
  random: () => number;
  logger: Logger;
  metrics: AlertMetrics;
}

/**
 * The deliveries of one webhook: at most `maxConcurrent` attempts at once. Each webhook has a lane of its own, so that
 * a receiver that hangs delays no other.
 */
export class WebhookLane {
  readonly #stopping = new AbortController();
  /** Attempts under way, by the sequence of their delivery. */
  readonly #running = new Map<number, Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(private readonly options: LaneOptions) {}

  start(): void {
    this.#timer = setInterval(() => this.look(), LOOK_EVERY_MS);
    this.look();
  }

  /** Begins the attempts that are due, as far as there are places for them. */
  look(): void {
    this.#looking = this.#looking
      .then(() => this.#begin())
      .catch((error: unknown) => this.options.logger.error({ err: error }, "deliveries cannot be read"));
  }

  async #begin(): Promise<void> {
    const { name, store, clock, maxConcurrent, bounds } = this.options;
    if (this.#stopping.signal.aborted || this.#running.size >= maxConcurrent) return;
    for (const delivery of await store.due(name, clock(), maxConcurrent, longestPauseMs(bounds))) {
      const { sequence } = delivery;
      if (this.#running.size >= maxConcurrent || this.#running.has(sequence)) continue;
      const running = this.#attempt(delivery)
        .catch((error: unknown) => this.options.logger.error({ err: error, name }, "an attempt was not noted"))
        .finally(() => {
          this.#running.delete(sequence);
          this.look();
        });
      this.#running.set(sequence, running);
    }
  }

  async #attempt(delivery: Delivery): Promise<void> {
    const { name, store, send, clock, random, bounds, logger, metrics } = this.options;
    const sent = await send({ id: delivery.messageId, body: delivery.body }, this.#stopping.signal);
    // The next process makes this attempt again: the receiver knows a repeat by its id.
    if (this.#stopping.signal.aborted && sent.kind !== "taken") return;
    const outcome: AttemptOutcome =
      sent.kind === "taken"
        ? { state: "delivered", atMs: clock(), detail: sent.detail }
        : nextAttempt(delivery, sent, bounds, clock(), random());
    await store.attempted(delivery.sequence, outcome);
    metrics.attempted(name, outcome.state);
    const said = { webhook: name, message: delivery.messageId, rule: delivery.rule, detail: sent.detail };
    if (outcome.state === "dead") logger.error(said, "an alert could not be delivered");
    else logger.debug({ ...said, state: outcome.state }, "webhook");
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopping.abort();
    await this.#looking;
    await Promise.all(this.#running.values());
  }
}
