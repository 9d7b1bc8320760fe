// SPDX-License-Identifier: Apache-2.0
import { readdirSync } from "node:fs";
import { getPriority, setPriority } from "node:os";

/**
 * The nice value of all work that requests do not wait for: beside a thread that takes all it can get, a tenth of a
 * processor. Only root may raise a priority that was lowered.
 */
const BELOW_NORMAL_NICE = 10;

/**
 * Gives a process less of the processor than requests where there is not enough for both: the stream, and the batch
 * work beside it (a check of every total takes a core for as long as it runs). `pid`: default this process. A process
 * that has ended already, or a system that refuses, leaves the priority as it is.
 */
export function runBelowRequests(pid: number = process.pid): void {
  lower(pid);
  // A priority is one thread's, and that of the threads that it starts later. The threads with which V8 collects
  // garbage are older than the first line of a program.
  for (const thread of threadsOf(pid)) lower(thread);
}

function lower(thread: number): void {
  try {
    if (getPriority(thread) < BELOW_NORMAL_NICE) setPriority(thread, BELOW_NORMAL_NICE);
  } catch {
    // ESRCH or EACCES.
  }
}

function threadsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number);
  } catch {
    // No /proc on this system, or the process has ended.
    return [];
  }
}
