// SPDX-License-Identifier: Apache-2.0
/**
 * Processes and folders that do not outlive this process, however it ends: the keeper process sees to it. Every server
 * process and its folder is kept with it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { killGroup } from "./process-group";

const MAX_KEEPERS = 5;

/** The state of a keeper, which is sent again to the next one should a keeper die. */
const kept = new Set<string>();
let keeper: ChildProcess | undefined;
let keepersStarted = 0;

function startKeeper(): ChildProcess {
  if (++keepersStarted > MAX_KEEPERS) throw new Error(`the keeper of the servers died ${MAX_KEEPERS} times`);
  const child = spawn(process.execPath, [join(__dirname, "keeper-process.js")], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  child.unref();
  (child.stdin as Socket).unref();
  child.stdin?.on("error", () => undefined);
  child.once("exit", () => {
    keeper = undefined;
    if (kept.size > 0) keeper = startKeeper();
  });
  for (const what of kept) child.stdin?.write(`+${what}\n`);
  return child;
}

function tell(line: string): Promise<void> {
  keeper ??= startKeeper();
  const { stdin } = keeper;
  // A keeper that has died is replaced by one that gets everything in `kept`.
  return new Promise((resolve) => stdin?.write(`${line}\n`, () => resolve()));
}

async function keep(what: string): Promise<void> {
  await tell(`+${what}`);
  kept.add(what);
}

async function letGo(what: string): Promise<void> {
  if (kept.delete(what)) await tell(`-${what}`);
}

/** A new empty folder under the system's temporary one. */
export async function keptFolder(name: string): Promise<string> {
  const folder = join(tmpdir(), `viewmill-${name}-${randomBytes(6).toString("hex")}`);
  await keepFolder(folder);
  mkdirSync(folder);
  return folder;
}

/** A folder, there or not yet, that goes away with this process unless it is let go. */
export const keepFolder = (folder: string): Promise<void> => keep(`folder ${folder}`);
export const letGoOfFolder = (folder: string): Promise<void> => letGo(`folder ${folder}`);

export async function removeKeptFolder(folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  await letGoOfFolder(folder);
}

export interface KeptProcess {
  readonly pid: number;
  /** Resolves once the process and all it started are gone. Never rejects. */
  readonly ended: Promise<string>;
  hasEnded(): boolean;
}

/** Starts a command as the leader of a process group of its own; what it prints is appended to `logFile`. */
export async function spawnKept(
  command: string,
  args: readonly string[],
  options: { cwd: string; env: NodeJS.ProcessEnv; logFile: string },
): Promise<KeptProcess> {
  const log = openSync(options.logFile, "a");
  // The shell waits for a line before it becomes the command: an owner killed before the keeper knows of the process
  // leaves none.
  const child = spawn("/bin/sh", ["-c", 'read -r go && exec "$@" </dev/null', "sh", command, ...args], {
    cwd: options.cwd,
    env: options.env,
    detached: true,
    stdio: ["pipe", log, log],
  });
  closeSync(log);
  const { pid } = child;
  if (pid === undefined) return new Promise((_, reject) => child.once("error", reject));
  let over = false;
  const ended = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => {
      over = true;
      killGroup(pid, "SIGKILL");
      void letGo(`pid ${pid}`);
      resolve(signal ?? `exit status ${code}`);
    });
  });
  child.stdin?.on("error", () => undefined);
  await keep(`pid ${pid}`);
  child.stdin?.end("go\n");
  // The owner may end while its servers run: the keeper ends them.
  child.unref();
  return { pid, ended, hasEnded: () => over };
}
