// SPDX-License-Identifier: Apache-2.0
import { type ChildProcess, fork } from "node:child_process";
import * as path from "node:path";
import type { WorkerLog } from "./worker-log";
import type { WorkerSettings } from "./worker-session";

const workerProgram = path.join(__dirname, "worker-process.js");

interface SiblingHooks {
  readonly log: WorkerLog;
  /** Aborted to end the siblings: each finishes its bundles under way, as on SIGTERM. */
  readonly stop: AbortSignal;
  /** The time after `stop` after which a process is killed. */
  readonly killAfterMs: number;
}

/**
 * Runs the further workers that a runner asks for in the container of one (ProvisionInfo.sibling_worker_ids): a process
 * each, because one event loop uses one core. Resolves when all have ended in order; rejects as soon as one ended
 * otherwise. The siblings end with this process, however it ends. The boot of a container calls it (boot.ts).
 */
export async function runSiblings(siblings: readonly WorkerSettings[], hooks: SiblingHooks): Promise<void> {
  await Promise.all(siblings.map((settings) => runSibling(settings, hooks)));
}

async function runSibling(settings: WorkerSettings, { log, stop, killAfterMs }: SiblingHooks): Promise<void> {
  const { workerId } = settings;
  const child = fork(workerProgram, [], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const exit = exitOf(child);
  log.info({ sibling: workerId, siblingPid: child.pid }, "sibling worker starts");
  // The exit event reports a child that could not be started at all.
  child.send(settings, () => undefined);
  const end = () => {
    child.kill("SIGTERM");
    setTimeout(() => child.kill("SIGKILL"), killAfterMs).unref();
  };
  if (stop.aborted) end();
  else stop.addEventListener("abort", end, { once: true });
  const how = await exit;
  stop.removeEventListener("abort", end);
  if (how !== "0") throw new Error(`sibling worker ${workerId} ended with ${how}: see its log`);
}

function exitOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once("exit", (code, signal) => resolve(signal ?? String(code)));
    child.once("error", reject);
  });
}
