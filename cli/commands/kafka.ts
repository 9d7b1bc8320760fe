// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import { HOUR_MS, HOURS_A_DAY } from "../../domain/rules/time";
import { wholeNumber } from "../arguments/whole-number";
import { ConfigError } from "../config/config-error";
import { resolveConfig } from "../config/resolve";
import { kafkaConnection } from "../deployment/kafka-connection";
import { type InitFlags, initOptions, report } from "./place-report";

interface KafkaInitFlags extends InitFlags {
  partitions: number;
  retentionHours: number;
}

const DEFAULT_PARTITIONS = 12;
const WEEK_HOURS = 7 * HOURS_A_DAY;

export function register(program: Command): void {
  const init = program
    .command("kafka")
    .description("the topics of the log in Kafka, and the archiver's consumer group")
    .command("init")
    .description("make what is missing, and set right what differs; messages stay as they are")
    .option(
      "--partitions <n>",
      "of a topic that is made, or at least for one that exists",
      wholeNumber(1, 10_000),
      DEFAULT_PARTITIONS,
    )
    .option("--retention-hours <n>", "how long messages are kept at least", wholeNumber(1, 1_000_000), WEEK_HOURS);
  initOptions(init).action(async (flags: KafkaInitFlags, command: Command) => {
    const config = resolveConfig(command);
    const { log } = config;
    if (log.kind !== "kafka") throw new ConfigError(`log.kind is ${log.kind}, not kafka`);
    const { kafkaPlaces } = await import("../../io/kafka/log-places.js");
    const { partitions, retentionHours } = flags;
    const asked = { partitions, retentionMs: retentionHours * HOUR_MS };
    const topics = [
      {
        ...asked,
        topic: log.topic,
        isLog: true,
        partitionsMatter: command.getOptionValueSource("partitions") === "cli",
      },
      { ...asked, topic: log.deadLetterTopic, isLog: false, partitionsMatter: false },
    ].filter(({ topic }) => topic !== "");
    // The job keeps its positions in checkpoints, so the archiver's group alone has positions.
    const groups = [{ group: log.kafka.archiveGroup, topic: log.topic }];
    report(await kafkaPlaces(kafkaConnection(config), topics, groups, flags.check !== true), flags.json);
  });
}
