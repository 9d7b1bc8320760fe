// SPDX-License-Identifier: Apache-2.0
/**
 * The servers that `npm run servers -- up` has left running: one file for each holder process, in a folder.
 * `npm run servers` looks there for what it may stop.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./cache";
import type { Running } from "./stack";

/** Not in the cache proper: checkouts may share that, and each has servers of its own. */
export const DEFAULT_STATE_FOLDER = join(ROOT, ".cache", "running");

export interface Holding {
  /** The process that holds the servers, which end with it. */
  pid: number;
  /** When it started, as `ps` says it: another process of the same number is another process. */
  startedAt: string;
  /** False while its servers come up. */
  ready: boolean;
  servers: Running;
}

export class RunningServers {
  constructor(readonly folder: string) {
    mkdirSync(folder, { recursive: true });
  }

  logFileFor(pid: number): string {
    return join(this.folder, `${pid}.log`);
  }

  write(holding: Holding): void {
    const file = join(this.folder, `${holding.pid}.json`);
    writeFileSync(`${file}.tmp`, JSON.stringify(holding, null, 2));
    renameSync(`${file}.tmp`, file);
  }

  forget(pid: number): void {
    for (const name of [`${pid}.json`, `${pid}.log`]) rmSync(join(this.folder, name), { force: true });
  }

  /** Returns the holdings with a running holder, and removes the others, whose servers have ended. */
  holdings(): Holding[] {
    const found: Holding[] = [];
    for (const name of readdirSync(this.folder).filter((each) => each.endsWith(".json"))) {
      const holding = JSON.parse(readFileSync(join(this.folder, name), "utf8")) as Holding;
      if (startOf(holding.pid) === holding.startedAt) found.push(holding);
      else this.forget(holding.pid);
    }
    return found;
  }
}

/** Returns when a process started; undefined when it does not exist, or is a zombie. */
export function startOf(pid: number): string | undefined {
  const { stdout } = spawnSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
  });
  const [state, ...started] = stdout.trim().split(/\s+/);
  return state === undefined || state === "" || state.startsWith("Z") ? undefined : started.join(" ");
}
