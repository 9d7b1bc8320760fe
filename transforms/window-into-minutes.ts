// SPDX-License-Identifier: Apache-2.0
import { MINUTE_MS } from "../domain/rules/time";
import { fixedWindows, type PCollection, streamingWindows, windowInto, withName } from "../engine";
import type { MinuteWindowing } from "./minute-windowing";

/**
 * Puts elements into fixed one-minute windows of event time.
 * In: anything whose timestamp lies in its minute (plus the grace). Out: the same. Windowing: fixed 60 s; a streaming
 * runner fires at the end of the minute by the watermark, then for late elements, accumulating: every pane holds all
 * before it. Replay: the same windows.
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
