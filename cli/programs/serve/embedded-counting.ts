// SPDX-License-Identifier: Apache-2.0
import { join } from "node:path";
import type { Logger } from "pino";
import type { Ledger, Stamp } from "../../../io/ports";
import { SqliteEventLog } from "../../../io/sqlite/event-log";
import { SqliteLedger } from "../../../io/sqlite/ledger";
import type { LogGauge, Readiness } from "../../../query-api";
import type { Settings } from "../../config/schema";
import { streamIdentity } from "../../deployment/stream-identity";
import { AuditSchedule } from "../audit-schedule";
import { embeddedGauges } from "../log-gauges";
import type { StreamProcessSettings, StreamReport } from "../stream-process";
import { Supervisor } from "../supervisor";
import { TierSchedule } from "../tier-schedule";
import type { LogSide } from "./log-side";

/** The time without a finished pass, while the log has entries, after which the stream is reported as not ready. */
const STALLED_AFTER_MS = 30_000;

interface Options {
  config: StreamProcessSettings["config"] & Settings<"audit">;
  configFile: () => string;
  logger: Logger;
  ledger: Ledger;
}

/**
 * V8's flags for the stream. With V8's own bound the young generations of its two threads grow to 108 MB within four
 * minutes of 5,000 events/s; with 8 MiB an event costs as much. V8 collects a heap whole when it and the buffers
 * outside of it have grown by 8 MB, which the tables of open panes do within a second at 20,000 events/s. With a growth
 * of 200 % it does so every eight seconds, and the process takes some 15 MiB more at its peak.
 */
const STREAM_NODE_ARGS = ["--max-semi-space-size=8", "--heap-growing-percent=200"];

/**
 * The embedded log with the stream that counts it in a process of its own, and with scheduled audits. `serve` opens it
 * where the log is the embedded one; shared-log.ts stands in its place on a cluster.
 */
export class EmbeddedCounting implements LogSide {
  readonly gauges: readonly LogGauge[];
  readonly checks: readonly [] = [];
  private readonly stream: Supervisor;
  private readonly audits: AuditSchedule;
  private readonly tiering: TierSchedule;
  /**
   * The last finished pass, and the number of the stream's restarts at that time. A process that fails at the same step
   * after every start finishes none.
   */
  private passed = { at: performance.now(), restarts: 0 };
  /** Why the stream cannot finish a pass now, where it waits for a store. */
  private waitsFor: string | undefined;

  static async open(options: Options): Promise<EmbeddedCounting> {
    const { data, log } = options.config;
    return new EmbeddedCounting(
      options,
      await SqliteEventLog.open({ folder: data, maxBacklogBytes: log.maxBacklogBytes }),
      new SqliteLedger({ folder: data }),
    );
  }

  private constructor(
    { config, configFile, logger, ledger }: Options,
    readonly log: SqliteEventLog,
    private readonly checkpoints: SqliteLedger,
  ) {
    const settings: StreamProcessSettings = { config, identity: streamIdentity(config) };
    this.stream = new Supervisor({
      name: "stream",
      modulePath: join(__dirname, "..", "stream-process.js"),
      args: [JSON.stringify(settings)],
      nodeArgs: STREAM_NODE_ARGS,
      logger,
      onMessage: (message) => this.onReport(message as StreamReport, logger),
    });
    this.audits = new AuditSchedule({
      config,
      configFile,
      ledger,
      logger,
      clock: Date.now,
    });
    this.tiering = new TierSchedule(config, configFile, logger);
    this.gauges = [...embeddedGauges(log, checkpoints, Date.now), ...this.tiering.gauges];
  }

  recentStamps(): Promise<readonly Stamp[]> {
    return this.log.recentStamps(Date.now());
  }

  /**
   * Starts the stream's process, which opens the same stores and counts what the log has (stream-process.ts). Where the
   * process ends, the supervisor starts it again.
   */
  begin(): void {
    this.stream.start();
    this.audits.start();
    this.tiering.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.stream.stop(), this.audits.stop(), this.tiering.stop()]);
    await Promise.all([this.log.close(), this.checkpoints.close()]);
  }

  /**
   * Resolves with the state of the stream: it is well where its process runs and finishes passes, or nothing waits in
   * the log. A process that was started counts as running until it ends or reports that it waits.
   */
  async readiness(): Promise<Readiness[]> {
    const next = await this.log.firstAfter(await this.checkpoints.countedThrough());
    const { running, restarts, lastExit } = this.stream.status;
    const waiting = next !== undefined;
    const failing = waiting && restarts > this.passed.restarts;
    const stalled =
      waiting &&
      performance.now() - this.passed.at > STALLED_AFTER_MS &&
      Date.now() - next.appendedAtMs > STALLED_AFTER_MS;
    const detail = [
      running ? "running" : "restarting",
      `${restarts} restarts`,
      ...(lastExit === undefined ? [] : [`last exit: ${lastExit}`]),
      ...(failing ? ["no pass finished since"] : []),
      ...(stalled ? ["no pass finished lately"] : []),
      ...(this.waitsFor === undefined ? [] : [`waits: ${this.waitsFor}`]),
    ].join(", ");
    return [
      { name: "stream", required: true, ok: running && !stalled && !failing && this.waitsFor === undefined, detail },
    ];
  }

  private onReport(report: StreamReport, logger: Logger): void {
    if (report.kind === "waiting") {
      this.waitsFor = report.reason;
      logger.warn(report, "the stream waits for a store");
      return;
    }
    this.waitsFor = undefined;
    if (report.kind === "pass") {
      this.passed = { at: performance.now(), restarts: this.stream.status.restarts };
      logger.debug(report, "pass");
    }
    this.log
      .trim(report.position)
      .catch((error: unknown) => logger.warn({ err: error }, "the log could not be trimmed"));
  }
}
