// SPDX-License-Identifier: Apache-2.0
import { basename, dirname } from "node:path";
import type { Settings } from "../config/schema";
import { authorities } from "./kafka-connection";

const PACKAGE = "org.apache.kafka.common";
const LOGIN = { plain: "plain.PlainLoginModule", scram: "scram.ScramLoginModule" };

/**
 * Returns the properties by which Java's consumer, in the job server and in TaskManagers, reaches the brokers as
 * `kafkaConnection` does. The job carries the certificates of the authorities. Of the password it carries the name of
 * the file alone, which these processes read for themselves, at the same path. The streaming job on Flink carries them
 * (stream-graph.ts).
 */
export function kafkaConsumerProperties({ log }: Settings<"log">): Record<string, string> {
  const { ssl, caFile, sasl, username, passwordFile } = log.kafka;
  const properties: Record<string, string> = {};
  if (ssl || sasl !== "") properties["security.protocol"] = `${sasl === "" ? "" : "SASL_"}${ssl ? "SSL" : "PLAINTEXT"}`;
  if (caFile !== "") {
    properties["ssl.truststore.type"] = "PEM";
    properties["ssl.truststore.certificates"] = authorities(caFile);
  }
  if (sasl === "") return properties;
  const login = `${PACKAGE}.security.${sasl === "plain" ? LOGIN.plain : LOGIN.scram}`;
  return {
    ...properties,
    "config.providers": "directory",
    "config.providers.directory.class": `${PACKAGE}.config.provider.DirectoryConfigProvider`,
    "sasl.mechanism": sasl.toUpperCase(),
    "sasl.jaas.config": `${login} required username=${quoted(username)} password="\${directory:${dirname(passwordFile)}:${basename(passwordFile)}}";`,
  };
}

const quoted = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`;
