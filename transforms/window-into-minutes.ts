// SPDX-License-Identifier: Apache-2.0
import { MINUTE_MS } from "../domain/rules/time";
import { fixedWindows, type PCollection, streamingWindows, windowInto, withName } from "../engine";
import type { MinuteWindowing } from "./minute-windowing";

/**
 * Puts elements into fixed one-minute windows of event time. In: elements whose timestamps lie in their minute (plus
 * the grace). Out: the same elements. Windowing: fixed 60 s, accumulating. A streaming runner fires an on-time pane
 * when the watermark passes the end of the minute, then late panes; every pane holds all elements of the earlier ones.
 * Replay: the same windows.
 * The counting graph has this step between decoding and deduplication.
 */
export function windowIntoMinutes<T>(
  name: string,
  elements: PCollection<T>,
  windowing: MinuteWindowing | undefined,
): PCollection<T> {
  if (windowing === undefined) return elements.apply(withName(name, windowInto(fixedWindows({ sizeMs: MINUTE_MS }))));
  const { graceMs, earlyFiringMs, lateFiringMs, keptMs } = windowing;
  const windows = fixedWindows({ sizeMs: MINUTE_MS, offsetMs: graceMs % MINUTE_MS });
  const strategy = streamingWindows({ earlyFiringMs, lateFiringMs, allowedLatenessMs: keptMs, accumulating: true });
  return elements.apply(withName(name, windowInto(windows, strategy)));
}
