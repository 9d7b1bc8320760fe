// SPDX-License-Identifier: Apache-2.0
import type { KafkaConfig } from "kafkajs";
import type { Logger } from "pino";

/**
 * The connection to the brokers, shared by every adapter of this folder. A deployment fills it from its configuration.
 */
export interface KafkaConnection {
  /** `host:port` of a few brokers of the cluster. */
  brokers: readonly string[];
  clientId?: string;
  ssl?: NonNullable<KafkaConfig["ssl"]>;
  sasl?: { mechanism: "plain" | "scram-sha-256" | "scram-sha-512"; username: string; password: string };
  /** How long a broker may take for one request. Default 5,000. */
  requestTimeoutMs?: number;
  /** For brokers that are not reached by their advertised addresses. */
  socketFactory?: NonNullable<KafkaConfig["socketFactory"]>;
  /** The logger; absent: kafkajs is silent. */
  logger?: Logger;
}
