// SPDX-License-Identifier: Apache-2.0
import { MessageTooLargeError } from "../../io/formats/messages/errors";
import type { DeadLetters, NewDeadLetter } from "../../io/ports";
import { ConfigError } from "../config/config-error";
import type { Settings } from "../config/schema";
import { gcsLocation } from "./gcs-location";
import { kafkaConnection } from "./kafka-connection";
import { pubsubConnection } from "./pubsub-connection";

/** Every opened deployment has them, and `viewmill dead-letters` opens them alone. */
export async function openDeadLetters(
  config: Settings<"data" | "deadLetters" | "gcs" | "log" | "project">,
): Promise<DeadLetters> {
  const { kind, maxBytes, prefix } = config.deadLetters;
  if (kind === "sqlite") {
    if (config.log.deadLetterTopic !== "") throw new ConfigError("log.deadLetterTopic needs deadLetters.kind gcs");
    const { SqliteDeadLetters } = await import("../../io/sqlite/dead-letters.js");
    return new SqliteDeadLetters({ folder: config.data, maxBytes });
  }
  const { GcsDeadLetters } = await import("../../io/gcs/dead-letters.js");
  const topic = await openDeadLetterTopic(config);
  if (topic === undefined) return new GcsDeadLetters(gcsLocation(config, prefix));
  // A letter too large for the topic is stored all the same, because the bucket has no such bound.
  const publish = (letter: NewDeadLetter) =>
    topic.publishDeadLetter(letter).catch((error: unknown) => {
      if (!(error instanceof MessageTooLargeError)) throw error;
    });
  const letters = new GcsDeadLetters({ ...gcsLocation(config, prefix), publish });
  const close = letters.close.bind(letters);
  letters.close = async () => {
    await close();
    await topic.close();
  };
  return letters;
}

/** Opens the topic to which dead letters are published after they are stored. */
async function openDeadLetterTopic(config: Settings<"log" | "project">) {
  const { kind, deadLetterTopic: topic } = config.log;
  if (topic === "") return undefined;
  if (kind === "kafka") {
    const { KafkaDeadLetterTopic } = await import("../../io/kafka/dead-letter-topic.js");
    return KafkaDeadLetterTopic.open({ ...kafkaConnection(config), topic });
  }
  if (kind === "pubsub") {
    const { PubsubDeadLetterTopic } = await import("../../io/pubsub/dead-letter-topic.js");
    return PubsubDeadLetterTopic.open({ ...pubsubConnection(config), topic });
  }
  throw new ConfigError("log.deadLetterTopic needs log.kind kafka or pubsub");
}
