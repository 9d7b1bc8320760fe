// SPDX-License-Identifier: Apache-2.0
import type { Logger } from "pino";
import { MINUTE_MS } from "../../domain/rules/time";
import type { LogGauge } from "../../query-api";
import type { Settings } from "../config/schema";
import { runScheduled } from "./scheduled-command";

/**
 * Moves expiring cells to roll-ups, each time in a process of its own, which may be stopped at any moment. `serve` with
 * the embedded log starts it where cells have a retention.
 */
export class TierSchedule {
  private timer: NodeJS.Timeout | undefined;
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  private failed = false;
  /** For /metrics. A service that has just started knows of no failure. */
  readonly gauges: readonly LogGauge[] = [
    {
      name: "viewmill_last_tiering_failed",
      help: "1: the newest scheduled tiering of this service failed; 0: it did not, or there was none",
      value: async () => (this.failed ? 1 : 0),
    },
  ];

  constructor(
    private readonly config: Settings<"counters" | "tier">,
    private readonly configFile: () => string,
    private readonly logger: Logger,
  ) {}

  start(): void {
    if (!this.config.tier.enabled || this.config.counters.kind !== "sqlite") return;
    this.timer = setInterval(() => this.tick(), this.config.tier.everyMinutes * MINUTE_MS);
    this.timer.unref();
  }

  private tick(): void {
    this.running ??= this.run().finally(() => {
      this.running = undefined;
    });
  }

  private async run(): Promise<void> {
    const args = ["tier", "--config", this.configFile(), "--json"];
    const code = await runScheduled(args, this.stopping.signal);
    if (this.stopping.signal.aborted) return;
    this.failed = code !== 0;
    if (this.failed) this.logger.error({ exit: code }, "scheduled tiering failed");
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.stopping.abort();
    await this.running;
  }
}
