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
 * What finishBundle has to yield: a value with its window, timestamp and a full pane (the coder fails on a partial
 * one). Without `window` the global one, as for anything before windowInto. The timestamp must not be before those of
 * the bundle's elements: a runner would be entitled to call it late.
 */
export function windowedValue<T>(
  value: T,
  timestamp: number | Instant,
  window: Window = new GlobalWindow(),
): WindowedValue<T> {
  const at = typeof timestamp === "number" ? instant(timestamp) : timestamp;
  return { value, windows: [window], timestamp: at, pane };
}
