/**
 * The parts of a minute's books that the pipelines write. Each writer has a part of its own, so that its numbers are absolute
 * and a repeated bundle writes the same row again.
 */

/** The part of the audit for events that were backfilled beside a stream that reads the log alone. */
export const BACKFILL_PART = -1;

/** The part of a video shard: what the stream counted of the shard's videos in the minute. */
export const shardPart = (videoShard: number): number => videoShard;

/**
 * The part of the events that were set aside as late and received in one minute. The minute of receipt tells the parts apart, because the
 * window of the minute itself may be gone when they arrive. Parts of video shards have smaller numbers.
 */
export const lateReceiptPart = (videoShards: number, receiptMinute: number): number => videoShards + receiptMinute;
