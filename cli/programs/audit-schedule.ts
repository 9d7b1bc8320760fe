// SPDX-License-Identifier: Apache-2.0
import { fork } from "node:child_process";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "pino";
import { DAY_MS, MINUTE_MS } from "../../domain/rules/time";
import type { Archive, Ledger, LogProgress } from "../../io/ports";
import type { Config } from "../config/schema";
import { hasPrefix } from "../config/variables";
import { environment } from "../environment";
import { dueHours } from "./due-hours";

interface AuditScheduleOptions {
  config: Config;
  archive: Archive;
  ledger: Ledger;
  progress: LogProgress;
  logger: Logger;
  clock: () => number;
  finalAfterMs: number;
}

const STOP_DEADLINE_MS = 10_000;
/** Among which the last check of totals is looked for after a start. */
const REPORTS_READ = 200;

/**
 * Runs the strong audit in a process of its own, on every whole hour that is past the lateness horizon and not audited
 * since it last changed.
 */
export class AuditSchedule {
  private timer: NodeJS.Timeout | undefined;
  private stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();
  private totalsAtMs: number | undefined;

  constructor(private readonly options: AuditScheduleOptions) {}

  start(): void {
    if (!this.options.config.audit.enabled) return;
    this.timer = setInterval(() => this.tick(), this.options.config.audit.everyMinutes * MINUTE_MS);
    this.timer.unref();
    this.tick();
  }

  private tick(): void {
    this.running = this.running
      .then(() => this.auditDueHours())
      .catch((error: unknown) => this.options.logger.error({ err: error }, "the scheduled audit failed"));
  }

  private async auditDueHours(): Promise<void> {
    const { archive, ledger, progress, clock, finalAfterMs } = this.options;
    const due = await dueHours({ archive, ledger, progress, nowMs: clock(), finalAfterMs, sinceMs: 0 });
    for (const { fromMs, toMs } of due) {
      if (this.stopping.signal.aborted) return;
      await this.audit("--from", new Date(fromMs).toISOString(), "--to", new Date(toMs).toISOString());
    }
    if (!this.stopping.signal.aborted && (await this.totalsAreDue())) await this.audit("--totals");
  }

  /** Totals of videos that no audited range touches are looked at once a day. */
  private async totalsAreDue(): Promise<boolean> {
    const { ledger, clock } = this.options;
    this.totalsAtMs ??= (await ledger.audits(REPORTS_READ)).find(({ totals }) => totals === true)?.startedAtMs;
    if (this.totalsAtMs !== undefined && this.totalsAtMs > clock() - DAY_MS) return false;
    this.totalsAtMs = clock();
    return true;
  }

  private audit(...range: string[]): Promise<void> {
    const { config, logger } = this.options;
    const args = [
      "audit",
      "--config",
      effectiveConfigFile(config),
      ...range,
      ...(config.audit.repair ? ["--repair"] : []),
    ];
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
        const level = code === 0 ? "info" : "error";
        if (!this.stopping.signal.aborted)
          logger[level]({ range: range.join(" "), exit: code }, "scheduled audit ended");
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

/** The effective settings, for a process that is given no flags; whole at any moment, and for this user's eyes only. */
export function effectiveConfigFile(config: Config): string {
  const file = join(config.data, "effective-config.json");
  const fresh = `${file}.new`;
  rmSync(fresh, { force: true });
  writeFileSync(fresh, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  renameSync(fresh, file);
  return file;
}

/**
 * What a process that is given its settings as a file needs beside them: credentials, proxies, authorities, the home
 * folder. Variables that are settings are left out: the file has what they said, and flags have had the last word
 * there.
 */
export function environmentOfChild(env: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !hasPrefix(name)));
}
