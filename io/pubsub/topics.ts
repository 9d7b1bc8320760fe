// SPDX-License-Identifier: Apache-2.0
/**
 * Topics and subscriptions as a deployment needs them. The demonstrations and tests create them here, and the archiver
 * asks whether its subscription loses messages.
 */
import { MINUTE_MS, SECONDS_A_DAY } from "../../domain/rules/time";
import { type PubsubConnection, subscriptionName, topicName } from "./config";
import { callOptions, publisherClient, subscriberClient } from "./connection";
import { alreadyExists, retried } from "./errors";

interface PubsubSubscription {
  topic: string;
  subscription: string;
  /** How long a reader may keep a message before it extends the time: 10 to 600. Default 60. */
  ackDeadlineSeconds?: number;
  /** How long unacknowledged messages are kept. Default 7 days, Pub/Sub's maximum. */
  retentionSeconds?: number;
}

const TOTAL_MS = MINUTE_MS;
const ATTEMPT_MS = 10_000;

/** Creates the topic unless it exists; returns whether it was created. Rejects with `StoreUnavailableError`. */
export async function ensurePubsubTopic(connection: PubsubConnection, topic: string): Promise<boolean> {
  const client = await publisherClient(connection);
  const name = topicName(connection.projectId, topic);
  return made(() => client.createTopic({ name }, callOptions(ATTEMPT_MS)), client);
}

/**
 * Creates the subscription unless it exists, and leaves an existing one unchanged. The subscription never expires. The
 * topic must exist.
 */
export async function ensurePubsubSubscription(
  connection: PubsubConnection,
  options: PubsubSubscription,
): Promise<boolean> {
  const { topic, subscription, ackDeadlineSeconds = 60, retentionSeconds = 7 * SECONDS_A_DAY } = options;
  const client = await subscriberClient(connection);
  const request = {
    name: subscriptionName(connection.projectId, subscription),
    topic: topicName(connection.projectId, topic),
    ackDeadlineSeconds,
    messageRetentionDuration: { seconds: retentionSeconds },
    // Without this, a subscription that no reader uses for 31 days is deleted, with its messages.
    expirationPolicy: {},
  };
  return made(() => client.createSubscription(request, callOptions(ATTEMPT_MS)), client);
}

/**
 * Returns why a subscription does not deliver all messages of the topic; empty where it does. Two readers get different
 * events when one of them reads through such a subscription. Rejects with `StoreUnavailableError`, also where no
 * subscription has the name.
 */
export async function lossesOfSubscription(connection: PubsubConnection, subscription: string): Promise<string[]> {
  const client = await subscriberClient(connection);
  try {
    const name = subscriptionName(connection.projectId, subscription);
    const [found] = await retried(TOTAL_MS, (leftMs) =>
      client.getSubscription({ subscription: name }, callOptions(Math.min(leftMs, ATTEMPT_MS))),
    );
    const losses: string[] = [];
    if (found.filter) losses.push(`its filter ${JSON.stringify(found.filter)} leaves messages out`);
    if (found.deadLetterPolicy?.deadLetterTopic) losses.push("its dead-letter policy takes messages away");
    if (found.pushConfig?.pushEndpoint) losses.push("it pushes its messages elsewhere");
    if (found.detached === true || found.topic === "_deleted-topic_") losses.push("it has lost its topic");
    return losses;
  } finally {
    await client.close();
  }
}

async function made(create: () => Promise<unknown>, client: { close(): Promise<void> }): Promise<boolean> {
  try {
    return await retried(TOTAL_MS, async () => {
      try {
        await create();
        return true;
      } catch (error) {
        if (alreadyExists(error)) return false;
        throw error;
      }
    });
  } finally {
    await client.close();
  }
}
