// SPDX-License-Identifier: Apache-2.0
/**
 * The data folder of an embedded deployment. `serve` creates, checks and locks it (`openDataFolder`). Commands create
 * it (`prepareDataFolder`) or require it (`requireDataFolder`) without that lock. A lock is an exclusive transaction on
 * a small SQLite file: the kernel ends it with the process, kill -9 included, so a stale lock cannot exist. (Never open
 * such a file other than through SQLite: closing it would end the process's locks.)
 */
import { accessSync, closeSync, constants, openSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { makeFolder } from "../flow/make-folder";

/** One line that says what is wrong with the folder and how to remedy it. */
class DataFolderError extends Error {
  override readonly name = "DataFolderError";

  constructor(
    message: string,
    /**
     * `locked`: another process uses the folder. `unusable`: the folder cannot be created or written. `missing`: the
     * folder was to be read, and does not exist.
     */
    readonly reason: "locked" | "unusable" | "missing",
    cause?: unknown,
  ) {
    super(message, { cause });
  }
}

/** A held lock, released by `release`, and by the kernel however the process ends. */
export interface FolderLock {
  readonly name: string;
  release(): void;
}

const SQLITE_BUSY = 5;
/** How often a waiting process tries again: the kernel does not notify it when a lock is freed. */
const RETRY_MS = 50;

/** Creates the folder when missing and proves that it can be written. Throws `DataFolderError`. */
export function prepareDataFolder(folder: string): void {
  try {
    makeFolder(folder);
    const probe = join(folder, `.write-check-${process.pid}`);
    closeSync(openSync(probe, "w"));
    rmSync(probe);
  } catch (error) {
    throw unusable(folder, error);
  }
}

/**
 * Checks the folder for commands that only read. A missing folder counts as a mistyped name. An unreadable one is
 * refused, because the service's address is in it. Throws `DataFolderError`.
 */
export function requireDataFolder(folder: string): void {
  try {
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) {
      accessSync(folder, constants.R_OK | constants.X_OK);
      return;
    }
  } catch (error) {
    throw new DataFolderError(`The data folder ${folder} may not be read: permission denied.`, "unusable", error);
  }
  throw new DataFolderError(`The data folder ${folder} does not exist: name an existing one with --data.`, "missing");
}

/**
 * Waits until the lock is free, at most `deadlineMs` from now. Rejects with `DataFolderError` (`locked`) when that time
 * is over, and with the signal's reason when it is aborted.
 */
export async function waitForLock(
  folder: string,
  name: string,
  options: { deadlineMs: number; signal?: AbortSignal },
): Promise<FolderLock> {
  const endsAtMs = performance.now() + options.deadlineMs;
  for (;;) {
    options.signal?.throwIfAborted();
    const lock = tryLock(folder, name);
    if (lock !== undefined) return lock;
    if (performance.now() >= endsAtMs) throw locked(folder, name);
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** Runs `prepareDataFolder`, then takes the service's lock. Throws `DataFolderError`. */
export function openDataFolder(folder: string): FolderLock {
  prepareDataFolder(folder);
  const lock = tryLock(folder, "service");
  if (lock === undefined) throw locked(folder, "service");
  return lock;
}

function tryLock(folder: string, name: string): FolderLock | undefined {
  if (!/^[a-z][a-z0-9-]{0,31}$/.test(name)) throw new RangeError(`"${name}" is not a name of a lock`);
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(join(folder, `${name}.lock.sqlite`), { timeout: 0 });
    db.exec("BEGIN EXCLUSIVE");
    return heldBy(db, name);
  } catch (error) {
    db?.close();
    if (error instanceof Error && "errcode" in error && Number(error.errcode) % 256 === SQLITE_BUSY) return undefined;
    throw unusable(folder, error);
  }
}

/** Keeps the connections of held locks reachable: a garbage-collected connection would free its lock. */
const HELD = new Set<DatabaseSync>();

function heldBy(db: DatabaseSync, name: string): FolderLock {
  HELD.add(db);
  return {
    name,
    release: () => {
      if (HELD.delete(db)) db.close();
    },
  };
}

function locked(folder: string, name: string): DataFolderError {
  const what = name === "service" ? "another Viewmill service" : `another process (lock "${name}")`;
  return new DataFolderError(
    `The data folder ${folder} is in use by ${what}: stop it, or choose another folder with --data.`,
    "locked",
  );
}

function unusable(folder: string, error: unknown): DataFolderError {
  const why = error instanceof Error ? error.message : String(error);
  return new DataFolderError(`The data folder ${folder} cannot be written: ${why}.`, "unusable", error);
}
