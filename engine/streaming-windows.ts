// SPDX-License-Identifier: Apache-2.0
import type { Trigger, WindowingStrategy } from "apache-beam/proto/beam_runner_api";
import { sdk } from "./fixes/sdk";

export interface StreamingWindows {
  /** A pane of the open window this often in processing time; 0: none before the watermark passes its end. */
  earlyFiringMs: number;
  /** Elements that come after that wait this long in processing time for others before a late pane fires. */
  lateFiringMs: number;
  /**
   * How long after its end, by the watermark, a window is kept; what comes later is dropped by the runner, silently.
   */
  allowedLatenessMs: number;
  /** Whether each pane holds all elements of the window so far, or only those since the last pane. */
  accumulating: boolean;
}

/**
 * The second argument of windowInto for a runner with a watermark: a pane when it passes the end of the window, then
 * late ones. The direct runner ignores it: its windows hold all there is and fire once. Throws RangeError for what is
 * no time.
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
