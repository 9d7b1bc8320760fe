// SPDX-License-Identifier: Apache-2.0
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { DAY_MS, HOUR_MS } from "../../../domain/rules/time";
import type { AlertStore } from "../../../io/ports/alert-store";
import { AllowedAddresses } from "../../../io/webhooks/addresses";
import { sendMessage } from "../../../io/webhooks/send";
import { webhookSecret } from "../../../io/webhooks/signature";
import type { AlertSettings, WebhookSettings } from "../../config/alert-settings";
import { readSecret } from "../../config/secret-file";
import { AlertMetrics } from "./alert-metrics";
import { Alerts } from "./alerts";
import { type ReadingSources, readingFor } from "./readings";
import { WebhookLane } from "./webhook-lane";

const FIRST_PAUSE_MS = 2_000;
const MAX_PAUSE_MS = HOUR_MS;

interface ServiceAlertsOptions {
  settings: AlertSettings;
  store: AlertStore;
  sources: ReadingSources;
  logger: Logger;
  registry: Registry;
  /** In [0, 1); default Math.random. */
  random?: () => number;
}

/**
 * The alerts of a service: rules are looked at every few seconds, and each webhook has a lane of its own. `serve`
 * starts it where the configuration has rules.
 */
export class ServiceAlerts {
  readonly #stopping = new AbortController();
  readonly #lanes: readonly WebhookLane[];
  readonly #alerts: Alerts;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  /** Throws SecretFileError, WebhookSecretError. */
  constructor(private readonly options: ServiceAlertsOptions) {
    const { settings, store, sources, logger } = options;
    const metrics = new AlertMetrics(options.registry);
    const addresses = new AllowedAddresses(settings.privateNetworks);
    this.#lanes = settings.webhooks.map((webhook) => this.#laneOf(webhook, addresses, metrics));
    const all = settings.rules.map(({ name }) => name);
    this.#alerts = new Alerts({
      rules: settings.rules,
      webhooks: settings.webhooks.map(({ name, rules }) => ({ name, rules: new Set(rules.length > 0 ? rules : all) })),
      store,
      read: (rule) => readingFor(rule, sources),
      clock: sources.clock,
      logger,
      metrics,
      onMessages: () => {
        for (const lane of this.#lanes) lane.look();
      },
    });
  }

  #laneOf(
    { name, url, secretFile, timeoutSeconds, maxConcurrent }: WebhookSettings,
    addresses: AllowedAddresses,
    metrics: AlertMetrics,
  ): WebhookLane {
    const { settings, store, logger, sources, random = Math.random } = this.options;
    const setting = `alerts.webhooks: ${name}: secretFile`;
    const secret = webhookSecret(readSecret(secretFile, setting), setting);
    const receiver = { url, secret, timeoutMs: timeoutSeconds * 1000 };
    const deadAfterMs = settings.deadAfterHours * HOUR_MS;
    return new WebhookLane({
      name,
      store,
      send: (message, signal) => sendMessage(receiver, message, { addresses, nowMs: sources.clock(), signal }),
      maxConcurrent,
      bounds: { firstPauseMs: FIRST_PAUSE_MS, maxPauseMs: MAX_PAUSE_MS, deadAfterMs },
      clock: sources.clock,
      random,
      logger,
      metrics,
    });
  }

  /** Rejects with `StoreUnavailableError`. */
  async begin(): Promise<void> {
    const { settings, store } = this.options;
    await store.keepRules(settings.rules.map(({ name }) => name));
    for (const lane of this.#lanes) lane.start();
    this.#timer = setInterval(() => this.#look(), settings.everySeconds * 1000);
    this.#look();
  }

  /** No look begins before the one before has ended. */
  #look(): void {
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = undefined;
    });
  }

  async #lookOnce(): Promise<void> {
    const { settings, store, sources, logger } = this.options;
    try {
      await this.#alerts.look(this.#stopping.signal);
      await store.prune(sources.clock() - settings.keptDays * DAY_MS);
    } catch (error) {
      logger.error({ err: error }, "alerts cannot be looked at");
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopping.abort();
    await this.#looking;
    await Promise.all(this.#lanes.map((lane) => lane.stop()));
  }
}
