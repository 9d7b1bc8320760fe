// SPDX-License-Identifier: Apache-2.0
/**
 * How a streaming runner fires windows: early, on time and late. A graph for Flink or Dataflow passes it to windowInto.
 */
import type { Trigger, WindowingStrategy } from "apache-beam/proto/beam_runner_api";
import { sdk } from "./fixes/sdk";

export interface StreamingWindows {
  /** The interval of early panes of the open window in processing time; 0: no early panes. */
  earlyFiringMs: number;
  /** How long late elements wait for others in processing time, before a late pane fires. */
  lateFiringMs: number;
  /** How long after its end, by the watermark, a window is kept. The runner drops later elements without a report. */
  allowedLatenessMs: number;
  /** Whether each pane holds all elements of the window so far, or only those since the last pane. */
  accumulating: boolean;
}

/**
 * Returns the second argument of windowInto for a runner with a watermark: an on-time pane when the watermark passes
 * the end of the window, then late panes. The direct runner ignores it: its windows hold all elements and fire once.
 * Throws RangeError for an invalid time.
 */
export function streamingWindows(options: StreamingWindows): WindowingStrategy {
  const { earlyFiringMs, lateFiringMs, allowedLatenessMs, accumulating } = options;
  for (const [name, ms] of Object.entries({ earlyFiringMs, lateFiringMs, allowedLatenessMs })) {
    if (!Number.isSafeInteger(ms) || ms < 0)
      throw new RangeError(`${name} must be a whole number from 0 on, not ${ms}`);
  }
  const { runnerApi } = sdk;
  const { AccumulationMode_Enum, ClosingBehavior_Enum, OnTimeBehavior_Enum, OutputTime_Enum } = runnerApi;
  const early = earlyFiringMs > 0 ? { earlyFirings: afterProcessingTime(earlyFiringMs) } : {};
  return runnerApi.WindowingStrategy.create({
    trigger: {
      trigger: {
        oneofKind: "afterEndOfWindow",
        afterEndOfWindow: { ...early, lateFirings: afterProcessingTime(lateFiringMs) },
      },
    },
    accumulationMode: accumulating ? AccumulationMode_Enum.ACCUMULATING : AccumulationMode_Enum.DISCARDING,
    outputTime: OutputTime_Enum.END_OF_WINDOW,
    closingBehavior: ClosingBehavior_Enum.EMIT_IF_NONEMPTY,
    onTimeBehavior: OnTimeBehavior_Enum.FIRE_IF_NONEMPTY,
    allowedLateness: BigInt(allowedLatenessMs),
    environmentId: "jsEnvironment",
  });
}

function afterProcessingTime(delayMs: number): Trigger {
  const timestampTransforms = [
    { timestampTransform: { oneofKind: "delay" as const, delay: { delayMillis: BigInt(delayMs) } } },
  ];
  return { trigger: { oneofKind: "afterProcessingTime", afterProcessingTime: { timestampTransforms } } };
}
