// SPDX-License-Identifier: Apache-2.0
/** What both jobs of a Flink measurement share: the stack, the data, and when it is over. */
import { configSchema } from "../../cli/config/schema";
import { ClusterStack, type StackOptions } from "../../demo/cluster-stack";
import { minuteOf } from "../../domain/event";
import { MINUTE_MS } from "../../domain/rules/time";
import { missingTools } from "../../servers";
import { type DataParameters, LATE_MS } from "../data/event-source";
import type { Bench } from "../measurement";
import type { FlinkScenario } from "../parameters";
import { PARALLELISM } from "./native-run";

const LATE_SHARE = 0.01;
/** For making the data, before the first event is due. */
const MADE_A_SECOND = 150_000;

const GIBI = 2 ** 30;

/** The memory of a TaskManager for any job, and its part outside of the heap. */
export const TASK_MANAGER = { taskManagerMemoryMb: 2_560, managedForRocksdbMb: 896, managedForHeapMb: 64 };

/** The settings of a deployment by default; the demonstration is less patient. */
const { job, flink } = configSchema.parse({});
const FIRING = {
  graceMs: job.graceMs,
  lateFiringMs: job.lateFiringMs,
  // Minutes of twelve million events wait some six minutes for late ones (docs/flink.md).
  maxFiredPaneBytes: 2 * GIBI,
};

/**
 * Events of a topic that is filled as they come, over whole minutes; the first is due `aheadMs` after they are made, or
 * later.
 */
export function scenarioData(
  bench: Bench,
  scenario: FlinkScenario,
  { events, minutes, aheadMs }: { events: number; minutes: number; aheadMs: number },
): DataParameters {
  const readyMs = Date.now() + aheadMs + (events / MADE_A_SECOND) * 1_000;
  return {
    ...bench.data,
    events,
    minutes,
    spread: scenario === "hot" ? "hot" : "zipf",
    ...(scenario === "late" ? { lateShare: LATE_SHARE } : {}),
    startMs: Math.ceil(readyMs / MINUTE_MS) * MINUTE_MS,
  };
}

/** Minutes [from, to) that hold the events of `data`, the late ones too. */
export function minutesOf({ startMs, minutes }: DataParameters): [from: number, to: number] {
  return [minuteOf(startMs - LATE_MS), minuteOf(startMs) + minutes];
}

/** When the last minute of `data` and a grace behind it are over. */
export const overAtMs = (data: DataParameters, graceMs: number): number => minutesOf(data)[1] * MINUTE_MS + graceMs;

export function requireTools(): void {
  const missing = missingTools();
  if (missing.length > 0) throw new Error(`not found on this machine: ${missing.join(", ")}`);
}

/**
 * Kafka, the stores and Flink; neither service nor archiver: the topic is filled by the bench. `sameJvm`: see
 * BenchParameters.
 */
export function startStack(sameJvm = false): Promise<ClusterStack> {
  const { taskManagerMemoryMb, managedForRocksdbMb } = TASK_MANAGER;
  const options: StackOptions = {
    log: "kafka",
    fast: true,
    processes: false,
    flink: { fast: sameJvm, taskManagerMemoryMb, managedMemoryMb: managedForRocksdbMb },
    config: {
      flink: { parallelism: PARALLELISM, maxBundleMs: flink.maxBundleMs },
      claims: { kind: "none" },
      job: FIRING,
    },
  };
  return ClusterStack.start(options);
}
