// SPDX-License-Identifier: Apache-2.0
import type { DatabaseSync } from "node:sqlite";
import { BlockReader, bucketOfRow, type Level, rowName } from "./block-tables";
import { RANKS, type RankedLevel, RankWriter } from "./bucket-ranks";
import { checkedEnd, DamagedBlockError } from "./cell-block";

const LEVELS: readonly (RankedLevel & Level)[] = ["minute", "hour", "day"];

/**
 * Builds the ranking index of a file whose blocks were written without one, a time at once, so that memory does not
 * grow with the file. A file that was packed just before has its index already, and the same numbers are written again.
 * Opening an older counters.sqlite runs it (counter-schema.ts).
 */
export function rankBuckets(db: DatabaseSync): void {
  db.exec(RANKS);
  const blocks = new BlockReader(db);
  const ranks = new RankWriter(db, () => 0);
  const types = db
    .prepare("SELECT id FROM types")
    .all()
    .map(({ id }) => Number(id));
  for (const level of LEVELS) {
    for (let time = blocks.nextTime(level, -Infinity, Infinity); time !== undefined; ) {
      for (const [id, bytes] of blocks.rows(level, time)) {
        const length = endOf(level, id, bytes);
        if (length === undefined) ranks.noteUnknown(level, time, bucketOfRow(id), types);
        else ranks.note(level, time, bucketOfRow(id), { bytes, length });
      }
      ranks.flush();
      time = blocks.nextTime(level, time + 1, Infinity);
    }
  }
}

/** Returns undefined where the block is damaged. A reader of its videos gets an error. */
function endOf(level: Level, id: number, bytes: Uint8Array): number | undefined {
  try {
    return checkedEnd(bytes, () => rowName(level, id));
  } catch (error) {
    if (error instanceof DamagedBlockError) return undefined;
    throw error;
  }
}
