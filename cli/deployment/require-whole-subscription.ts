// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../config/config-error";
import type { Settings } from "../config/schema";
import { pubsubConnection } from "./pubsub-connection";

/**
 * Requires that both readers of a Pub/Sub topic get all its messages. A message that only one of them gets is archived
 * and never counted, or counted and never archived. Rejects with ConfigError, or with StoreUnavailableError where
 * Pub/Sub does not answer. The archiver and the submission of a stream ask before they begin.
 */
export async function requireWholeSubscription(
  config: Settings<"log" | "project">,
  setting: "archiveSubscription" | "streamSubscription",
): Promise<void> {
  if (config.log.kind !== "pubsub") return;
  const { lossesOfSubscription } = await import("../../io/pubsub/topics.js");
  const subscription = config.log.pubsub[setting];
  const losses = await lossesOfSubscription(pubsubConnection(config), subscription);
  if (losses.length === 0) return;
  throw new ConfigError(`log.pubsub.${setting}: ${subscription} does not give all of the topic: ${losses.join(", ")}`);
}
