// SPDX-License-Identifier: Apache-2.0
/**
 * Does the work of Dataflow's own Pub/Sub source with a real subscription: pulls messages, and passes on each once in
 * ten minutes.
 */
import { subscriptionName } from "../../../io/pubsub/config";
import { callOptions, type SubscriberClient, subscriberClient } from "../../../io/pubsub/connection";

export interface NativeMessage {
  /** The id attribute's value, or the message's own id. */
  id: string;
  payload: Uint8Array;
  publishedAtMs: number;
}

const MAX_MESSAGES = 1_000;
const TIMEOUT_MS = 10_000;
const KNOWN_MS = 10 * 60_000;

export class NativePubsub {
  /** Every message as it came, redeliveries included. */
  readonly delivered: NativeMessage[] = [];

  private constructor(
    private readonly client: SubscriberClient,
    private readonly subscription: string,
    private readonly idAttribute: string,
  ) {}

  static async open(endpoint: string, projectId: string, subscription: string, idAttribute: string) {
    const client = await subscriberClient({ projectId, endpoint });
    return new NativePubsub(client, subscriptionName(projectId, subscription), idAttribute);
  }

  /** Takes what there is, gives it back unacknowledged, and takes it again: everything is delivered twice at least. */
  async pullTwice(messages: number): Promise<void> {
    for (const end of ["give-back", "acknowledge"] as const) {
      const taken = new Set<string>();
      for (const until = performance.now() + TIMEOUT_MS; taken.size < messages; ) {
        if (performance.now() > until) throw new Error(`${taken.size} of ${messages} messages within ${TIMEOUT_MS} ms`);
        for (const id of await this.pull(end)) taken.add(id);
      }
    }
  }

  private async pull(end: "give-back" | "acknowledge"): Promise<string[]> {
    const { subscription } = this;
    const asked = { subscription, maxMessages: MAX_MESSAGES };
    const [{ receivedMessages = [] }] = await this.client.pull(asked, callOptions(TIMEOUT_MS));
    const ackIds = (receivedMessages ?? []).map(({ ackId }) => String(ackId));
    const ids = (receivedMessages ?? []).map(({ message }) => {
      const { data, attributes, messageId, publishTime } = message!;
      const publishedAtMs = Number(publishTime?.seconds) * 1_000 + Math.floor((publishTime?.nanos ?? 0) / 1_000_000);
      const id = attributes?.[this.idAttribute] ?? String(messageId);
      this.delivered.push({ id, payload: Buffer.from(data as Uint8Array), publishedAtMs });
      return String(messageId);
    });
    if (ackIds.length === 0) return ids;
    const acknowledgement = { subscription, ackIds };
    if (end === "acknowledge") await this.client.acknowledge(acknowledgement, callOptions(TIMEOUT_MS));
    else await this.client.modifyAckDeadline({ ...acknowledgement, ackDeadlineSeconds: 0 }, callOptions(TIMEOUT_MS));
    return ids;
  }

  /** The passed messages: the first of one id within ten minutes. */
  handedOver(): NativeMessage[] {
    const last = new Map<string, number>();
    return this.delivered.filter(({ id, publishedAtMs }) => {
      const before = last.get(id);
      if (before === undefined) last.set(id, publishedAtMs);
      return before === undefined || publishedAtMs - before > KNOWN_MS;
    });
  }

  close(): Promise<void> {
    return this.client.close();
  }
}
