// SPDX-License-Identifier: Apache-2.0
/** The connection to Pub/Sub, shared by every adapter of this folder. */
import type { v1 } from "@google-cloud/pubsub";
import { credentials } from "@grpc/grpc-js";

export interface PubsubConnection {
  projectId: string;
  /**
   * `host:port` of an emulator, which is reached without credentials and encryption. Default: the service, with
   * application default credentials.
   */
  endpoint?: string;
  /** The deadline of one attempt of a request. Default 10,000. */
  requestTimeoutMs?: number;
}

export type PublisherClient = v1.PublisherClient;
export type SubscriberClient = v1.SubscriberClient;
export const DEFAULT_REQUEST_TIMEOUT_MS = 10_000;

/** The library is loaded at the first use, because loading takes a third of a second. */
export async function publisherClient(connection: PubsubConnection): Promise<PublisherClient> {
  const { v1 } = await import("@google-cloud/pubsub");
  return new v1.PublisherClient(clientOptions(connection));
}

export async function subscriberClient(connection: PubsubConnection): Promise<SubscriberClient> {
  const { v1 } = await import("@google-cloud/pubsub");
  return new v1.SubscriberClient(clientOptions(connection));
}

export function callOptions(timeoutMs: number) {
  return { timeout: timeoutMs, retry: null };
}

/** Returns `projects/P/topics/T`. Throws a RangeError for a name that cannot be part of a resource's name. */
export function topicName(projectId: string, topic: string): string {
  return `projects/${idOf(projectId)}/topics/${idOf(topic)}`;
}
export function subscriptionName(projectId: string, subscription: string): string {
  return `projects/${idOf(projectId)}/subscriptions/${idOf(subscription)}`;
}

/**
 * The library asks its authentication for the universe even without credentials. It would look for Google's metadata
 * server for seconds.
 */
const NO_AUTH = { getUniverseDomain: async () => "googleapis.com" } as unknown as NonNullable<
  NonNullable<ConstructorParameters<typeof v1.PublisherClient>[0]>["auth"]
>;

function clientOptions({ projectId, endpoint }: PubsubConnection) {
  if (endpoint === undefined) return { projectId };
  const at = endpoint.lastIndexOf(":");
  const [servicePath, port] = [endpoint.slice(0, at), Number(endpoint.slice(at + 1))];
  if (at < 1 || !Number.isInteger(port)) throw new RangeError(`"${endpoint}" is not host:port, such as 127.0.0.1:8085`);
  return { projectId, servicePath, port, sslCreds: credentials.createInsecure(), auth: NO_AUTH };
}

const ID_RULE = "3 to 255 letters, digits and . _ ~ % + : -, beginning with a letter";

function idOf(id: string): string {
  if (!/^[A-Za-z][A-Za-z0-9._~%+:-]{2,254}$/.test(id))
    throw new RangeError(`"${id.slice(0, 80)}" is not an id of Pub/Sub: ${ID_RULE}`);
  return id;
}
