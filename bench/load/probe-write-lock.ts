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
 * taken at most: the longest row of refusals. Transactions that follow each other within 2 ms look like one, so that
 * the answer is never below the longest transaction.
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
    let [heldMs, looks, refusedSinceMs, longestLookMs] = [0, 0, Number.NaN, 0];
    while (!over) {
      const lookedMs = performance.now();
      const free = isFree(db);
      const nowMs = performance.now();
      longestLookMs = Math.max(longestLookMs, nowMs - lookedMs);
      looks++;
      if (!free) {
        if (Number.isNaN(refusedSinceMs)) refusedSinceMs = lookedMs;
      } else if (!Number.isNaN(refusedSinceMs)) {
        heldMs = Math.max(heldMs, lookedMs - refusedSinceMs);
        refusedSinceMs = Number.NaN;
      }
      await pauseUntil(lookedMs + LOOK_MS);
    }
    db.close();
    return { heldMs, looks, longestLookMs };
  },
);

function isFree(db: DatabaseSync): boolean {
  try {
    db.exec("BEGIN IMMEDIATE; ROLLBACK");
    return true;
  } catch (error) {
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return false;
    throw error;
  }
}
