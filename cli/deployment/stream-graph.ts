// SPDX-License-Identifier: Apache-2.0
/**
 * The graph of the streaming job for a configuration, on any runner. The submissions to Flink and Dataflow build the
 * job from it.
 */
import { MINUTE_MS } from "../../domain/rules/time";
import { buildPipelineProto } from "../../engine";
import { MAX_CLOCK_DIFFERENCE_MS } from "../../intake/receipt";
import { BATCH_ATTRIBUTE } from "../../io/formats/messages/batch-attribute";
import { type StreamSource, streamPipeline } from "../../pipelines/stream/stream-pipeline";
import { ConfigError } from "../config/config-error";
import type { Settings } from "../config/schema";
import { FIRED_PANES, WRITTEN_CELLS } from "../programs/worker-resources";
import { allowedLatenessMs, intakeLimits, rawRetentionMs } from "./deployment";
import { kafkaConsumerProperties } from "./kafka-consumer-properties";

/**
 * Start reading this long before the minute begins: producers may timestamp an event up to five minutes ahead of its
 * receipt, and clocks differ.
 */
export const READ_BEFORE_MS = 10 * MINUTE_MS;

export const streamGraph = (
  config: Settings<"http" | "job" | "lateness" | "log" | "maxEventTypes" | "retention">,
  source: StreamSource,
  expansionService: string,
) =>
  buildPipelineProto((root) =>
    streamPipeline(root, { source, expansionService, counting: counting(config), maxEventTypes: config.maxEventTypes }),
  );

/**
 * Returns the consumer group, a new one for each take-over, so that the job starts at the given place, whatever an
 * earlier job has read.
 */
export const streamGroup = ({ log, job }: Settings<"job" | "log">): string =>
  job.fromMinute === 0 ? log.kafka.streamGroup : `${log.kafka.streamGroup}-${job.fromMinute}`;

export const subscriptionPath = (project: string, name: string): string =>
  name.startsWith("projects/") ? name : `projects/${project}/subscriptions/${name}`;

export function streamSource(config: Settings<"job" | "log" | "project">): StreamSource {
  const { log } = config;
  if (log.kind === "kafka") {
    const { brokers } = log.kafka;
    const properties = kafkaConsumerProperties(config);
    return { kind: "kafka", brokers, properties, topic: log.topic, group: streamGroup(config) };
  }
  if (log.kind === "pubsub") return { kind: "pubsub", ...pubsubSource(config) };
  throw new RangeError("a streaming job on a cluster reads Kafka or Pub/Sub: set log.kind");
}

/** Returns the source on Dataflow, which is Pub/Sub: Java's Kafka source would need its jars on Dataflow's workers. */
export function dataflowSource(config: Settings<"log" | "project">): StreamSource {
  if (config.log.kind !== "pubsub")
    throw new ConfigError(`a job on Dataflow reads Pub/Sub, not ${config.log.kind}: set log.kind or --log`);
  return { kind: "dataflow-pubsub", ...pubsubSource(config) };
}

const pubsubSource = ({ log, project }: Settings<"log" | "project">) => ({
  subscription: subscriptionPath(project, log.pubsub.streamSubscription),
  idAttribute: BATCH_ATTRIBUTE,
});

function counting(config: Settings<"http" | "job" | "lateness" | "log" | "retention">) {
  const { dedupePartitions, videoShards, graceMs, earlyFiringMs, lateFiringMs, fromMinute } = config.job;
  const latenessMs = allowedLatenessMs(config);
  return {
    dedupePartitions,
    videoShards,
    allowedLatenessMs: latenessMs,
    rawRetentionMs: rawRetentionMs(config),
    limits: intakeLimits(config),
    maxReceiptDelayMs: MAX_CLOCK_DIFFERENCE_MS,
    fromMinute,
    followCorrections: false,
    paneCache: "",
    writtenCells: WRITTEN_CELLS,
    firedPanes: FIRED_PANES,
    windowing: { graceMs, earlyFiringMs, lateFiringMs, keptMs: latenessMs + graceMs + MAX_CLOCK_DIFFERENCE_MS },
  };
}
