// SPDX-License-Identifier: Apache-2.0
/** The log of a worker process: lines of JSON that a runner's own log collects. */
import { format } from "node:util";
import pino from "pino";

export type WorkerLog = pino.Logger;

/**
 * Returns a logger of JSON lines with the given fields on standard error. Lines are written at once, because a worker
 * may be killed at any time.
 */
export function workerLog(fields: Record<string, unknown>): WorkerLog {
  return pino({ base: { pid: process.pid, ...fields } }, pino.destination({ dest: 2, sync: true }));
}

/** Turns the SDK's console output in a worker process into lines of the log. */
export function routeConsole(log: WorkerLog): void {
  const line =
    (level: "debug" | "warn" | "error") =>
    (...parts: unknown[]) =>
      log[level](format(...parts));
  const [debug, warn, error] = [line("debug"), line("warn"), line("error")];
  Object.assign(globalThis.console, { log: debug, info: debug, debug, trace: debug, warn, error });
}
