// SPDX-License-Identifier: Apache-2.0
/** What the log keeps of old minutes, deleted by a process beside the one that appends. `viewmill tier` calls it. */
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { inTransaction, openDatabase } from "./connection";
import { LOG_FILE, LOG_SCHEMA } from "./log-schema";

/** An append waits for one piece at most: some milliseconds. */
const MINUTES_A_PIECE = 1_000;

/** Forgets how many events were accepted of minutes before this one. Rejects with `StoreUnavailableError`. */
export async function expireAccepted(folder: string, beforeMinute: number): Promise<void> {
  const db = openDatabase(join(folder, LOG_FILE), LOG_SCHEMA, { cacheBytes: 1 << 20 });
  try {
    const forget = db.prepare(
      `DELETE FROM accepted WHERE minute IN (SELECT minute FROM accepted WHERE minute < ? ORDER BY minute LIMIT ${MINUTES_A_PIECE})`,
    );
    for (;;) {
      const { changes } = inTransaction(db, () => forget.run(beforeMinute));
      if (Number(changes) < MINUTES_A_PIECE) return;
      await nextTurn();
    }
  } finally {
    db.close();
  }
}
