// SPDX-License-Identifier: Apache-2.0
/** The job written by hand on Flink, run and measured: the baseline of the Flink measurements. */
import { join } from "node:path";
import { type FlinkJobState, FlinkRest } from "../../engine";
import { BATCH_PREFIX } from "../../io/formats/avro/batch";
import { type FlinkCluster, type FlinkOptions, NATIVE_JOB, startFlinkCluster, submitNativeJob } from "../../servers";
import { type CountsDigest, digestOf } from "../data/counts-digest";
import { nativeCells } from "./native-cells";
import { type ProcessUsage, UsageSince } from "./process-usage";

/** The result and the cost of a job on a cluster. */
export interface JobRun {
  digest: CountsDigest;
  /** From RUNNING to the last count. */
  wallS: number;
  /** The CPU time of the job's processes, from submission to the last count. */
  cpuS: number;
  processes: Record<string, ProcessUsage>;
  checkpoints: Checkpoints;
}

interface TopicToCount {
  brokers: string;
  topic: string;
  allowedLatenessMs: number;
  graceMs: number;
  lateFiringMs: number;
}

export const PARALLELISM = 4;
const CHECKPOINT_INTERVAL_MS = 10_000;

const ANSWER_MS = 10_000;
const FINAL: ReadonlySet<FlinkJobState> = new Set(["FINISHED", "FAILED", "CANCELED"]);

/** Two TaskManagers with two slots each. */
export const CLUSTER: FlinkOptions = { taskManagers: 2, slotsPerTaskManager: 2 };

/** On a new cluster that is gone afterwards. Rejects when the job fails. */
export async function runNative(input: TopicToCount, options: FlinkOptions, deadlineMs: number): Promise<JobRun> {
  const cluster = await startFlinkCluster(options);
  try {
    return await countOn(cluster, input, deadlineMs);
  } finally {
    await cluster.stop();
  }
}

async function countOn(cluster: FlinkCluster, input: TopicToCount, deadlineMs: number): Promise<JobRun> {
  const output = join(cluster.folder, "cells");
  const used = new UsageSince(() => flinkPids(cluster));
  await submitNativeJob(cluster, {
    ...input,
    parallelism: PARALLELISM,
    checkpointIntervalMs: CHECKPOINT_INTERVAL_MS,
    batchPrefix: BATCH_PREFIX.toString("hex"),
    output,
  });
  const rest = new FlinkRest(cluster.restUrl);
  const submitted = (await rest.jobs()).find(({ name }) => name === NATIVE_JOB);
  if (submitted === undefined) throw new Error("the cluster does not have the job");
  const { jobId } = submitted;
  const state = await rest.awaitState(jobId, (seen) => FINAL.has(seen), deadlineMs);
  const [cpuS, processes] = [used.cpuS(), used.now()];
  if (state !== "FINISHED") {
    const [failure] = await rest.exceptions(jobId);
    throw new Error(`the native job ended as ${state}: ${failure?.stackTrace.slice(0, 2_000) ?? "no exception"}`);
  }
  const { durationMs } = await rest.job(jobId);
  return {
    digest: digestOf(nativeCells(output)),
    wallS: durationMs / 1_000,
    cpuS,
    processes,
    checkpoints: await checkpointsOf(cluster.restUrl, jobId),
  };
}

export function flinkPids(cluster: FlinkCluster): Record<string, number | undefined> {
  return {
    jobmanager: cluster.jobManagers[0]!.pid,
    ...Object.fromEntries(cluster.taskManagers.map(({ id, pid }) => [id, pid])),
  };
}

interface Checkpoints {
  completed: number;
  failed: number;
  /** From trigger to completion, of all that completed; 0 when none did. */
  averageMs: number;
  longestMs: number;
  /** Whole state of the largest. */
  largestBytes: number;
}

interface CheckpointAnswer {
  counts: { completed: number; failed: number };
  summary: Record<"end_to_end_duration" | "state_size", { avg: number; max: number }>;
}

export async function checkpointsOf(restUrl: string, jobId: string): Promise<Checkpoints> {
  const answer = await fetch(`${restUrl}/jobs/${jobId}/checkpoints`, { signal: AbortSignal.timeout(ANSWER_MS) });
  const { counts, summary } = (await answer.json()) as CheckpointAnswer;
  return {
    completed: counts.completed,
    failed: counts.failed,
    averageMs: summary.end_to_end_duration.avg,
    longestMs: summary.end_to_end_duration.max,
    largestBytes: summary.state_size.max,
  };
}
