// SPDX-License-Identifier: Apache-2.0
/**
 * The graph and the options of the streaming job on Flink, which submit-stream.ts submits and `--dry-run` describes.
 */
import { type FlinkSubmission, replaceEnvironments } from "../../../engine";
import type { Settings } from "../../config/schema";
import { streamGraph, streamSource } from "../stream-graph";

/** The sections that the streaming job on Flink is made of. */
export type FlinkStreamSections = Settings<
  "flink" | "http" | "job" | "lateness" | "log" | "maxEventTypes" | "project" | "retention"
>;

/** Returns the graph of the streaming job, with the environments of the cluster. Needs the expansion service. */
export async function streamJobProto(config: FlinkStreamSections) {
  const proto = await streamGraph(config, streamSource(config), config.flink.expansionService);
  return replaceEnvironments(proto, { pool: config.flink.workerPool });
}

export function streamSubmission(
  { job, flink, log }: Settings<"flink" | "job" | "log">,
  savepointPath: string | undefined,
): FlinkSubmission {
  return {
    jobName: job.name,
    streaming: true,
    parallelism: flink.parallelism,
    sdkWorkerParallelism: flink.workersPerTaskManager,
    checkpointingIntervalMs: flink.checkpointIntervalMs,
    checkpointTimeoutMs: flink.checkpointTimeoutMs,
    maxBundleSize: flink.maxBundleElements,
    maxBundleTimeMs: flink.maxBundleMs,
    ...(savepointPath === undefined ? {} : { savepointPath }),
    ...(log.pubsub.restEndpoint === "" ? {} : { extra: { pubsubRootUrl: log.pubsub.restEndpoint } }),
  };
}
