// SPDX-License-Identifier: Apache-2.0
/** Checks and creates the topics and subscriptions of a deployment. */
import { MINUTE_MS } from "../../domain/rules/time";
import { type Difference, type Place, placeOf } from "../ports/places";
import {
  callOptions,
  type PubsubConnection,
  publisherClient,
  type SubscriberClient,
  subscriberClient,
  subscriptionName,
  topicName,
} from "./config";
import { notFound, retried } from "./retry";
import { ensurePubsubSubscription, ensurePubsubTopic } from "./topics";

const TOTAL_MS = MINUTE_MS;
const ATTEMPT_MS = 10_000;
const ACK_DEADLINE_SECONDS = 60;

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

interface FoundField extends Difference {
  /** The field of the update; undefined where no field can correct the difference. */
  path?: string;
}

/** The fields of the client's subscription that matter here. */
interface SubscriptionAnswer {
  topic?: string | null;
  ackDeadlineSeconds?: number | null;
  messageRetentionDuration?: { seconds?: unknown } | null;
  expirationPolicy?: { ttl?: { seconds?: unknown } | null } | null;
  filter?: string | null;
  detached?: boolean | null;
  deadLetterPolicy?: { deadLetterTopic?: string | null } | null;
  pushConfig?: { pushEndpoint?: string | null } | null;
  bigqueryConfig?: object | null;
  cloudStorageConfig?: object | null;
}

export function differencesOf(answer: SubscriptionAnswer, topic: string, retentionSeconds: number): FoundField[] {
  const found: FoundField[] = [];
  const changeable = (path: string, words: string) => found.push({ path, words, canChange: true });
  const fixed = (words: string) => found.push({ words, canChange: false });
  if (answer.topic !== topic) fixed(`it is of ${answer.topic}, and must be of ${topic}: delete it, and run init again`);
  if ((answer.filter ?? "") !== "") fixed(`it has the filter ${answer.filter}: what is filtered out is never counted`);
  if (answer.detached === true) fixed("it is detached from its topic");
  const goesElsewhere =
    (answer.pushConfig?.pushEndpoint ?? "") !== "" ||
    Boolean(answer.bigqueryConfig) ||
    Boolean(answer.cloudStorageConfig);
  if (goesElsewhere) fixed("its messages go elsewhere by themselves, and must be pulled");
  if ((answer.deadLetterPolicy?.deadLetterTopic ?? "") !== "")
    fixed("it has a dead-letter policy of Pub/Sub: messages that it takes away are never counted");
  const kept = Number(answer.messageRetentionDuration?.seconds ?? 0);
  if (kept < retentionSeconds)
    changeable("message_retention_duration", `messages are kept ${kept} s, and must be kept ${retentionSeconds} s`);
  const expires = Number(answer.expirationPolicy?.ttl?.seconds ?? 0);
  if (expires > 0) changeable("expiration_policy", `it expires when nobody reads for ${expires} s, and must never`);
  const deadline = answer.ackDeadlineSeconds ?? 0;
  if (deadline < ACK_DEADLINE_SECONDS)
    changeable("ack_deadline_seconds", `its acknowledgement deadline is ${deadline} s, and must be 60 s or more`);
  return found;
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
