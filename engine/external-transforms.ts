// SPDX-License-Identifier: Apache-2.0
/** Java's sources (Kafka, Pub/Sub) in a graph of this SDK, for an application that runs on Flink. */
import type { Components } from "apache-beam/proto/beam_runner_api";
import { type KV, type PCollection, type Root, withName } from "./beam";
import { type ExternalValue, externalConfiguration } from "./external-row";
import { sdk } from "./fixes/sdk";
import { FlinkError } from "./flink-rest";

export interface ReadFromKafka {
  /** `host:port` of Beam's Java expansion service. */
  readonly expansionService: string;
  readonly bootstrapServers: string;
  /** The topics, which must exist when the job is submitted. */
  readonly topics: readonly string[];
  /**
   * The consumer group, needed for commitOffsetInFinalize. Otherwise the runner's checkpoints alone keep the position.
   */
  readonly groupId?: string;
  /** Further settings of the Java consumer (`auto.offset.reset`, `max.poll.records`). */
  readonly consumerConfig?: Readonly<Record<string, string>>;
  /** Whether offsets of a completed checkpoint are committed to Kafka: for lag monitors, not for exactness. */
  readonly commitOffsetInFinalize: boolean;
  /** Starts with records timestamped at or after this time, where no checkpoint says otherwise. */
  readonly startReadTimeMs?: number;
  /** The source of timestamps and watermark. The CreateTime watermark of an idle topic advances to the present. */
  readonly timestampPolicy: "ProcessingTime" | "CreateTime" | "LogAppendTime";
  /** Makes the source bounded: it ends after this many records, or after this time. */
  readonly maxNumRecords?: number;
  readonly maxReadTimeSeconds?: number;
}

/**
 * Reads Kafka records as key and value, by Beam's Java KafkaIO inside the runner; either is null where the record has
 * none. Topic, partition, offset and headers are missing (Java's kafka_read_with_metadata gives them as a row per
 * record); the timestamp is the element's.
 */
export function readFromKafka(
  root: Root,
  name: string,
  options: ReadFromKafka,
): Promise<PCollection<KV<Uint8Array | null, Uint8Array | null>>> {
  const { groupId, consumerConfig } = options;
  const bytes = "org.apache.kafka.common.serialization.ByteArrayDeserializer";
  const configuration = {
    consumer_config: {
      "bootstrap.servers": options.bootstrapServers,
      ...(groupId !== undefined && { "group.id": groupId }),
      ...consumerConfig,
    },
    topics: options.topics,
    key_deserializer: bytes,
    value_deserializer: bytes,
    timestamp_policy: options.timestampPolicy,
    commit_offset_in_finalize: options.commitOffsetInFinalize,
    start_read_time: options.startReadTimeMs,
    max_num_records: options.maxNumRecords,
    max_read_time: options.maxReadTimeSeconds,
  };
  const urn = "beam:transform:org.apache.beam:kafka_read_without_metadata:v1";
  return applyExternal(root, name, urn, configuration, options.expansionService);
}

export interface ReadFromPubSub {
  /** `host:port` of Beam's Java expansion service. */
  readonly expansionService: string;
  /** `projects/P/topics/T` (a subscription is made for the job) or `projects/P/subscriptions/S`. */
  readonly source: { readonly topic: string } | { readonly subscription: string };
  /** The attribute that identifies a message, for runners that drop repeats by it. */
  readonly idLabel?: string;
  /** The attribute with the event time (epoch milliseconds or RFC 3339); default: the publish time. */
  readonly timestampAttribute?: string;
  /** Whether elements are encoded PubsubMessage protos instead of the payload alone. */
  readonly withAttributes: boolean;
}

/** Reads Pub/Sub by Beam's Java PubsubIO inside the runner: payloads, or whole messages (withAttributes). */
export function readFromPubSub(root: Root, name: string, options: ReadFromPubSub): Promise<PCollection<Uint8Array>> {
  const configuration = {
    ...options.source,
    id_label: options.idLabel,
    timestamp_attribute: options.timestampAttribute,
    with_attributes: options.withAttributes,
  };
  const urn = "beam:transform:org.apache.beam:pubsub_read:v1";
  return applyExternal(root, name, urn, configuration, options.expansionService);
}

/**
 * Expands a Java transform. Its jars are not fetched, because the executing runner has them. Rejects when the service
 * cannot expand it, with FlinkError where it does not answer.
 */
async function applyExternal<Element>(
  root: Root,
  name: string,
  urn: string,
  configuration: Readonly<Record<string, ExternalValue | undefined>>,
  expansionService: string,
): Promise<PCollection<Element>> {
  const payload = externalConfiguration(configuration);
  const transform = sdk.external.rawExternalTransform<Root, PCollection<Element>>(urn, payload, expansionService);
  const withoutArtifacts = async (components: Components): Promise<Components> => {
    for (const environment of Object.values(components.environments)) environment.dependencies = [];
    return components;
  };
  Object.assign(transform, { resolveArtifacts: withoutArtifacts });
  try {
    return await root.applyAsync(withName(name, transform));
  } catch (error) {
    const { code, message } = error as { code?: unknown; message?: unknown };
    if (code !== "UNAVAILABLE") throw error;
    const detail = `the expansion service at ${expansionService} does not answer: ${message}`;
    throw new FlinkError(detail, "unreachable", { cause: error });
  }
}
