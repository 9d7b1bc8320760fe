// SPDX-License-Identifier: Apache-2.0
/**
 * Commands that the service runs on a schedule (audits, tiering), each as a process with the settings of the service.
 */
import { fork } from "node:child_process";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/schema";
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

/**
 * Writes the effective settings for a process without flags. The file is complete at any moment, and readable for this
 * user only.
 */
export function effectiveConfigFile(config: Config): string {
  const file = join(config.data, "effective-config.json");
  const fresh = `${file}.new`;
  rmSync(fresh, { force: true });
  writeFileSync(fresh, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  renameSync(fresh, file);
  return file;
}
