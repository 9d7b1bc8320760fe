// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../config/load";
import type { Config } from "../config/schema";
import { pubsubConnection } from "./pubsub-connection";

/**
 * Both readers of a Pub/Sub topic must be given all of it: what one has and the other has not is archived and never
 * counted, or counted and never archived. Rejects with ConfigError, or with StoreUnavailableError where Pub/Sub does
 * not answer.
 */
export async function requireWholeSubscription(
  config: Config,
  setting: "archiveSubscription" | "streamSubscription",
): Promise<void> {
  if (config.log.kind !== "pubsub") return;
  const { lossesOfSubscription } = await import("../../io/pubsub/topics.js");
  const subscription = config.log.pubsub[setting];
  const losses = await lossesOfSubscription(pubsubConnection(config), subscription);
  if (losses.length === 0) return;
  throw new ConfigError(`log.pubsub.${setting}: ${subscription} does not give all of the topic: ${losses.join(", ")}`);
}
