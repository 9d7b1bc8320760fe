// SPDX-License-Identifier: Apache-2.0
import { getPriority, setPriority } from "node:os";

/** The nice value of all work that requests do not wait for. Only root may raise a priority that was lowered. */
const BELOW_NORMAL_NICE = 5;

/**
 * Gives a process less of the processor than requests where there is not enough for both: the stream, and the batch
 * work beside it (a check of every total takes a core for as long as it runs). The process must just have been started,
 * because a thread keeps the priority that it began with. `pid`: default this process. A process that has ended
 * already, or a system that refuses, leaves the priority as it is.
 */
export function runBelowRequests(pid: number = process.pid): void {
  try {
    if (getPriority(pid) < BELOW_NORMAL_NICE) setPriority(pid, BELOW_NORMAL_NICE);
  } catch {
    // ESRCH or EACCES.
  }
}
