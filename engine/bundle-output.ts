// SPDX-License-Identifier: Apache-2.0
import { GlobalWindow, type Instant, instant, type Window, type WindowedValue } from "./beam";

/** Timing is an enum of the SDK's types and a string at run time. */
const pane = {
  timing: "UNKNOWN",
  index: 0,
  onTimeIndex: 0,
  isFirst: true,
  isLast: true,
} as WindowedValue<unknown>["pane"];

/**
 * Returns the value that finishBundle has to yield: with its window, timestamp and a full pane (the coder fails on a
 * partial one). The default window is the global one, as for any element before windowInto. The timestamp must not be
 * before those of the bundle's elements, because a runner may treat the value as late. DoFns of the application call it
 * in finishBundle.
 */
export function windowedValue<T>(
  value: T,
  timestamp: number | Instant,
  window: Window = new GlobalWindow(),
): WindowedValue<T> {
  const at = typeof timestamp === "number" ? instant(timestamp) : timestamp;
  return { value, windows: [window], timestamp: at, pane };
}
