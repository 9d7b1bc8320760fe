// SPDX-License-Identifier: Apache-2.0
/**
 * The content of an open hour: the sums of its minutes, for the buckets that have no row of the hour yet
 * (hour-folds.ts). Readers, rankings and the fold of an hour add up with it.
 */
import { MINUTE_MS, MINUTES_AN_HOUR } from "../../domain/rules/time";
import { type BlockReader, BlockTables, BUCKETS, bucketOfRow, rowName, timeOf } from "./block-tables";
import { Block, decodeBlock } from "./cell-block";

const scratch = new Block();

/** Adds the minutes of an hour's bucket (or of some of its videos) to `into`. */
export function sumOfMinutes(
  reader: BlockReader,
  hour: number,
  bucket: number,
  into: Block,
  insides?: ReadonlySet<number>,
): void {
  const first = hour * MINUTES_AN_HOUR;
  if (reader instanceof BlockTables) {
    for (let n = 0; n < MINUTES_AN_HOUR; n++) {
      const block = reader.look("minute", first + n, bucket, scratch);
      if (block !== undefined) into.add(block, n * MINUTE_MS, insides);
    }
    return;
  }
  for (const [id, bytes] of reader.run("minute", first, first + MINUTES_AN_HOUR, bucket)) {
    const block = decodeBlock(bytes, scratch, () => rowName("minute", id));
    into.add(block, (timeOf(id) - first) * MINUTE_MS, insides);
  }
}

/** Returns the first bucket from `fromBucket` on that has a row of a minute of the hour. */
export function firstUnfolded(reader: BlockReader, hour: number, fromBucket: number): number | undefined {
  let first: number | undefined;
  const minute = hour * MINUTES_AN_HOUR;
  for (let n = 0; n < MINUTES_AN_HOUR; n++) {
    const id = reader.next("minute", minute + n, minute + n + 1, fromBucket);
    if (id !== undefined && (first === undefined || bucketOfRow(id) < first)) first = bucketOfRow(id);
  }
  return first;
}

/**
 * Returns the sums by bucket of an open hour's unfolded buckets in [fromBucket, toBucket), with the number of minute
 * cells in them.
 */
export function unfoldedSums(
  reader: BlockReader,
  hour: number,
  fromBucket: number,
  toBucket = BUCKETS,
): { sums: Map<number, Block>; cells: number } {
  const sums = new Map<number, Block>();
  let cells = 0;
  const folded = new Set<number>();
  for (const [id] of reader.rows("hour", hour, fromBucket, toBucket)) folded.add(bucketOfRow(id));
  for (let n = 0; n < MINUTES_AN_HOUR; n++) {
    for (const [id, bytes] of reader.rows("minute", hour * MINUTES_AN_HOUR + n, fromBucket, toBucket)) {
      const bucket = bucketOfRow(id);
      if (folded.has(bucket)) continue;
      let sum = sums.get(bucket);
      if (sum === undefined) {
        sum = new Block();
        sums.set(bucket, sum);
      }
      decodeBlock(bytes, scratch, () => rowName("minute", id));
      cells += scratch.cells;
      sum.add(scratch, n * MINUTE_MS);
    }
  }
  return { sums, cells };
}
