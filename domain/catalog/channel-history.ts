// SPDX-License-Identifier: Apache-2.0
/**
 * The channel of a video, minute by minute. A history is a list of points, ascending by minute: from a point's minute
 * until the next point, the video belongs to the point's channel. Before the first point the channel is unknown. The
 * catalog store keeps the histories, and the read API adds up a channel's videos with them.
 */

/** The channel under which events count whose video has no known channel. No catalog line can use this name. */
export const UNKNOWN_CHANNEL = "unknown";
/** The minute before which no event can lie. */
export const FIRST_MINUTE = 0;
/** The largest number of points of a history; a longer history is refused. */
export const MAX_POINTS = 200;

/** Thrown for a line that what is known of its video refuses. The message says why to whoever sent the line. */
export class RefusedLineError extends RangeError {
  override readonly name = "RefusedLineError";
}

export interface ChannelPoint {
  /** Epoch minutes, inclusive. */
  fromMinute: number;
  /** The channel's id; UNKNOWN_CHANNEL where the video belongs to no channel. */
  channelId: string;
}

/**
 * A statement about a video's channel: the channel from `fromMinute` on, or the channel as of now where `fromMinute` is
 * absent.
 */
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

/** Returns whether the video has no known channel in some minute. */
export const hasUnknownMinutes = (history: readonly ChannelPoint[]): boolean =>
  history.length === 0 ||
  history[0]!.fromMinute > FIRST_MINUTE ||
  history.some(({ channelId }) => channelId === UNKNOWN_CHANNEL);

/**
 * Returns the history after a change. A change with a minute sets the channel from that minute until the next known
 * point; changes with different minutes may arrive in any order. A change without a minute works as follows. The first
 * channel ever stated for a video holds for its whole past. A later channel that differs from the channel of
 * `nowMinute` holds from the minute after `nowMinute`, so that no earlier minute changes its channel. Returns the same
 * array where nothing changes. Throws RefusedLineError beyond MAX_POINTS.
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
  if (points.length > MAX_POINTS) throw new RefusedLineError(`a video changes its channel at most ${MAX_POINTS} times`);
  return points.sort((a, b) => a.fromMinute - b.fromMinute);
}
