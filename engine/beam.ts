// SPDX-License-Identifier: Apache-2.0
/**
 * The only entry to Apache Beam: this module gives apache-beam 2.49.0 with its defects fixed (engine/fixes, one file a
 * defect). Importing `apache-beam` directly outside of engine/ gives the stock package, or a half-loaded one. Files of
 * this folder import Beam from it, and applications get it through index.ts.
 */
import "./fixes/load";
import "./typed-apply";

export {
  assignTimestamps,
  counter,
  distribution,
  flatten,
  GlobalWindow,
  globalWindows,
  IntervalWindow,
  impulse,
  iterableSideInput,
  P,
  PCollection,
  paneInfoParam,
  parDo,
  Root,
  singletonSideInput,
  split,
  timestampParam,
  windowInto,
  windowParam,
  withName,
} from "apache-beam";
export type { WindowingStrategy } from "apache-beam/proto/beam_runner_api";
export { groupByKey } from "apache-beam/transforms/internal";
export type { DoFn } from "apache-beam/transforms/pardo";
export type { PTransform } from "apache-beam/transforms/transform";
export type { WindowFn } from "apache-beam/transforms/window";
export type { Instant, KV, PaneInfo, Window, WindowedValue } from "apache-beam/values";
export { fixedWindows } from "./fixed-windows";
export { register } from "./serialization";
export { type StreamingWindows, streamingWindows } from "./streaming-windows";
export { instant, millis } from "./time";
