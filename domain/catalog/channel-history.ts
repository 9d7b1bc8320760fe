// SPDX-License-Identifier: Apache-2.0
/**
 * Which channel a video belongs to, minute by minute. A history is a list of points, ascending by minute: from a
 * point's minute on, until the next point, the video belongs to the point's channel. Before the first point the channel
 * is unknown.
 */

/** A channel of this name cannot be loaded: events of videos whose channel is not known count under it. */
export const UNKNOWN_CHANNEL = "unknown";
/** Before every minute of an event. */
export const FIRST_MINUTE = 0;
/** A history of more points is refused. */
export const MAX_POINTS = 200;

export interface ChannelPoint {
  /** Epoch minutes, inclusive. */
  fromMinute: number;
  /** UNKNOWN_CHANNEL where the video belongs to none. */
  channelId: string;
}

/** What is said of a video's channel: from a minute on, or, where none is given, as of now. */
export interface ChannelChange {
  channelId: string;
  fromMinute?: number;
}

export function channelAt(history: readonly ChannelPoint[], minute: number): string {
  let channel = UNKNOWN_CHANNEL;
  for (const point of history) {
    if (point.fromMinute > minute) break;
    channel = point.channelId;
  }
  return channel;
}

/**
 * The history after a change. A change with a minute sets the channel from that minute on, until the next point that is
 * known; changes with different minutes may come in any order. A change without one: the first channel that is ever
 * said of a video holds for all of its past, and a later one that differs from the channel of `nowMinute` holds from
 * the minute after `nowMinute`, so that each minute keeps the channel it had. Returns the same array where nothing
 * changes. Throws RangeError beyond MAX_POINTS.
 */
export function changed(
  history: readonly ChannelPoint[],
  { channelId, fromMinute }: ChannelChange,
  nowMinute: number,
): readonly ChannelPoint[] {
  if (fromMinute === undefined) {
    if (history.length === 0)
      return channelId === UNKNOWN_CHANNEL ? history : [{ fromMinute: FIRST_MINUTE, channelId }];
    if (channelAt(history, nowMinute + 1) === channelId) return history;
  }
  const from = Math.max(FIRST_MINUTE, fromMinute ?? nowMinute + 1);
  const same = history.find((point) => point.fromMinute === from);
  if (same?.channelId === channelId) return history;
  const points = history.filter((point) => point.fromMinute !== from);
  points.push({ fromMinute: from, channelId });
  if (points.length > MAX_POINTS) throw new RangeError(`a video changes its channel at most ${MAX_POINTS} times`);
  return points.sort((a, b) => a.fromMinute - b.fromMinute);
}
