// SPDX-License-Identifier: Apache-2.0
/**
 * Completes the indexes of tables that a program without indexes has written. Every writer must be a program with
 * indexes by then. Rows that are written meanwhile are indexed by their writers, so one look at each row is enough; a
 * process that is stopped begins anew.
 */
import { isBaseHour } from "./base-cells";
import { storedCells } from "./cells";
import type { BigtableConnection } from "./connection";
import { completeOnes, markComplete } from "./index-marks";
import { isRanked, rankRows } from "./rank-rows";
import type { RowMutation } from "./requests";
import { DAY_FAMILY, HOUR_FAMILY, MONTH_FAMILY, SALTS, saltRange, videoOfSummaryRow } from "./row-keys";
import { mutateRows, pages, type RowFilter } from "./rows";
import type { SeenVideos } from "./seen-videos";

const VIDEOS_AT_ONCE = 1_000;
const ENTRIES_AT_ONCE = 10_000;
const RANKED: RowFilter = { familyNameRegexFilter: `${HOUR_FAMILY}|${DAY_FAMILY}|${MONTH_FAMILY}` };

/**
 * Resolves with whether an index was not complete; `anew`: builds the indexes whether they are complete or not. Rejects
 * with `StoreUnavailableError`.
 */
export async function completeIndexes(
  connection: BigtableConnection,
  seen: SeenVideos,
  { anew = false } = {},
): Promise<boolean> {
  const complete = await completeOnes(connection);
  if (!anew && complete.has("seen") && complete.has("ranks")) return false;
  for (let salt = 0; salt < SALTS; salt++) await indexSalt(connection, seen, salt);
  await markComplete(connection, ["seen", "ranks"]);
  return true;
}

/** Videos that are listed already are listed again, which a reader of the list expects. */
async function indexSalt(connection: BigtableConnection, seen: SeenVideos, salt: number): Promise<void> {
  const { summaries } = connection.tables;
  let videos: string[] = [];
  let entries: RowMutation[] = [];
  const write = async () => {
    await Promise.all([seen.append(videos), mutateRows(connection, summaries, entries)]);
    videos = [];
    entries = [];
  };
  for await (const { key, cells } of pages(connection, summaries, saltRange(salt), RANKED)) {
    const videoId = videoOfSummaryRow(key);
    videos.push(videoId);
    for (const { family, qualifier, cell } of storedCells(cells)) {
      if (!isRanked(family) || (family === HOUR_FAMILY && isBaseHour(qualifier))) continue;
      const move = { family, name: qualifier, countBefore: 0, count: cell.count };
      entries.push(...rankRows(videoId, [move]).entries);
    }
    if (videos.length >= VIDEOS_AT_ONCE || entries.length >= ENTRIES_AT_ONCE) await write();
  }
  await write();
}
