// SPDX-License-Identifier: Apache-2.0
/** Checks and creates the topics and consumer groups of a deployment. `viewmill kafka init` runs it. */

import { type Admin, ConfigResourceTypes } from "kafkajs";
import { type Difference, type Place, placeOf } from "../ports/places";
import { DEFAULT_MAX_MESSAGE_BYTES } from "./appender";
import type { KafkaConnection } from "./config";
import { BATCH_OVERHEAD_BYTES, createLedTopic, onceCoordinated, withAdmin } from "./topics";

interface WantedTopic {
  topic: string;
  /** The number of partitions of a new topic. An existing topic must have as many only where `partitionsMatter`. */
  partitions: number;
  partitionsMatter: boolean;
  /** Whether the job reads the topic, whose messages must carry the broker's time. */
  isLog: boolean;
  retentionMs: number;
}

interface WantedGroup {
  group: string;
  topic: string;
}

const DYNAMIC_TOPIC_CONFIG = 1;
const MIN_MESSAGE_BYTES = DEFAULT_MAX_MESSAGE_BYTES + BATCH_OVERHEAD_BYTES;

/**
 * Checks topics and groups. With `change`, creates missing ones and corrects a topic's settings and its number of
 * partitions, never its messages. Rejects with `StoreUnavailableError`.
 */
export function kafkaPlaces(
  connection: KafkaConnection,
  topics: readonly WantedTopic[],
  groups: readonly WantedGroup[],
  change: boolean,
): Promise<Place[]> {
  return withAdmin(connection, async (admin) => {
    const places: Place[] = [];
    for (const wanted of topics) places.push(await topicPlace(admin, wanted, change));
    for (const wanted of groups) places.push(await onceCoordinated(() => groupPlace(admin, wanted, change)));
    return places;
  });
}

async function topicPlace(admin: Admin, wanted: WantedTopic, change: boolean): Promise<Place> {
  const { topic } = wanted;
  if (!(await admin.listTopics()).includes(topic)) {
    if (!change) return { kind: "topic", name: topic, outcome: "missing", differences: ["there is no such topic"] };
    const configEntries = Object.entries(settingsOf(wanted)).map(([name, value]) => ({ name, value }));
    const created = { topic, numPartitions: wanted.partitions, replicationFactor: -1, configEntries };
    await createLedTopic(admin, created);
    return { kind: "topic", name: topic, outcome: "created", differences: [] };
  }
  const found = await foundOf(admin, wanted);
  const changes = found.filter(({ canChange }) => canChange);
  if (change && changes.length > 0) await setRight(admin, wanted, changes);
  return placeOf("topic", topic, found, change);
}

/** Returns the settings of a new topic. */
function settingsOf({ retentionMs, isLog }: WantedTopic): Record<string, string> {
  return {
    "cleanup.policy": "delete",
    "retention.ms": String(retentionMs),
    "max.message.bytes": String(MIN_MESSAGE_BYTES),
    ...(isLog ? { "message.timestamp.type": "LogAppendTime" } : {}),
  };
}

interface FoundSetting extends Difference {
  /** The setting; undefined: the number of partitions. */
  setting?: string;
}

async function foundOf(admin: Admin, wanted: WantedTopic): Promise<FoundSetting[]> {
  const { topic, retentionMs, partitions, partitionsMatter, isLog } = wanted;
  const values = await topicSettings(admin, topic);
  const found: FoundSetting[] = [];
  const differs = (setting: string, must: string, canChange = true) =>
    found.push({ setting, words: `${setting} is ${values.get(setting)?.value}, and must be ${must}`, canChange });
  const number = (setting: string) => Number(values.get(setting)?.value);
  if (values.get("cleanup.policy")?.value !== "delete") differs("cleanup.policy", "delete");
  const isKept = number("retention.ms") === -1 || number("retention.ms") >= retentionMs;
  if (!isKept) differs("retention.ms", `at least ${retentionMs}`);
  if (number("max.message.bytes") < MIN_MESSAGE_BYTES) differs("max.message.bytes", `at least ${MIN_MESSAGE_BYTES}`);
  if (isLog && values.get("message.timestamp.type")?.value !== "LogAppendTime") {
    // Existing messages keep the times of their producers, at which a job on Flink fails.
    const isEmpty = (await admin.fetchTopicOffsets(topic)).every(({ high }) => high === "0");
    const must = isEmpty ? "LogAppendTime" : "LogAppendTime; this topic has messages already: make another";
    differs("message.timestamp.type", must, isEmpty);
  }
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  const present = topics[0]?.partitions.length ?? 0;
  if (partitionsMatter && present < partitions)
    found.push({ words: `it has ${present} partitions, and ${partitions} are asked for`, canChange: true });
  return found;
}

async function topicSettings(admin: Admin, topic: string): Promise<Map<string, { value: string; isOwn: boolean }>> {
  const resources = [{ type: ConfigResourceTypes.TOPIC, name: topic }];
  const described = await admin.describeConfigs({ includeSynonyms: false, resources });
  const entries = described.resources[0]?.configEntries ?? [];
  return new Map(
    entries.map(({ configName, configValue, configSource }) => [
      configName,
      { value: configValue, isOwn: Number(configSource) === DYNAMIC_TOPIC_CONFIG },
    ]),
  );
}

/** Kafka's request replaces all settings of the topic's own, so unchanged settings are sent along. */
async function setRight(admin: Admin, wanted: WantedTopic, changes: readonly FoundSetting[]): Promise<void> {
  const { topic, partitions } = wanted;
  const settings = changes.flatMap(({ setting }) => (setting === undefined ? [] : [setting]));
  if (settings.length > 0) {
    const own = [...(await topicSettings(admin, topic))].filter(([, { isOwn }]) => isOwn);
    const must = settingsOf(wanted);
    const after = new Map(own.map(([name, { value }]) => [name, value]));
    for (const name of settings) after.set(name, must[name] ?? "");
    const configEntries = [...after].map(([name, value]) => ({ name, value }));
    const resources = [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries }];
    await admin.alterConfigs({ validateOnly: false, resources });
  }
  if (changes.some(({ setting }) => setting === undefined))
    await admin.createPartitions({ topicPartitions: [{ topic, count: partitions }] });
}

/**
 * A group that has a place in every partition reads from there on; one that has none is placed at the first message.
 */
async function groupPlace(admin: Admin, { group, topic }: WantedGroup, change: boolean): Promise<Place> {
  const missing = (words: string): Place => ({ kind: "group", name: group, outcome: "missing", differences: [words] });
  if (!(await admin.listTopics()).includes(topic)) return missing(`there is no topic ${topic} to read`);
  const [committed] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  const placed = new Set(
    committed?.partitions.filter(({ offset }) => Number(offset) >= 0).map(({ partition }) => partition),
  );
  const without = (topics[0]?.partitions ?? []).filter(({ partitionId }) => !placed.has(partitionId));
  const { groups } = await admin.describeGroups([group]);
  const isRead = (groups[0]?.members.length ?? 0) > 0;
  // Members set their own positions, and no other process may.
  if (without.length === 0 || isRead) return { kind: "group", name: group, outcome: "exists", differences: [] };
  if (!change) return missing(`it has no place in ${without.length} partitions of ${topic}`);
  const lows = new Map((await admin.fetchTopicOffsets(topic)).map(({ partition, low }) => [partition, low]));
  const partitions = without.map(({ partitionId }) => ({
    partition: partitionId,
    offset: lows.get(partitionId) ?? "0",
  }));
  await admin.setOffsets({ groupId: group, topic, partitions });
  return { kind: "group", name: group, outcome: placed.size === 0 ? "created" : "changed", differences: [] };
}
