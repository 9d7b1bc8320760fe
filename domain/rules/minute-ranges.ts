// SPDX-License-Identifier: Apache-2.0
/**
 * Sets of minutes as disjoint half-open ranges: an audit of ten years is one range and not five million minutes. The
 * ledgers keep the audited minutes in this form.
 */
export interface MinuteRange {
  fromMinute: number;
  toMinute: number;
}

/** Returns the union as ascending, disjoint ranges that do not touch each other, without empty ones. */
export function unionOf(ranges: readonly MinuteRange[]): MinuteRange[] {
  const sorted = ranges.filter(isNotEmpty).sort((a, b) => a.fromMinute - b.fromMinute);
  const union: MinuteRange[] = [];
  for (const { fromMinute, toMinute } of sorted) {
    const last = union[union.length - 1];
    if (last !== undefined && fromMinute <= last.toMinute) last.toMinute = Math.max(last.toMinute, toMinute);
    else union.push({ fromMinute, toMinute });
  }
  return union;
}

/** Returns `range` without the minutes of `except`. */
export function without(range: MinuteRange, except: Iterable<number>): MinuteRange[] {
  const left: MinuteRange[] = [];
  let { fromMinute } = range;
  for (const minute of [...new Set(except)].sort((a, b) => a - b)) {
    if (minute < fromMinute || minute >= range.toMinute) continue;
    left.push({ fromMinute, toMinute: minute });
    fromMinute = minute + 1;
  }
  left.push({ fromMinute, toMinute: range.toMinute });
  return left.filter(isNotEmpty);
}

export function overlapOf(a: MinuteRange, b: MinuteRange): MinuteRange {
  return { fromMinute: Math.max(a.fromMinute, b.fromMinute), toMinute: Math.min(a.toMinute, b.toMinute) };
}

const isNotEmpty = ({ fromMinute, toMinute }: MinuteRange): boolean => fromMinute < toMinute;

/** Returns the first minute of a minute's bucket, before 1970 too. */
function bucketOf(minute: number, bucketMinutes: number): number {
  return Math.floor(minute / bucketMinutes) * bucketMinutes;
}

/**
 * Adds to `counts` the number of minutes that disjoint `ranges` have in each bucket within `asked`. The work is one
 * step for each bucket that a range touches.
 */
export function countByBucket(
  counts: Map<number, number>,
  ranges: readonly MinuteRange[],
  asked: MinuteRange,
  bucketMinutes: number,
): void {
  for (const range of ranges) {
    const { fromMinute, toMinute } = overlapOf(range, asked);
    for (let bucket = bucketOf(fromMinute, bucketMinutes); bucket < toMinute; bucket += bucketMinutes) {
      const minutes = Math.min(toMinute, bucket + bucketMinutes) - Math.max(fromMinute, bucket);
      if (minutes > 0) counts.set(bucket, (counts.get(bucket) ?? 0) + minutes);
    }
  }
}
