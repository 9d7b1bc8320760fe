import type { Logger } from "pino";
import type { KafkaConnection } from "../../io/kafka/config";
import type { Config } from "../config-schema";

export function kafkaConnection({ log }: Config, logger?: Logger): KafkaConnection {
  return {
    brokers: log.kafka.brokers.split(",").map((broker) => broker.trim()),
    ...(log.kafka.ssl ? { ssl: true } : {}),
    ...(logger === undefined ? {} : { logger }),
  };
}
