// SPDX-License-Identifier: Apache-2.0
/** What a subscription has that a deployment cannot live with. `viewmill pubsub init` shows the differences. */
import type { Difference } from "../ports/places";

export const ACK_DEADLINE_SECONDS = 60;

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
