// SPDX-License-Identifier: Apache-2.0

import type { Command } from "commander";
import { SECONDS_A_DAY } from "../../domain/rules/time";
import { ConfigError } from "../config/config-error";
import { resolveConfig } from "../config/resolve";
import { pubsubConnection } from "../deployment/pubsub-connection";
import { type InitFlags, initOptions, report } from "./place-report";

/** The retention of messages, in which a job that is away has to return. */
const RETENTION_SECONDS = 7 * SECONDS_A_DAY;

export function register(program: Command): void {
  const init = program
    .command("pubsub")
    .description("the topics and subscriptions of the log in Pub/Sub")
    .command("init")
    .description(
      "make topics and subscriptions that are missing, and set right what differs; messages stay as they are",
    );
  initOptions(init).action(async ({ check, json }: InitFlags, command: Command) => {
    const config = resolveConfig(command);
    const { log } = config;
    if (log.kind !== "pubsub") throw new ConfigError(`log.kind is ${log.kind}, not pubsub`);
    const { pubsubPlaces } = await import("../../io/pubsub/log-places.js");
    const { streamSubscription, archiveSubscription } = log.pubsub;
    const wanted = { topic: log.topic, retentionSeconds: RETENTION_SECONDS };
    const subscriptions = [streamSubscription, archiveSubscription].map((name) => ({ ...wanted, subscription: name }));
    const topics = [log.topic, log.deadLetterTopic].filter((topic) => topic !== "");
    const mayChange = check !== true;
    report(await pubsubPlaces(pubsubConnection(config), topics, subscriptions, mayChange), json);
  });
}
