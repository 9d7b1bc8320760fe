// SPDX-License-Identifier: Apache-2.0
/** The connection to Kafka from the configuration. Everything of a deployment that reads or writes topics uses it. */
import { readFileSync } from "node:fs";
import type { Logger } from "pino";
import type { KafkaConnection } from "../../io/kafka/config";
import { ConfigError } from "../config/config-error";
import type { Settings } from "../config/schema";

/**
 * Returns this process's connection to the brokers. Throws ConfigError for files that cannot be read, or a password
 * that Java could not use.
 */
export function kafkaConnection({ log }: Settings<"log">, logger?: Logger): KafkaConnection {
  const { brokers, ssl, caFile, sasl, username } = log.kafka;
  return {
    brokers: brokers.split(",").map((broker) => broker.trim()),
    ...(ssl ? { ssl: caFile === "" ? true : { ca: authorities(caFile) } } : {}),
    ...(sasl === "" ? {} : { sasl: { mechanism: sasl, username, password: password(log.kafka.passwordFile) } }),
    ...(logger === undefined ? {} : { logger }),
  };
}

/** Returns the PEM text of the file, unchanged. */
export const authorities = (caFile: string): string => textOf(caFile, "log.kafka.caFile");

/**
 * Returns the password. Java's client puts the file's content into the quoted text of a setting, so a password that
 * Java would misread is refused.
 */
function password(file: string): string {
  const text = textOf(file, "log.kafka.passwordFile");
  const wrong = /["\\\r\n]/.exec(text);
  if (wrong !== null)
    throw new ConfigError(
      `log.kafka.passwordFile: ${file} holds ${JSON.stringify(wrong[0])}, which Java's client would not take for a part of the password`,
    );
  if (text === "") throw new ConfigError(`log.kafka.passwordFile: ${file} is empty`);
  return text;
}

function textOf(file: string, setting: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new ConfigError(`${setting}: ${(error as Error).message}`);
  }
}
