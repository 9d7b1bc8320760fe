// SPDX-License-Identifier: Apache-2.0
/**
 * The downloads of the test servers: once a machine, in a folder that git ignores. Every recipe of a server installs
 * into it.
 */
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { waitForLock } from "../io/sqlite/data-folder";
import { keepFolder, keptFolder, letGoOfFolder, removeKeptFolder, spawnKept } from "./kept";
import { logTail } from "./log-tail";
import { killGroup } from "./process-group";

/** The root of the checkout; this file runs from dist/servers. */
export const ROOT = join(__dirname, "..", "..");
const INSTALL_DEADLINE_MS = 20 * 60_000;

export function cacheFolder(): string {
  return process.env.VIEWMILL_CACHE || join(ROOT, ".cache");
}

export interface Recipe {
  /** Also the name of its lock: [a-z-]. */
  name: string;
  version: string;
  /** Everything else on which the result depends, as text. A change of it means another folder. */
  inputs: string;
  /** Fills the folder, which is moved to its place afterwards, so no file in it may contain the folder's path. */
  build(folder: string): Promise<void>;
}

export function installFolder(recipe: Recipe): string {
  const key = createHash("sha256").update(recipe.inputs).digest("hex").slice(0, 8);
  return join(cacheFolder(), `${recipe.name}-${recipe.version}-${key}`);
}

/**
 * Returns the folder of the recipe, and builds it when it is missing. Any number of processes may call at once: one
 * builds, the others wait.
 */
export async function installed(recipe: Recipe): Promise<string> {
  const folder = installFolder(recipe);
  if (existsSync(folder)) return folder;
  return locked(recipe.name, async () => {
    if (existsSync(folder)) return folder;
    const building = `${folder}.${randomBytes(4).toString("hex")}.tmp`;
    await keepFolder(building);
    try {
      mkdirSync(building, { recursive: true });
      await recipe.build(building);
      renameSync(building, folder);
      await letGoOfFolder(building);
    } catch (error) {
      await removeKeptFolder(building);
      throw error;
    }
    return folder;
  });
}

/** Runs `work` while no other process does so under this name. The lock ends with its holder, kill -9 included. */
export async function locked<T>(name: string, work: () => Promise<T>): Promise<T> {
  const folder = join(cacheFolder(), "locks");
  mkdirSync(folder, { recursive: true });
  const lock = await waitForLock(folder, name, { deadlineMs: INSTALL_DEADLINE_MS });
  try {
    return await work();
  } finally {
    lock.release();
  }
}

/** Runs a tool to its end; rejects with the last of what it printed when it fails or takes too long. */
export async function runTool(
  command: string,
  args: readonly string[],
  options: { cwd: string; env?: Readonly<Record<string, string>>; deadlineMs?: number },
): Promise<void> {
  const logFolder = await keptFolder("tool");
  const logFile = join(logFolder, "log");
  try {
    const running = await spawnKept(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      logFile,
    });
    const timer = setTimeout(() => killGroup(running.pid, "SIGKILL"), options.deadlineMs ?? INSTALL_DEADLINE_MS);
    const end = await running.ended;
    clearTimeout(timer);
    if (end !== "exit status 0") throw new Error(`${command} ${args.join(" ")}: ${end}\n${logTail(logFile)}`);
  } finally {
    await removeKeptFolder(logFolder);
  }
}
