// SPDX-License-Identifier: Apache-2.0
/** The streaming job of a cluster: `viewmill pipeline stream` submits it to Flink or Dataflow. */
import { type PCollection, type Root, readFromKafka, readFromPubSub } from "../../engine";
import { readFromPubSubNatively } from "../../engine/dataflow";
import type { BatchMessage } from "../../transforms/elements";
import { messagesOfKafka, messagesOfPubSub } from "../../transforms/messages-of-log";
import { countLog, type LogCounting } from "./count-log";

/** The source of the stream. Topic and subscription must exist when the job is submitted. */
export type StreamSource =
  | {
      kind: "kafka";
      brokers: string;
      /** Properties of Java's consumer: the way it reaches the brokers. */
      properties: Readonly<Record<string, string>>;
      topic: string;
      group: string;
      startReadTimeMs?: number;
    }
  | { kind: "pubsub"; subscription: string; idAttribute: string }
  /** Pub/Sub as Dataflow itself reads it: the same payloads, without an expansion service, and on no other runner. */
  | { kind: "dataflow-pubsub"; subscription: string; idAttribute: string };

interface StreamPipelineOptions extends LogCounting {
  source: StreamSource;
  /** `host:port` of the Java expansion service that provides the source. Dataflow's own source needs none. */
  expansionService: string;
}

/** Builds the streaming job: read the log, resolve references, admit event types, count. */
export async function streamPipeline(root: Root, options: StreamPipelineOptions): Promise<void> {
  countLog(await readLog(root, options), options);
}

/**
 * Reads the log. Positions are kept in the job's checkpoints alone. With positions committed in the group, a new job
 * would start where an older job had read, and would lose the events in the older job's windows. The broker stamps
 * messages (LogAppendTime), and its clock gives the watermark. With the producers' times the watermark would stand
 * still for as long as any partition has no message.
 */
async function readLog(root: Root, options: StreamPipelineOptions): Promise<PCollection<BatchMessage>> {
  const { source, expansionService } = options;
  if (source.kind === "dataflow-pubsub") {
    const { subscription, idAttribute } = source;
    return messagesOfPubSub(readFromPubSubNatively(root, "ReadPubSub", { subscription, idLabel: idAttribute }));
  }
  if (source.kind === "pubsub") {
    const { subscription, idAttribute } = source;
    const read = { expansionService, source: { subscription }, idLabel: idAttribute, withAttributes: false };
    return messagesOfPubSub(await readFromPubSub(root, "ReadPubSub", read));
  }
  const { brokers, properties, topic, group, startReadTimeMs } = source;
  const records = await readFromKafka(root, "ReadKafka", {
    expansionService,
    bootstrapServers: brokers,
    topics: [topic],
    groupId: group,
    consumerConfig: { ...CONSUMER, ...properties },
    commitOffsetInFinalize: false,
    timestampPolicy: "LogAppendTime",
    ...(startReadTimeMs === undefined ? {} : { startReadTimeMs }),
  });
  return messagesOfKafka(records);
}

/**
 * The rules that docs/shared-logs.md gives to both readers of a topic: they read committed records only, and a new
 * group starts at the beginning. Messages are large, so the consumer fetches few of them ahead. It waits a moment for
 * several, because each fetch costs a TaskManager more than a message does.
 */
const CONSUMER = {
  "isolation.level": "read_committed",
  "auto.offset.reset": "earliest",
  "max.poll.records": "500",
  "fetch.min.bytes": String(256 << 10),
  "fetch.max.wait.ms": "200",
  "fetch.max.bytes": String(16 << 20),
  "max.partition.fetch.bytes": String(8 << 20),
  "enable.auto.commit": "false",
};
