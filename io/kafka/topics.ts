// SPDX-License-Identifier: Apache-2.0
/**
 * Topics as a deployment needs them: created, looked at, and a group's position set. The `init` command, the
 * demonstrations and the submission of a stream use it.
 */
import { setTimeout as delay } from "node:timers/promises";
import { type Admin, ConfigResourceTypes, type ITopicConfig } from "kafkajs";
import { DAY_MS, MINUTE_MS } from "../../domain/rules/time";
import { StoreUnavailableError } from "../ports";
import { DEFAULT_MAX_MESSAGE_BYTES } from "./appender";
import type { KafkaConnection } from "./config";
import { kafkaOf } from "./connection";
import { messageOf } from "./errors";

interface KafkaTopic {
  topic: string;
  partitions: number;
  /** The replication factor; default: the broker's. */
  replicationFactor?: number;
  /** The retention; default 7 days. */
  retentionMs?: number;
  maxMessageBytes?: number;
}

const LEADERS_DEADLINE_MS = MINUTE_MS;
const LEADERS_POLL_MS = 100;
const COORDINATOR_DEADLINE_MS = MINUTE_MS;
const COORDINATOR_POLL_MS = 250;
/** Room for the framing of the batch around the largest record. */
export const BATCH_OVERHEAD_BYTES = 1 << 16;

/** Creates the topic unless it exists, and leaves an existing one unchanged. Returns whether it was created. */
export async function ensureKafkaTopic(connection: KafkaConnection, options: KafkaTopic): Promise<boolean> {
  const { topic, partitions, replicationFactor = -1, retentionMs = 7 * DAY_MS } = options;
  const maxMessageBytes = options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES;
  const entries = {
    "cleanup.policy": "delete",
    "retention.ms": retentionMs,
    "max.message.bytes": maxMessageBytes + BATCH_OVERHEAD_BYTES,
    "message.timestamp.type": "LogAppendTime",
  };
  const configEntries = Object.entries(entries).map(([name, value]) => ({ name, value: String(value) }));
  return withAdmin(connection, (admin) =>
    createLedTopic(admin, { topic, numPartitions: partitions, replicationFactor, configEntries }),
  );
}

/**
 * Creates a topic as kafkajs's `createTopics` does, and waits until every partition has a leader. kafkajs's own
 * `waitForLeaders` gives up at once when a broker does not know the new topic yet.
 */
export async function createLedTopic(admin: Admin, options: ITopicConfig): Promise<boolean> {
  const created = await admin.createTopics({ waitForLeaders: false, topics: [options] });
  await untilLed(admin, options.topic);
  return created;
}

async function untilLed(admin: Admin, topic: string): Promise<void> {
  const endsAt = performance.now() + LEADERS_DEADLINE_MS;
  for (;;) {
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      const partitions = topics[0]?.partitions ?? [];
      if (partitions.length > 0 && partitions.every(({ leader }) => leader >= 0)) return;
    } catch (error) {
      if (performance.now() > endsAt) throw error;
    }
    if (performance.now() > endsAt) throw new Error(`topic ${topic} has no leader after ${LEADERS_DEADLINE_MS} ms`);
    await delay(LEADERS_POLL_MS);
  }
}

/** The clock that timestamps a topic's messages. */
type TopicClock = "LogAppendTime" | "CreateTime";

/**
 * Resolves with undefined where this client may not read the topic's configuration. Rejects with
 * `StoreUnavailableError`.
 */
export function topicClock(connection: KafkaConnection, topic: string): Promise<TopicClock | undefined> {
  return withAdmin(connection, async (admin) => {
    const wanted = { type: ConfigResourceTypes.TOPIC, name: topic, configNames: ["message.timestamp.type"] };
    try {
      const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [wanted] });
      return resources[0]?.configEntries[0]?.configValue as TopicClock | undefined;
    } catch (error) {
      if ((error as { type?: string }).type === "TOPIC_AUTHORIZATION_FAILED") return undefined;
      throw error;
    }
  });
}

export async function withAdmin<T>(connection: KafkaConnection, act: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafkaOf(connection).admin();
  try {
    await admin.connect();
    return await act(admin);
  } catch (error) {
    throw new StoreUnavailableError(`Kafka: ${messageOf(error)}`, { cause: error });
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

/**
 * Places a consumer group at the first message of each partition that was appended at or after `timeMs` (the end, where
 * there is none). The group must have no members.
 */
export async function startGroupAt(
  connection: KafkaConnection,
  topic: string,
  groupId: string,
  timeMs: number,
): Promise<void> {
  await withAdmin(connection, async (admin) => {
    const partitions = await admin.fetchTopicOffsetsByTimestamp(topic, timeMs);
    await onceCoordinated(() => admin.setOffsets({ groupId, topic, partitions }));
  });
}

/**
 * Asks about a group again for as long as no broker keeps it. A cluster without groups creates the topic of their
 * positions at the first request, which may take longer than kafkajs's own attempts; it gives up with
 * `KafkaJSGroupCoordinatorNotFound` then, which it calls final. Rejects with any other error at once.
 */
export async function onceCoordinated<T>(ask: () => Promise<T>): Promise<T> {
  const endsAt = performance.now() + COORDINATOR_DEADLINE_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const { retriable, name } = error as { retriable?: boolean; name?: string };
      const mayCome = retriable === true || name === "KafkaJSGroupCoordinatorNotFound";
      if (!mayCome || performance.now() > endsAt) throw error;
      await delay(COORDINATOR_POLL_MS);
    }
  }
}
