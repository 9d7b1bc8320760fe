// SPDX-License-Identifier: Apache-2.0
/**
 * Commands that the service runs on a schedule (audits, tiering), each as a process with the settings of the service.
 */
import { fork } from "node:child_process";
import { join } from "node:path";
import { environment } from "../environment";
import { runBelowRequests } from "./below-requests";
import { environmentOfChild } from "./child-environment";

const STOP_DEADLINE_MS = 10_000;

/**
 * Runs a command of this program in a process of its own, below the priority of requests. `stop` may end it at any
 * moment. Resolves with its exit code, null after a signal.
 */
export function runScheduled(args: readonly string[], stop: AbortSignal): Promise<number | null> {
  return new Promise((resolve) => {
    const child = fork(join(__dirname, "..", "main.js"), args, {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      env: environmentOfChild(environment()),
    });
    if (child.pid !== undefined) runBelowRequests(child.pid);
    const end = () => {
      child.kill("SIGTERM");
      setTimeout(() => child.kill("SIGKILL"), STOP_DEADLINE_MS).unref();
    };
    stop.addEventListener("abort", end);
    child.once("close", (code) => {
      stop.removeEventListener("abort", end);
      resolve(code);
    });
  });
}
