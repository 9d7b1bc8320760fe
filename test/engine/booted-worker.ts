// SPDX-License-Identifier: Apache-2.0
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { BootSettings } from "../../engine/boot";
import { bootVariable } from "../../engine/boot";
import { BARE_ENVIRONMENT } from "../bare-environment";
import { until } from "../servers/processes";

const WORKER_BOOT = join(__dirname, "..", "..", "cli", "programs", "worker-boot.js");

export interface LogLine {
  level: number;
  msg: string;
  pid?: number;
  workerId?: string;
}

/** A worker booted by the container contract, in a process of its own: what it printed, and how it ended. */
export class BootedWorker {
  readonly lines: string[] = [];
  readonly log: LogLine[] = [];
  /** Exit code, or the signal that ended it. */
  end: string | undefined;
  private readonly child: ChildProcess;

  /** `command`: what stands before the flags; default this checkout's boot program. */
  constructor(
    flags: readonly string[],
    settings: BootSettings = {},
    [command, ...args]: readonly [string, ...string[]] = [process.execPath, WORKER_BOOT],
  ) {
    const env = { ...BARE_ENVIRONMENT, [bootVariable]: JSON.stringify(settings) };
    this.child = spawn(command, [...args, ...flags], { env, stdio: ["ignore", "pipe", "pipe"] });
    createInterface({ input: this.child.stdout! }).on("line", (line) => this.lines.push(line));
    createInterface({ input: this.child.stderr! }).on("line", (line) => this.log.push(asLog(line)));
    // "close" comes once the output is read to its end, that of children of the child included.
    this.child.on("close", (code, signal) => {
      this.end = signal ?? String(code);
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** The exit code, or the signal. */
  async ended(deadlineMs: number): Promise<string> {
    await until(`the worker's end; it logged ${JSON.stringify(this.log)}`, () => this.end !== undefined, deadlineMs);
    return this.end!;
  }

  /** Returns the messages logged at this level (pino's numbers) and above. */
  atLeast(level: number): string[] {
    return this.log.filter((line) => line.level >= level).map(({ msg }) => msg);
  }
}

function asLog(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return { level: 60, msg: line };
  }
}
