// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from "node:crypto";
import type { Logger } from "pino";
import {
  type AlertReading,
  type AlertRule,
  type AlertState,
  type Crossing,
  judged,
  NO_ALERT,
} from "../../../domain/rules/alerts";
import type { AlertStore, NewDelivery } from "../../../io/ports/alert-store";
import type { AlertMetrics } from "./alert-metrics";

/** Messages that wait for one webhook; further ones are dead from the start, listed, and can be replayed. */
const MAX_WAITING = 10_000;

interface AlertsOptions {
  rules: readonly AlertRule[];
  /** The rules whose alerts each webhook gets. */
  webhooks: readonly { name: string; rules: ReadonlySet<string> }[];
  store: AlertStore;
  /** Returns the reading of a rule; undefined where nothing can be read now, and the rule's state stays. */
  read: (rule: AlertRule) => Promise<AlertReading | undefined>;
  clock: () => number;
  logger: Logger;
  metrics: AlertMetrics;
  /** Called after messages were kept. */
  onMessages: () => void;
}

/**
 * Looks at every rule in turn. What a look finds and its messages are kept together, before anything is sent. The
 * service's alerts run it every few seconds (service-alerts.ts).
 */
export class Alerts {
  constructor(private readonly options: AlertsOptions) {}

  /** Rejects with `StoreUnavailableError`. */
  async look(signal: AbortSignal): Promise<void> {
    const { rules, store, metrics, webhooks, logger } = this.options;
    const states = await store.states();
    for (const rule of rules) {
      if (signal.aborted) return;
      try {
        const reading = await this.options.read(rule);
        if (reading === undefined) continue;
        await this.#judge(rule, reading, states.get(rule.name) ?? NO_ALERT);
      } catch (error) {
        metrics.readingFailed(rule.name);
        logger.warn({ err: error, rule: rule.name }, "a rule could not be looked at");
      }
    }
    const waiting = await store.waiting();
    for (const { name } of webhooks) metrics.waiting(name, waiting.get(name) ?? 0);
  }

  async #judge(rule: AlertRule, reading: AlertReading, before: AlertState): Promise<void> {
    const { store, clock, logger, metrics, onMessages } = this.options;
    const nowMs = clock();
    const { state, crossings } = judged(rule, reading, before, nowMs);
    if (JSON.stringify(state) === JSON.stringify(before)) return;
    const deliveries = crossings.flatMap((crossing) => this.#messagesOf(rule, crossing, nowMs));
    await store.record(rule.name, state, deliveries, MAX_WAITING);
    for (const { detail } of crossings) {
      metrics.fired(rule.name);
      logger.warn({ rule: rule.name, kind: rule.kind, detail }, "alert");
    }
    if (deliveries.length > 0) onMessages();
  }

  /** One message, for each webhook that hears of the rule. */
  #messagesOf(rule: AlertRule, { subject, detail }: Crossing, nowMs: number): NewDelivery[] {
    const { name, ...settings } = rule;
    const messageId = `msg_${randomBytes(16).toString("hex")}`;
    const data = { rule: name, ...settings, ...(subject === "" ? {} : { subject }), detail };
    const body = JSON.stringify({ type: "alert.fired", timestamp: new Date(nowMs).toISOString(), data });
    return this.options.webhooks
      .filter(({ rules }) => rules.has(name))
      .map((webhook) => ({ webhook: webhook.name, messageId, rule: name, createdAtMs: nowMs, body }));
  }
}
