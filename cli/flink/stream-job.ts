import { buildPipelineProto, type FlinkSubmission, replaceEnvironments } from "../../engine";
import { BATCH_ATTRIBUTE } from "../../io/messages/batch-attribute";
import { type StreamSource, streamPipeline } from "../../pipelines/stream/stream-pipeline";
import type { Config } from "../config-schema";
import { allowedLatenessMs, rawRetentionMs } from "../deployment/deployment";
import { WRITTEN_CELLS } from "../worker-resources";

/** The graph of the streaming job, with the environments of the cluster. Needs the expansion service. */
export async function streamJobProto(config: Config) {
  const proto = await buildPipelineProto((root) =>
    streamPipeline(root, {
      source: streamSource(config),
      expansionService: config.flink.expansionService,
      counting: counting(config),
    }),
  );
  return replaceEnvironments(proto, { pool: config.flink.workerPool });
}

export function streamSubmission({ job, flink, log }: Config, savepointPath: string | undefined): FlinkSubmission {
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

/** A group of its own for each take-over: it starts where it is told to, whatever an earlier job has read. */
export const streamGroup = ({ log, job }: Config): string =>
  job.fromMinute === 0 ? log.kafka.streamGroup : `${log.kafka.streamGroup}-${job.fromMinute}`;

export const subscriptionPath = (project: string, name: string): string =>
  name.startsWith("projects/") ? name : `projects/${project}/subscriptions/${name}`;

export function streamSource(config: Config): StreamSource {
  const { log, project } = config;
  if (log.kind === "kafka") {
    return { kind: "kafka", brokers: log.kafka.brokers, topic: log.topic, group: streamGroup(config) };
  }
  if (log.kind === "pubsub") {
    const subscription = subscriptionPath(project, log.pubsub.streamSubscription);
    return { kind: "pubsub", subscription, idAttribute: BATCH_ATTRIBUTE };
  }
  throw new RangeError("a streaming job on a cluster reads Kafka or Pub/Sub: set log.kind");
}

/** Clocks of producers, brokers and watermarks differ by less than this. */
const CLOCKS_APART_MS = 10 * 60_000;

function counting(config: Config) {
  const { dedupePartitions, videoShards, graceMs, earlyFiringMs, lateFiringMs, fromMinute } = config.job;
  const latenessMs = allowedLatenessMs(config);
  return {
    dedupePartitions,
    videoShards,
    allowedLatenessMs: latenessMs,
    rawRetentionMs: rawRetentionMs(config),
    fromMinute,
    followCorrections: false,
    paneCache: "",
    writtenCells: WRITTEN_CELLS,
    windowing: { graceMs, earlyFiringMs, lateFiringMs, keptMs: latenessMs + graceMs + CLOCKS_APART_MS },
  };
}
