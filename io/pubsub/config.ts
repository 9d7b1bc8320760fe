// SPDX-License-Identifier: Apache-2.0
/**
 * The place of topics and subscriptions, shared by every port of this folder. A deployment fills it from its
 * configuration.
 */

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

/** Returns `projects/P/topics/T`. Throws a RangeError for a name that cannot be part of a resource's name. */
export function topicName(projectId: string, topic: string): string {
  return `projects/${idOf(projectId)}/topics/${idOf(topic)}`;
}
export function subscriptionName(projectId: string, subscription: string): string {
  return `projects/${idOf(projectId)}/subscriptions/${idOf(subscription)}`;
}

const ID_RULE = "3 to 255 letters, digits and . _ ~ % + : -, beginning with a letter";

function idOf(id: string): string {
  if (!/^[A-Za-z][A-Za-z0-9._~%+:-]{2,254}$/.test(id))
    throw new RangeError(`"${id.slice(0, 80)}" is not an id of Pub/Sub: ${ID_RULE}`);
  return id;
}
