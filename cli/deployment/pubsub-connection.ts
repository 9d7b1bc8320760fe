// SPDX-License-Identifier: Apache-2.0
import type { PubsubConnection } from "../../io/pubsub/config";
import type { Config } from "../config/schema";

export function pubsubConnection({ project, log }: Config): PubsubConnection {
  return { projectId: project, ...(log.pubsub.endpoint === "" ? {} : { endpoint: log.pubsub.endpoint }) };
}
