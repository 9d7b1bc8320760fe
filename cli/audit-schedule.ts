import { fork } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "pino";
import type { Archive, Ledger } from "../io/ports";
import type { Config } from "./config-schema";

export interface AuditScheduleOptions {
  config: Config;
  archive: Archive;
  state: Ledger;
  logger: Logger;
  clock: () => number;
  finalAfterMs: number;
}

const MINUTES_AN_HOUR = 60;
const HOUR_MS = 3_600_000;
const STOP_DEADLINE_MS = 10_000;

/** Runs the strong audit in a process of its own, on every whole hour that is past the lateness horizon and not audited since it last changed. */
export class AuditSchedule {
  private timer: NodeJS.Timeout | undefined;
  private stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly options: AuditScheduleOptions) {}

  start(): void {
    if (!this.options.config.audit.enabled) return;
    this.timer = setInterval(() => this.tick(), this.options.config.audit.everyMinutes * 60_000);
    this.timer.unref();
    this.tick();
  }

  private tick(): void {
    this.running = this.running
      .then(() => this.auditDueHours())
      .catch((error: unknown) => this.options.logger.error({ err: error }, "the scheduled audit failed"));
  }

  /** Hours with archived events, past the horizon, with a minute that is not audited; neighbours are audited together. */
  private async dueRanges(): Promise<{ fromMs: number; toMs: number }[]> {
    const { archive, state, clock, finalAfterMs } = this.options;
    const beforeHour = Math.floor((clock() - finalAfterMs) / HOUR_MS);
    const minutes = await archive.minutes(0, beforeHour * MINUTES_AN_HOUR);
    const ranges: { fromMs: number; toMs: number }[] = [];
    for (const hour of new Set(minutes.map((minute) => Math.floor(minute / MINUTES_AN_HOUR)))) {
      const first = hour * MINUTES_AN_HOUR;
      const audited = (await state.auditedCounts(first, first + MINUTES_AN_HOUR, MINUTES_AN_HOUR)).get(first) ?? 0;
      if (audited === MINUTES_AN_HOUR) continue;
      const last = ranges[ranges.length - 1];
      if (last?.toMs === hour * HOUR_MS) last.toMs += HOUR_MS;
      else ranges.push({ fromMs: hour * HOUR_MS, toMs: (hour + 1) * HOUR_MS });
    }
    return ranges;
  }

  private async auditDueHours(): Promise<void> {
    for (const { fromMs, toMs } of await this.dueRanges()) {
      if (this.stopping.signal.aborted) return;
      await this.audit(new Date(fromMs).toISOString(), new Date(toMs).toISOString());
    }
  }

  /** The effective settings, for a process that is given neither flags nor environment. */
  private configFile(): string {
    const { config } = this.options;
    const file = join(config.data, "effective-config.json");
    writeFileSync(file, `${JSON.stringify(config, null, 2)}\n`);
    return file;
  }

  private audit(from: string, to: string): Promise<void> {
    const { config, logger } = this.options;
    const args = [
      "audit",
      "--config",
      this.configFile(),
      "--from",
      from,
      "--to",
      to,
      ...(config.audit.repair ? ["--repair"] : []),
    ];
    return new Promise((resolve) => {
      const child = fork(join(__dirname, "main.js"), args, { stdio: ["ignore", "ignore", "inherit", "ipc"], env: {} });
      const stop = () => {
        child.kill("SIGTERM");
        setTimeout(() => child.kill("SIGKILL"), STOP_DEADLINE_MS).unref();
      };
      this.stopping.signal.addEventListener("abort", stop);
      child.once("close", (code) => {
        this.stopping.signal.removeEventListener("abort", stop);
        const level = code === 0 ? "info" : "error";
        if (!this.stopping.signal.aborted) logger[level]({ from, to, exit: code }, "scheduled audit ended");
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
