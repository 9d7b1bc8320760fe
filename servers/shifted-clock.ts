// SPDX-License-Identifier: Apache-2.0
/**
 * Preloaded by processes that use a `ProcessClock` (NODE_OPTIONS=--require): their clock is ahead of the machine's by
 * the milliseconds in a file, and jumps when the file changes. Timers, which count from a process's start, are
 * unchanged. Processes of Node get it from ProcessClock.
 */
import { readFileSync } from "node:fs";
import { CLOCK_FILE_VARIABLE } from "./process-clock";

const POLL_MS = 50;

const file = process.env[CLOCK_FILE_VARIABLE];
if (file !== undefined) shiftBy(file);

function shiftBy(clockFile: string): void {
  const realNow = Date.now.bind(Date);
  let aheadMs = readAhead(clockFile);
  setInterval(() => {
    aheadMs = readAhead(clockFile);
  }, POLL_MS).unref();
  const now = () => realNow() + aheadMs;
  Date.now = now;
  globalThis.Date = new Proxy(Date, {
    construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
  });
}

function readAhead(clockFile: string): number {
  const ahead = Number(readFileSync(clockFile, "utf8"));
  return Number.isSafeInteger(ahead) ? ahead : 0;
}
