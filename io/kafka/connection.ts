// SPDX-License-Identifier: Apache-2.0
/**
 * The client of the brokers, from the connection of a deployment. Every adapter of this folder opens its client here.
 */
import { Kafka, logLevel, type SASLOptions } from "kafkajs";
import "./kafkajs-fixes";
import "./compression";
import type { KafkaConnection } from "./config";

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
