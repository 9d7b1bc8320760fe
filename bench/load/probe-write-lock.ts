// SPDX-License-Identifier: Apache-2.0
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { COUNTERS_FILE } from "../../io/sqlite/counter-file";
import { defineTask } from "../task";
import { pauseUntil } from "./latencies";

const LOOK_MS = 2;
const SQLITE_BUSY = 5;

/**
 * Asks for the write lock of the counters every 2 ms, and gives it back at once. Answers for how long the lock was
 * taken at most without a commit: the longest transaction, as far as 2 ms and the scheduler let it be seen. The
 * measurement of batch commands beside a service runs it.
 */
export const probeWriteLock = defineTask(
  __filename,
  "probe-write-lock",
  async ({ folder }: { folder: string }, { ready, stopped }) => {
    const file = join(folder, COUNTERS_FILE);
    while (!existsSync(file)) await pauseUntil(performance.now() + LOOK_MS);
    const db = new DatabaseSync(file, { timeout: 0 });
    let over = false;
    stopped.then(() => {
      over = true;
    });
    ready(undefined);
    let seenVersion = versionOf(db);
    let [heldMs, looks, refusedSinceMs, longestLookMs] = [0, 0, Number.NaN, 0];
    while (!over) {
      const lookedMs = performance.now();
      const free = isFree(db);
      const nowMs = performance.now();
      longestLookMs = Math.max(longestLookMs, nowMs - lookedMs);
      looks++;
      // A commit in between: the lock that is taken now is another transaction's.
      const version = versionOf(db);
      if (!Number.isNaN(refusedSinceMs) && (free || version !== seenVersion))
        heldMs = Math.max(heldMs, lookedMs - refusedSinceMs);
      if (free) refusedSinceMs = Number.NaN;
      else if (Number.isNaN(refusedSinceMs) || version !== seenVersion) refusedSinceMs = lookedMs;
      seenVersion = version;
      await pauseUntil(lookedMs + LOOK_MS);
    }
    db.close();
    return { heldMs, looks, longestLookMs };
  },
);

/** Another one after every commit of another connection. */
function versionOf(db: DatabaseSync): number {
  return db.prepare("PRAGMA data_version").get()!.data_version as number;
}

function isFree(db: DatabaseSync): boolean {
  try {
    db.exec("BEGIN IMMEDIATE; ROLLBACK");
    return true;
  } catch (error) {
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return false;
    throw error;
  }
}
