// SPDX-License-Identifier: Apache-2.0

import { type ChildProcess, fork } from "node:child_process";
import { randomInt } from "node:crypto";
import type { Logger } from "pino";
import { MINUTE_MS } from "../../domain/rules/time";
import { environment } from "../environment";
import { withReturnedMemory } from "../returned-memory";

interface SupervisedStatus {
  running: boolean;
  restarts: number;
  /** Why the process last ended by itself. */
  lastExit: string | undefined;
}

interface SupervisorOptions {
  name: string;
  modulePath: string;
  args: string[];
  /** Flags of the child's Node. Default none. */
  nodeArgs?: readonly string[];
  logger: Logger;
  onMessage: (message: unknown) => void;
  minBackoffMs?: number;
  maxBackoffMs?: number;
}

/** A run that lasted this long ends the series of crashes for which the backoff grows. */
const HEALTHY_AFTER_MS = MINUTE_MS;
const STOP_DEADLINE_MS = 20_000;
const STDERR_KEPT = 4_000;

/**
 * Keeps one child process running. A crash restarts the process with exponential backoff and jitter, and is logged with
 * the process's last output. `serve` runs its stream process with it.
 */
export class Supervisor {
  private child: ChildProcess | undefined;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  private crashes = 0;
  private startedAt = 0;
  readonly status: SupervisedStatus = { running: false, restarts: 0, lastExit: undefined };

  constructor(private readonly options: SupervisorOptions) {}

  get pid(): number | undefined {
    return this.child?.pid;
  }

  start(): void {
    const { modulePath, args, nodeArgs = [], logger, name, onMessage } = this.options;
    this.startedAt = performance.now();
    const env = withReturnedMemory(environment());
    const execArgv = [...process.execArgv, ...nodeArgs];
    const child = fork(modulePath, args, { stdio: ["ignore", "inherit", "pipe", "ipc"], env, execArgv });
    this.child = child;
    this.status.running = true;
    let lastWords = "";
    child.stderr?.setEncoding("utf8");
    child.stderr?.on("data", (text: string) => {
      lastWords = (lastWords + text).slice(-STDERR_KEPT);
    });
    child.on("message", onMessage);
    child.on("error", (error) => logger.error({ process: name, err: error }, "process error"));
    child.once("close", (code, signal) => {
      this.status.running = false;
      if (this.stopped) return;
      this.status.lastExit = signal ?? `exit ${code}`;
      if (performance.now() - this.startedAt > HEALTHY_AFTER_MS) this.crashes = 0;
      const backoffMs = this.backoff(this.crashes++);
      this.status.restarts++;
      logger.error(
        { process: name, childPid: child.pid, code, signal, backoffMs, stderr: lastWords.trim() },
        `${name} process ended, restarting`,
      );
      this.timer = setTimeout(() => this.start(), backoffMs);
    });
    logger.info({ process: name, childPid: child.pid }, `${name} process started`);
  }

  private backoff(crashes: number): number {
    const { minBackoffMs = 250, maxBackoffMs = 5_000 } = this.options;
    const ceiling = Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.min(crashes, 16));
    return Math.round(ceiling / 2) + randomInt(Math.ceil(ceiling / 2) + 1);
  }

  /** Asks the process to end its work, and kills it after a deadline. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    const child = this.child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      const deadline = setTimeout(() => child.kill("SIGKILL"), STOP_DEADLINE_MS);
      child.once("close", () => {
        clearTimeout(deadline);
        resolve();
      });
      child.kill("SIGTERM");
    });
  }
}
