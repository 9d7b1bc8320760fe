// SPDX-License-Identifier: Apache-2.0
import { fork } from "node:child_process";
import { join } from "node:path";
import type { Logger } from "pino";
import { MINUTE_MS } from "../../domain/rules/time";
import type { Config } from "../config/schema";
import { environment } from "../environment";
import { effectiveConfigFile, environmentOfChild } from "./audit-schedule";

const STOP_DEADLINE_MS = 10_000;

/** Moves expiring cells to roll-ups, each time in a process of its own, which may be stopped at any moment. */
export class TierSchedule {
  private timer: NodeJS.Timeout | undefined;
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;

  constructor(
    private readonly config: Config,
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

  private run(): Promise<void> {
    const args = ["tier", "--config", effectiveConfigFile(this.config), "--json"];
    return new Promise((resolve) => {
      const child = fork(join(__dirname, "..", "main.js"), args, {
        stdio: ["ignore", "ignore", "inherit", "ipc"],
        env: environmentOfChild(environment()),
      });
      const stop = () => {
        child.kill("SIGTERM");
        setTimeout(() => child.kill("SIGKILL"), STOP_DEADLINE_MS).unref();
      };
      this.stopping.signal.addEventListener("abort", stop);
      child.once("close", (code) => {
        this.stopping.signal.removeEventListener("abort", stop);
        if (code !== 0 && !this.stopping.signal.aborted) this.logger.error({ exit: code }, "scheduled tiering failed");
        resolve();
      });
    });
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.stopping.abort();
    await this.running;
  }
}
