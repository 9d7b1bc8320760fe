// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../config/config-error";
import type { Settings } from "../config/schema";
import { kafkaConnection } from "./kafka-connection";

/**
 * Requires that the brokers timestamp messages: receipt and watermark are the brokers' clock. With producers' times,
 * Beam's source refuses the first message at every start of the job, and each producer would decide whether its
 * messages are late. Rejects with ConfigError. The archiver and the submission of a stream to Flink ask before they
 * begin.
 */
export async function requireBrokerTimes(config: Settings<"log">): Promise<void> {
  if (config.log.kind !== "kafka") return;
  const { topicClock } = await import("../../io/kafka/topics.js");
  const { topic } = config.log;
  if ((await topicClock(kafkaConnection(config), topic)) !== "CreateTime") return;
  throw new ConfigError(
    `log.topic: messages of ${topic} bear the times of their producers (message.timestamp.type=CreateTime); ` +
      "make a topic with LogAppendTime, and let producers write there",
  );
}
