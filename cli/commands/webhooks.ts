// SPDX-License-Identifier: Apache-2.0
import { type Command, Option } from "commander";
import { type AlertStore, DELIVERY_STATES, type Delivery, type DeliveryState } from "../../io/ports/alert-store";
import { shownDelivery } from "../../query-api";
import { positiveInteger } from "../arguments/whole-number";
import { resolveConfig } from "../config/resolve";
import { openKeptAlerts } from "../deployment/open-alerts";
import { asTable, shortTime } from "../reading/read-service";

interface Selection {
  id?: string;
  webhook?: string;
  state?: DeliveryState;
  json?: boolean;
}

const USUAL_LIMIT = 50;
const MAX_SHOWN_CHARACTERS = 60;

export function register(program: Command): void {
  const webhooks = program.command("webhooks").description("messages of alerts: list them, deliver them again");
  selecting(webhooks.command("list"))
    .description("messages to webhooks, the newest first")
    .addOption(new Option("--limit <n>", "at most this many").argParser(positiveInteger).default(USUAL_LIMIT))
    .action((flags: Selection & { limit: number }, command: Command) =>
      withAlerts(command, async (store) => {
        const { id, limit, json, ...query } = flags;
        const found = await store.list({ limit, ...query, ...(id !== undefined && { messageId: id }) });
        list(found, json === true);
      }),
    );
  selecting(webhooks.command("replay"))
    .description("delivers messages again, the dead ones where nothing else is said; a message keeps its id")
    .action((flags: Selection, command: Command) =>
      withAlerts(command, async (store) => {
        const { id, webhook, state, json } = flags;
        const of = state ?? (id === undefined ? "dead" : undefined);
        const query = { ...(id && { messageId: id }), ...(webhook && { webhook }), ...(of && { state: of }) };
        const replayed = await store.replay(query, Date.now());
        process.stdout.write(json === true ? `${JSON.stringify({ replayed })}\n` : `${replayed} wait again\n`);
      }),
    );
}

const selecting = (command: Command) =>
  command
    .option("--data <dir>", "data folder of the service that delivers")
    .option("--config <file>", "configuration file of that service")
    .option("--id <id>", "the message of this id")
    .option("--webhook <name>", "messages for this webhook")
    .addOption(new Option("--state <state>", "messages in this state").choices(DELIVERY_STATES))
    .option("--json", "print JSON");

/** A deployment without stored alerts has nothing to list or to replay, and the command creates no store. */
async function withAlerts(
  command: Command,
  work: (store: Pick<AlertStore, "list" | "replay">) => Promise<void>,
): Promise<void> {
  const store = await openKeptAlerts(resolveConfig(command));
  if (store === undefined) return work({ list: async () => [], replay: async () => 0 });
  try {
    await work(store);
  } finally {
    await store.close();
  }
}

function list(deliveries: readonly Delivery[], json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify({ deliveries: deliveries.map(shownDelivery) })}\n`);
    return;
  }
  const rows = deliveries.map(({ messageId, webhook, rule, state, createdAtMs, attempts, lastOutcome = "" }) => [
    ...[messageId, webhook, rule, state, shortTime(new Date(createdAtMs).toISOString()), String(attempts)],
    lastOutcome.slice(0, MAX_SHOWN_CHARACTERS),
  ]);
  const heads = ["id", "webhook", "rule", "state", "fired", "attempts", "last attempt"];
  process.stdout.write(rows.length === 0 ? "no messages\n" : asTable(heads, rows));
}
