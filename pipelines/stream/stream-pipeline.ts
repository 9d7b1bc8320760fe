// SPDX-License-Identifier: Apache-2.0
import { type PCollection, type Root, readFromKafka, readFromPubSub } from "../../engine";
import { readFromPubSubNatively } from "../../engine/dataflow";
import { admitEventTypes } from "../../transforms/admit-event-types";
import type { BatchMessage } from "../../transforms/elements";
import { messagesOfKafka, messagesOfPubSub } from "../../transforms/messages-of-log";
import { resolveReferences } from "../../transforms/resolve-references";
import { type CountingOptions, countingGraph } from "../counting-graph";

/** Where the stream reads from. Topic and subscription must exist when the job is submitted. */
export type StreamSource =
  | {
      kind: "kafka";
      brokers: string;
      /** Of Java's consumer: how it reaches the brokers. */
      properties: Readonly<Record<string, string>>;
      topic: string;
      group: string;
      startReadTimeMs?: number;
    }
  | { kind: "pubsub"; subscription: string; idAttribute: string }
  /** Read by Dataflow itself: the same payloads, without an expansion service, and on no other runner. */
  | { kind: "dataflow-pubsub"; subscription: string; idAttribute: string };

export interface StreamPipelineOptions {
  source: StreamSource;
  /** `host:port` of the Java expansion service that gives the source; not asked for Dataflow's own. */
  expansionService: string;
  counting: CountingOptions & Required<Pick<CountingOptions, "windowing">>;
  /** How many event types the deployment may have; absent: any number. */
  maxEventTypes?: number;
}

/** The streaming job: the log, references resolved, event types asked for, the counting graph. */
export async function streamPipeline(root: Root, options: StreamPipelineOptions): Promise<void> {
  countLog(await readLog(root, options), options);
}

/** All of a Pub/Sub stream but its source: payloads, with the times of their publication. */
export function countPayloads(payloads: PCollection<Uint8Array>, counting: StreamPipelineOptions["counting"]): void {
  countLog(messagesOfPubSub(payloads), { counting });
}

function countLog(
  log: PCollection<BatchMessage>,
  { counting, maxEventTypes }: Pick<StreamPipelineOptions, "counting" | "maxEventTypes">,
): void {
  const { messages, dead } = resolveReferences(log);
  const { rawRetentionMs, limits } = counting;
  const rules = {
    ...(rawRetentionMs === undefined ? {} : { rawRetentionMs }),
    ...(limits === undefined ? {} : { limits }),
  };
  const admitted = maxEventTypes === undefined ? messages : admitEventTypes(messages, { maxEventTypes, rules });
  countingGraph(admitted, counting, dead);
}

/**
 * Positions are kept in the job's checkpoints alone: a group with committed ones would make a new job start where an
 * older one had read, and lose what was in that one's windows. The broker stamps messages (LogAppendTime): its clock
 * gives the watermark, which with the producers' times would stand still for as long as any partition has no message
 * yet.
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
 * What docs/shared-logs.md lists as the rules of both readers of a topic: committed records only, as the archiver reads
 * them, and a new group from the beginning. Messages are large, so few of them are fetched ahead.
 */
const CONSUMER = {
  "isolation.level": "read_committed",
  "auto.offset.reset": "earliest",
  "max.poll.records": "500",
  "fetch.max.bytes": String(16 << 20),
  "max.partition.fetch.bytes": String(8 << 20),
  "enable.auto.commit": "false",
};
