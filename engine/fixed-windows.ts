// SPDX-License-Identifier: Apache-2.0
/** Windows of a fixed size, for the graphs of an application. */
import type { FunctionSpec } from "apache-beam/proto/beam_runner_api";
import type { WindowFn } from "apache-beam/transforms/window";
import type { Instant, IntervalWindow } from "apache-beam/values";
import { sdk } from "./fixes/sdk";
import { register } from "./serialization";
import { instant } from "./time";

/**
 * Windows of `sizeMs` that start at multiples of it, shifted by `offsetMs`. [Defect 14](README.md#the-sdks-defects):
 * the stock fixedWindows takes the remainder of a negative number as negative, so an element before the epoch (or
 * before the offset) is assigned to the window after its own. It also drops the part of its size below a second from
 * the proto. The class has plain fields and registered methods, so it travels without closures.
 */
export class FixedWindows implements WindowFn<IntervalWindow> {
  readonly beamName: string;

  constructor(
    readonly sizeMs: number,
    readonly offsetMs: number,
  ) {
    this.beamName = `fixedWindows(${sizeMs} ms, offset ${offsetMs} ms)`;
  }

  assignWindows(timestamp: Instant): IntervalWindow[] {
    const remainder = timestamp.sub(this.offsetMs).mod(this.sizeMs);
    const intoWindow = remainder.isNegative() ? remainder.add(this.sizeMs) : remainder;
    const start = timestamp.sub(intoWindow);
    return [new sdk.values.IntervalWindow(start, start.add(this.sizeMs))];
  }

  windowCoder() {
    return new sdk.standardCoders.IntervalWindowCoder();
  }

  isMerging(): boolean {
    return false;
  }

  assignsToOneWindow(): boolean {
    return true;
  }

  toProto(): FunctionSpec {
    const payload = sdk.standardWindowFns.FixedWindowsPayload.toBinary({
      size: duration(this.sizeMs),
      offset: duration(this.offsetMs),
    });
    return { urn: "beam:window_fn:fixed_windows:v1", payload };
  }
}

function duration(ms: number): { seconds: bigint; nanos: number } {
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: (ms - seconds * 1000) * 1_000_000 };
}

/**
 * Returns the windows for windowInto: `fixedWindows({ sizeMs: 60_000 })`. Throws RangeError unless sizeMs is a positive
 * and offsetMs a whole number.
 */
export function fixedWindows({ sizeMs, offsetMs = 0 }: { sizeMs: number; offsetMs?: number }): FixedWindows {
  if (!Number.isSafeInteger(sizeMs) || sizeMs <= 0)
    throw new RangeError(`sizeMs must be a positive integer, not ${sizeMs}`);
  instant(offsetMs);
  return new FixedWindows(sizeMs, offsetMs);
}

register(module);
