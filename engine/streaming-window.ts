import type { Trigger, WindowingStrategy } from "apache-beam/proto/beam_runner_api";
import "./fixes/load";
import { sdk } from "./fixes/sdk";

/** When an extra pane fires: after a delay of processing time, or when so many elements have come since the last pane. */
export type Firings = { readonly afterMs: number } | { readonly afterElements: number };

export interface StreamingWindow {
  /** Panes before the watermark passes the window's end; none where left out. */
  readonly earlyFirings?: { readonly afterMs: number };
  /** Panes for elements behind the watermark, up to allowedLatenessMs; none where left out: each late element fires at once then. */
  readonly lateFirings?: Firings;
  /** Whether a pane holds the window's elements so far, or those since the last pane. */
  readonly accumulation: "accumulating" | "discarding";
  readonly allowedLatenessMs: number;
}

/**
 * Trigger, lateness and accumulation mode for a runner that streams: `windowInto(fixedWindows({ sizeMs }), streamingWindow({ ... }))`. One pane when the
 * watermark passes the window's end, if there is anything in it, and early and late ones as told. The direct runner has one bounded bundle and no
 * watermark: there each window is one pane, whatever is said here. Throws RangeError for durations or counts that are no whole numbers.
 */
export function streamingWindow(options: StreamingWindow): WindowingStrategy {
  const { earlyFirings, lateFirings, accumulation, allowedLatenessMs } = options;
  const { AccumulationMode_Enum, ClosingBehavior_Enum, OnTimeBehavior_Enum, OutputTime_Enum } = sdk.runnerApi;
  whole("allowedLatenessMs", allowedLatenessMs, 0);
  const afterEndOfWindow = {
    ...(earlyFirings && { earlyFirings: firing(earlyFirings) }),
    lateFirings: firing(lateFirings ?? { afterElements: 1 }),
  };
  return sdk.runnerApi.WindowingStrategy.create({
    trigger: { trigger: { oneofKind: "afterEndOfWindow", afterEndOfWindow } },
    accumulationMode:
      accumulation === "accumulating" ? AccumulationMode_Enum.ACCUMULATING : AccumulationMode_Enum.DISCARDING,
    outputTime: OutputTime_Enum.END_OF_WINDOW,
    closingBehavior: ClosingBehavior_Enum.EMIT_IF_NONEMPTY,
    onTimeBehavior: OnTimeBehavior_Enum.FIRE_IF_NONEMPTY,
    allowedLateness: BigInt(allowedLatenessMs),
    environmentId: environmentId(),
  });
}

function firing(firings: Firings): Trigger {
  if ("afterElements" in firings) {
    const elementCount = whole("afterElements", firings.afterElements, 1);
    return { trigger: { oneofKind: "elementCount", elementCount: { elementCount } } };
  }
  const delayMillis = BigInt(whole("afterMs", firings.afterMs, 1));
  const timestampTransforms = [{ timestampTransform: { oneofKind: "delay" as const, delay: { delayMillis } } }];
  return { trigger: { oneofKind: "afterProcessingTime", afterProcessingTime: { timestampTransforms } } };
}

function whole(name: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new RangeError(`${name} must be a whole number of at least ${least}, not ${value}`);
}

/** Every pipeline of the SDK has one environment of this name for its own functions. */
function environmentId(): string {
  return new sdk.pipeline.Pipeline().defaultEnvironment;
}
