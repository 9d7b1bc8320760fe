// SPDX-License-Identifier: Apache-2.0
/** Opens a subscription, prints the name and the ids of the first portion it gets, and holds it until killed. */
import { KafkaLogSubscription } from "../../../../io/kafka/log-subscription";
import type { LogSubscription } from "../../../../io/ports";
import { PubsubLogSubscription } from "../../../../io/pubsub/log-subscription";
import { SqliteEventLog } from "../../../../io/sqlite/event-log";
import { SqliteLedger } from "../../../../io/sqlite/ledger";
import { SqliteLogSubscription } from "../embedded-subscription";
import { readingPositionOf } from "../reading-position";

const OPEN: Record<string, (options: string) => Promise<LogSubscription>> = {
  kafka: (options) => KafkaLogSubscription.open(JSON.parse(options)),
  pubsub: (options) => PubsubLogSubscription.open(JSON.parse(options)),
  sqlite: async (folder) =>
    new SqliteLogSubscription(await SqliteEventLog.open({ folder }), readingPositionOf(new SqliteLedger({ folder }))),
};

async function main(): Promise<void> {
  const [, , kind, options] = process.argv;
  const reader = await OPEN[kind!]!(options!);
  const portion = await reader.take({ maxMessages: 4, maxBytes: 1e8, waitMs: 60_000 });
  process.stdout.write(`${JSON.stringify({ name: portion!.name, ids: portion!.messages.map(({ id }) => id) })}\n`);
  setInterval(() => undefined, 1_000);
}
void main();
