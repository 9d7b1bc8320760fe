// SPDX-License-Identifier: Apache-2.0
import { Counter, Gauge, type Registry } from "prom-client";
import type { DeliveryState } from "../../../io/ports/alert-store";

/** The Prometheus series of alerts: service-alerts.ts counts rules, and webhook-lane.ts attempts. */
export class AlertMetrics {
  readonly #fired: Counter<"rule">;
  readonly #failed: Counter<"rule">;
  readonly #attempts: Counter<"webhook" | "outcome">;
  readonly #waiting: Gauge<"webhook">;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#fired = new Counter({
      name: "viewmill_alerts_fired_total",
      help: "Alerts that fired, by rule",
      labelNames: ["rule"],
      registers,
    });
    this.#failed = new Counter({
      name: "viewmill_alert_readings_failed_total",
      help: "Looks of a rule that could not read what it looks at",
      labelNames: ["rule"],
      registers,
    });
    this.#attempts = new Counter({
      name: "viewmill_webhook_attempts_total",
      help: "Attempts to deliver a message, by webhook and by what the message is afterwards: delivered, waiting or dead",
      labelNames: ["webhook", "outcome"],
      registers,
    });
    this.#waiting = new Gauge({
      name: "viewmill_webhook_waiting",
      help: "Messages that wait for their delivery, by webhook",
      labelNames: ["webhook"],
      registers,
    });
  }

  fired(rule: string): void {
    this.#fired.inc({ rule });
  }

  readingFailed(rule: string): void {
    this.#failed.inc({ rule });
  }

  attempted(webhook: string, outcome: DeliveryState): void {
    this.#attempts.inc({ webhook, outcome });
  }

  waiting(webhook: string, messages: number): void {
    this.#waiting.set({ webhook }, messages);
  }
}
