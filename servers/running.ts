/** What `npm run servers -- up` has left running: one file for each holder process, in the checkout's own .cache/running. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./cache";
import type { Running } from "./stack";

/** Not in the cache proper: checkouts may share that, and each has servers of its own. */
const FOLDER = join(ROOT, ".cache", "running");

export interface Holding {
  /** The process that holds the servers; with it they end. */
  pid: number;
  /** When it started, as `ps` says it: another process of the same number is another process. */
  startedAt: string;
  /** False while its servers come up. */
  ready: boolean;
  servers: Running;
  /** What the holder prints. */
  logFile: string;
}

export const logFileFor = (pid: number): string => {
  mkdirSync(FOLDER, { recursive: true });
  return join(FOLDER, `${pid}.log`);
};

const fileOf = (pid: number): string => join(FOLDER, `${pid}.json`);

export function write(holding: Holding): void {
  mkdirSync(FOLDER, { recursive: true });
  const temporary = `${fileOf(holding.pid)}.tmp`;
  writeFileSync(temporary, JSON.stringify(holding, null, 2));
  renameSync(temporary, fileOf(holding.pid));
}

export function forget(pid: number): void {
  for (const name of [`${pid}.json`, `${pid}.log`]) rmSync(join(FOLDER, name), { force: true });
}

/** Those whose holder is alive; what others left is removed, their servers ended with them. */
export function holdings(): Holding[] {
  mkdirSync(FOLDER, { recursive: true });
  const found: Holding[] = [];
  for (const name of readdirSync(FOLDER).filter((each) => each.endsWith(".json"))) {
    const holding = JSON.parse(readFileSync(join(FOLDER, name), "utf8")) as Holding;
    if (startOf(holding.pid) === holding.startedAt) found.push(holding);
    else forget(holding.pid);
  }
  return found;
}

/** When a process started; undefined when there is none. */
export function startOf(pid: number): string | undefined {
  const { stdout } = spawnSync("ps", ["-o", "lstart=", "-p", String(pid)], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
  });
  return stdout.trim() || undefined;
}
