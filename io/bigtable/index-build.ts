// SPDX-License-Identifier: Apache-2.0
/**
 * Completes the indexes of tables that a program without indexes has written. Every writer must be a program with
 * indexes by then. Rows that are written meanwhile are indexed by their writers, so one look at each row is enough; a
 * process that is stopped begins anew.
 */
import type { BigtableConnection } from "./connection";
import { completeOnes, markComplete } from "./index-marks";
import { SALTS, saltRange, videoOfSummaryRow } from "./row-keys";
import { pages, type RowFilter } from "./rows";
import type { SeenVideos } from "./seen-videos";

const VIDEOS_AT_ONCE = 1_000;
const KEYS_ALONE: RowFilter = {
  chain: { filters: [{ cellsPerRowLimitFilter: 1 }, { stripValueTransformer: true }] },
};

/** Resolves with whether an index was not complete. Rejects with `StoreUnavailableError`. */
export async function completeIndexes(connection: BigtableConnection, seen: SeenVideos): Promise<boolean> {
  const complete = await completeOnes(connection);
  if (complete.has("seen")) return false;
  await listVideos(connection, seen);
  await markComplete(connection, ["seen"]);
  return true;
}

async function listVideos(connection: BigtableConnection, seen: SeenVideos): Promise<void> {
  let found: string[] = [];
  for (let salt = 0; salt < SALTS; salt++) {
    for await (const { key } of pages(connection, connection.tables.summaries, saltRange(salt), KEYS_ALONE)) {
      found.push(videoOfSummaryRow(key));
      if (found.length < VIDEOS_AT_ONCE) continue;
      await seen.append(found);
      found = [];
    }
  }
  await seen.append(found);
}
