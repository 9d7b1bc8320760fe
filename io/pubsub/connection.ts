// SPDX-License-Identifier: Apache-2.0
/** The clients of Pub/Sub, and the options of their calls. Every adapter of this folder opens its clients here. */
import type { v1 } from "@google-cloud/pubsub";
import { credentials } from "@grpc/grpc-js";
import type { PubsubConnection } from "./config";

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
