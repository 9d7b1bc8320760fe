// SPDX-License-Identifier: Apache-2.0
import type { Logger } from "pino";
import { DAY_MS, MINUTE_MS } from "../../domain/rules/time";
import type { Ledger } from "../../io/ports";
import type { Settings } from "../config/schema";
import { runScheduled } from "./scheduled-command";

interface AuditScheduleOptions {
  config: Settings<"audit">;
  /** Writes the settings for the audit's process, and returns the file. */
  configFile: () => string;
  ledger: Pick<Ledger, "audits">;
  logger: Logger;
  clock: () => number;
}

/** The number of reports among which the last check of totals is looked for after a start. */
const REPORTS_READ = 200;

/**
 * Runs the strong audit in a process of its own, on every whole hour that is past the lateness horizon and not audited
 * since its last change. That process finds the hours, too, which takes seconds of a long history. The service with the
 * embedded log starts and stops it (serve/embedded-counting.ts).
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
    if (!this.stopping.signal.aborted) await this.audit("--due");
    if (!this.stopping.signal.aborted && (await this.totalsAreDue())) await this.audit("--totals");
  }

  /** Returns whether the daily check of totals and roll-ups is due, which covers what no audited range touches. */
  private async totalsAreDue(): Promise<boolean> {
    const { ledger, clock } = this.options;
    this.totalsAtMs ??= (await ledger.audits(REPORTS_READ)).find(({ totals }) => totals === true)?.startedAtMs;
    const nowMs = clock();
    // A check that lies ahead was noted by a clock that has been set back since: it tells nothing.
    const isKnown = this.totalsAtMs !== undefined && this.totalsAtMs <= nowMs;
    if (isKnown && this.totalsAtMs! > nowMs - DAY_MS) return false;
    this.totalsAtMs = nowMs;
    return true;
  }

  private async audit(...range: string[]): Promise<void> {
    const { config, configFile, logger } = this.options;
    const repair = config.audit.repair ? ["--repair"] : [];
    const args = ["audit", "--config", configFile(), ...range, ...repair];
    const code = await runScheduled(args, this.stopping.signal);
    if (this.stopping.signal.aborted) return;
    logger[code === 0 ? "info" : "error"]({ range: range.join(" "), exit: code }, "scheduled audit ended");
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.stopping.abort();
    await this.running;
  }
}
