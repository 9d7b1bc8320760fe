// SPDX-License-Identifier: Apache-2.0
import { makeFolder } from "../../io/flow/make-folder";
import type { Settings } from "../config/schema";
import { usesDataFolder } from "./deployment";
import { kafkaConnection } from "./kafka-connection";
import { bigtableLocation } from "./open-counters";
import { pubsubConnection } from "./pubsub-connection";

interface CreateOptions {
  /** The partitions of a Kafka topic that does not exist yet. */
  partitions: number;
}

/**
 * Creates the missing topics, subscriptions and tables of a deployment; existing ones stay as they are. The cluster
 * demonstration and the benches call it; an operator runs the `init` commands.
 */
export async function createPlaces(
  config: Settings<"archive" | "claims" | "counters" | "data" | "deadLetters" | "log" | "project">,
  { partitions }: CreateOptions,
): Promise<void> {
  if (usesDataFolder(config)) makeFolder(config.data);
  if (config.log.kind === "kafka") {
    const { ensureKafkaTopic } = await import("../../io/kafka/topics.js");
    for (const topic of [config.log.topic, config.log.deadLetterTopic])
      if (topic !== "") await ensureKafkaTopic(kafkaConnection(config), { topic, partitions });
  }
  if (config.log.kind === "pubsub") {
    const { ensurePubsubTopic, ensurePubsubSubscription } = await import("../../io/pubsub/topics.js");
    const connection = pubsubConnection(config);
    await ensurePubsubTopic(connection, config.log.topic);
    if (config.log.deadLetterTopic !== "") await ensurePubsubTopic(connection, config.log.deadLetterTopic);
    for (const subscription of [config.log.pubsub.streamSubscription, config.log.pubsub.archiveSubscription])
      await ensurePubsubSubscription(connection, { topic: config.log.topic, subscription });
  }
  if (config.counters.kind === "bigtable") {
    const { createTables } = await import("../../io/bigtable/tables.js");
    await createTables(bigtableLocation(config));
  }
}
