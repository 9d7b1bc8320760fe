// SPDX-License-Identifier: Apache-2.0
import type { DatabaseSync } from "node:sqlite";
import { setImmediate as nextTurn } from "node:timers/promises";

/** Some milliseconds. */
const PAGES_A_PIECE = 1_000;

/**
 * Free pages of a file that shrinks (`Schema.shrinks`) go back to the disk, a few at a time. Whatever deletes much
 * calls it: tiering, and the expiry of dead letters.
 */
export async function giveBack(db: DatabaseSync): Promise<void> {
  const free = () => Number(Object.values(db.prepare("PRAGMA freelist_count").get() ?? {})[0]);
  for (let left = free(); left > 0; ) {
    db.exec(`PRAGMA incremental_vacuum(${PAGES_A_PIECE})`);
    const now = free();
    if (now >= left) return;
    left = now;
    await nextTurn();
  }
}
