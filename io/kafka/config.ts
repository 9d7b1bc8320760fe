// SPDX-License-Identifier: Apache-2.0
import { Kafka, type KafkaConfig, logLevel, type SASLOptions } from "kafkajs";
import type { Logger } from "pino";
import "./kafkajs-fixes";
import "./compression";

/** The connection to the brokers, shared by every adapter of this folder. */
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

/**
 * kafkajs logs an `error` for every attempt that it repeats. A final failure reaches the caller, so its log lines get a
 * lower level here.
 */
const PINO_LEVEL: Record<number, "warn" | "info" | "debug"> = {
  [logLevel.ERROR]: "warn",
  [logLevel.WARN]: "info",
  [logLevel.INFO]: "debug",
};

export function kafkaOf(connection: KafkaConnection): Kafka {
  const { brokers, clientId = "viewmill", ssl, sasl, requestTimeoutMs = 5_000, socketFactory, logger } = connection;
  return new Kafka({
    brokers: [...brokers],
    clientId,
    ...(ssl === undefined ? {} : { ssl }),
    ...(sasl === undefined ? {} : { sasl: sasl as SASLOptions }),
    ...(socketFactory === undefined ? {} : { socketFactory }),
    requestTimeout: requestTimeoutMs,
    connectionTimeout: 3_000,
    retry: { retries: 3, initialRetryTime: 100, maxRetryTime: 1_000 },
    logLevel: logger === undefined ? logLevel.NOTHING : logLevel.INFO,
    logCreator:
      () =>
      ({ namespace, level, log: { message, timestamp: _, logger: __, stack: ___, ...fields } }) => {
        // The bound of retries is safe here: partition-sender.ts gives up such a producer.
        if (message.startsWith("Limiting retries")) return;
        logger?.[PINO_LEVEL[level] ?? "debug"]({ ...fields, namespace }, `kafkajs: ${message}`);
      },
  });
}
