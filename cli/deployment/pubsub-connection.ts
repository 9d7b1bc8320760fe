// SPDX-License-Identifier: Apache-2.0
import type { PubsubConnection } from "../../io/pubsub/config";
import type { Settings } from "../config/schema";

/** Returns the connection that every client of Pub/Sub in a deployment uses. */
export function pubsubConnection({ project, log }: Settings<"log" | "project">): PubsubConnection {
  return { projectId: project, ...(log.pubsub.endpoint === "" ? {} : { endpoint: log.pubsub.endpoint }) };
}
