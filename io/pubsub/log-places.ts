// SPDX-License-Identifier: Apache-2.0
/** Checks and creates the topics and subscriptions of a deployment. `viewmill pubsub init` runs it. */
import { MINUTE_MS } from "../../domain/rules/time";
import { type Place, placeOf } from "../ports/places";
import { type PubsubConnection, subscriptionName, topicName } from "./config";
import { callOptions, publisherClient, type SubscriberClient, subscriberClient } from "./connection";
import { notFound, retried } from "./errors";
import { ACK_DEADLINE_SECONDS, differencesOf } from "./subscription-differences";
import { ensurePubsubSubscription, ensurePubsubTopic } from "./topics";

const TOTAL_MS = MINUTE_MS;
const ATTEMPT_MS = 10_000;

interface WantedSubscription {
  subscription: string;
  topic: string;
  /** How long unacknowledged messages are kept: at most 7 days. */
  retentionSeconds: number;
}

/**
 * Checks topics and subscriptions. With `change`, creates missing ones and corrects a subscription's times. Rejects
 * with `StoreUnavailableError`, and with a RangeError for an invalid name.
 */
export async function pubsubPlaces(
  connection: PubsubConnection,
  topics: readonly string[],
  subscriptions: readonly WantedSubscription[],
  change: boolean,
): Promise<Place[]> {
  const places: Place[] = [];
  for (const topic of topics) places.push(await topicPlace(connection, topic, change));
  for (const wanted of subscriptions) places.push(await subscriptionPlace(connection, wanted, change));
  return places;
}

async function topicPlace(connection: PubsubConnection, topic: string, change: boolean): Promise<Place> {
  const client = await publisherClient(connection);
  try {
    const name = topicName(connection.projectId, topic);
    const found = await known(() => client.getTopic({ topic: name }, callOptions(ATTEMPT_MS)));
    if (found !== undefined) return { kind: "topic", name: topic, outcome: "exists", differences: [] };
  } finally {
    await client.close();
  }
  if (!change) return { kind: "topic", name: topic, outcome: "missing", differences: ["there is no such topic"] };
  await ensurePubsubTopic(connection, topic);
  return { kind: "topic", name: topic, outcome: "created", differences: [] };
}

async function subscriptionPlace(
  connection: PubsubConnection,
  wanted: WantedSubscription,
  change: boolean,
): Promise<Place> {
  const { subscription } = wanted;
  const client = await subscriberClient(connection);
  try {
    const name = subscriptionName(connection.projectId, subscription);
    const answer = await known(() => client.getSubscription({ subscription: name }, callOptions(ATTEMPT_MS)));
    if (answer === undefined) {
      const differences = ["there is no such subscription"];
      if (!change) return { kind: "subscription", name: subscription, outcome: "missing", differences };
      await ensurePubsubSubscription(connection, wanted);
      return { kind: "subscription", name: subscription, outcome: "created", differences: [] };
    }
    const found = differencesOf(answer[0], topicName(connection.projectId, wanted.topic), wanted.retentionSeconds);
    const paths = found.flatMap(({ path }) => (path === undefined ? [] : [path]));
    if (change && paths.length > 0) await setRight(client, name, wanted, paths);
    return placeOf("subscription", subscription, found, change);
  } finally {
    await client.close();
  }
}

async function setRight(
  client: SubscriberClient,
  name: string,
  { retentionSeconds }: WantedSubscription,
  paths: string[],
): Promise<void> {
  const subscription = {
    name,
    ackDeadlineSeconds: ACK_DEADLINE_SECONDS,
    messageRetentionDuration: { seconds: retentionSeconds },
    expirationPolicy: {},
  };
  await retried(TOTAL_MS, () =>
    client.updateSubscription({ subscription, updateMask: { paths } }, callOptions(ATTEMPT_MS)),
  );
}

/** Resolves with undefined where nothing has the name. */
async function known<T>(get: () => Promise<T>): Promise<T | undefined> {
  return retried(TOTAL_MS, async () => {
    try {
      return await get();
    } catch (error) {
      if (notFound(error)) return undefined;
      throw error;
    }
  });
}
