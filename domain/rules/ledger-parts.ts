// SPDX-License-Identifier: Apache-2.0
/**
 * The parts of a minute's books that the pipelines write. Each writer has a part of its own, so that its numbers are
 * absolute and a repeated bundle writes the same row again. Until 2026-12 part -1 was the audit's for backfilled
 * events; today an audit settles whole minutes (books.ts, `Settled`).
 */

/** Returns the part of a video shard, under which the stream books the shard's videos in the minute. */
export const shardPart = (videoShard: number): number => videoShard;

/**
 * Returns the part of the events that were set aside as late and received in one minute. The minute of receipt
 * distinguishes the parts, because the window of the minute itself may be gone when the events arrive. Parts of video
 * shards have smaller numbers.
 */
export const lateReceiptPart = (videoShards: number, receiptMinute: number): number => videoShards + receiptMinute;
