// SPDX-License-Identifier: Apache-2.0
/**
 * Both sides of a log that several processes share (Kafka, Pub/Sub): `serve` opens the writing side, and the archiver
 * the reading side.
 */
import type { Logger } from "pino";
import type { EventLog, LogSubscription } from "../../io/ports";
import { ConfigError } from "../config/config-error";
import type { Settings } from "../config/schema";
import { kafkaConnection } from "./kafka-connection";
import { pubsubConnection } from "./pubsub-connection";
import { requireBrokerTimes } from "./require-broker-times";
import { requireWholeSubscription } from "./require-whole-subscription";

/** How long a killed archiver keeps its partitions. */
const SESSION_TIMEOUT_MS = 10_000;

/**
 * Opens a log that several processes share, for writing. Rejects with StoreUnavailableError where it does not answer.
 */
export async function openSharedLog(config: Settings<"log" | "project">, logger: Logger): Promise<EventLog> {
  const { topic, maxInFlightBytes } = config.log;
  if (config.log.kind === "kafka") {
    const { KafkaEventLog } = await import("../../io/kafka/event-log.js");
    return KafkaEventLog.open({ ...kafkaConnection(config, logger), topic, maxQueueBytes: maxInFlightBytes });
  }
  if (config.log.kind === "pubsub") {
    const { PubsubEventLog } = await import("../../io/pubsub/event-log.js");
    return PubsubEventLog.open({ ...pubsubConnection(config), topic, maxQueueBytes: maxInFlightBytes });
  }
  throw new ConfigError(`log.kind ${config.log.kind} is no shared log`);
}

/**
 * Opens the archiver's reading side of the log. `onSkipped` gets the number of messages that left the log unread, where
 * the log can tell. Rejects with ConfigError for a Kafka topic with producers' times, and for a subscription of Pub/Sub
 * that delivers less than the topic.
 */
export async function openSubscription(
  config: Settings<"log" | "project">,
  logger: Logger,
  onSkipped: (messages: number) => void = () => undefined,
): Promise<LogSubscription> {
  const { topic, kind, kafka, pubsub } = config.log;
  if (kind === "kafka") {
    await requireBrokerTimes(config);
    const { KafkaLogSubscription } = await import("../../io/kafka/log-subscription.js");
    return KafkaLogSubscription.open({
      ...kafkaConnection(config, logger),
      topic,
      groupId: kafka.archiveGroup,
      sessionTimeoutMs: SESSION_TIMEOUT_MS,
      onSkipped: ({ fromOffset, toOffset }) => onSkipped(toOffset - fromOffset),
    });
  }
  if (kind === "pubsub") {
    await requireWholeSubscription(config, "archiveSubscription");
    const { PubsubLogSubscription } = await import("../../io/pubsub/log-subscription.js");
    return PubsubLogSubscription.open({
      ...pubsubConnection(config),
      subscription: pubsub.archiveSubscription,
      logger,
    });
  }
  throw new ConfigError(`there is nothing to archive from with log.kind ${kind}: the embedded stream does it itself`);
}
