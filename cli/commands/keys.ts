// SPDX-License-Identifier: Apache-2.0
import { type Command, InvalidArgumentError, Option } from "commander";
import { createKey, NewKeyError, newKeySchema, shownKey } from "../../admission/new-key";
import { parseRfc3339 } from "../../domain/event";
import { DAY_MS, HOUR_MS } from "../../domain/rules/time";
import type { AccessKeys } from "../../io/ports/access-keys";
import { prepareDataFolder, requireDataFolder } from "../../io/sqlite/data-folder";
import { positiveInteger } from "../arguments/whole-number";
import { resolveConfig } from "../config/resolve";
import { openAccessKeys } from "../deployment/open-access-keys";
import { asTable, shortTime } from "../reading/read-service";

interface CreateFlags {
  name: string;
  scope: string[];
  public?: boolean;
  eventType?: string[];
  origin?: string[];
  expires?: string;
  requestsPerSecond?: number;
  eventsPerSecond?: number;
  bytesPerSecond?: number;
  eventsPerDay?: number;
  json?: boolean;
}

/** Thrown with one clear line when a key cannot be made or found; cli/one-line.ts prints that line alone. */
export class KeyError extends Error {
  override readonly name = "KeyError";
}

const UNITS_MS: Record<string, number> = { h: HOUR_MS, d: DAY_MS, y: 365 * DAY_MS };

export function register(program: Command): void {
  const keys = program.command("keys").description("who may write, read and operate: create, list and revoke keys");
  const deployment = (command: Command) =>
    command
      .option("--data <dir>", "data folder of the deployment")
      .option("--config <file>", "configuration file of the deployment")
      .option("--json", "print JSON");
  const limit = (name: string, what: string) => new Option(`--${name} <n>`, what).argParser(positiveInteger);
  deployment(keys.command("create"))
    .description("makes a key and prints it once; the deployment keeps its hash alone")
    .requiredOption("--name <name>", "whose it is")
    .requiredOption("--scope <scope...>", "write, read, operate; several with commas or spaces between", list)
    .option("--public", "stands in pages, as ?key= too: scope write and nothing else")
    .option("--event-type <type...>", "may send events of these types alone", list)
    .option("--origin <origin...>", "may be used by pages of these origins alone, as https://example.com", list)
    .option("--expires <when>", "RFC 3339 time, or from now: 12h, 90d, 1y", expiry)
    .addOption(limit("requests-per-second", "of one instance of the service"))
    .addOption(limit("events-per-second", "of one instance of the service"))
    .addOption(limit("bytes-per-second", "of one instance of the service, of bodies as they are sent"))
    .addOption(limit("events-per-day", "of the whole deployment, by day in UTC"))
    .action((flags: CreateFlags, command: Command) => withStore(command, true, (store) => create(store, flags)));
  deployment(keys.command("list"))
    .description("every key without its secret, the oldest first")
    .action((flags: { json?: boolean }, command: Command) =>
      withStore(command, false, (store) => listed(store, flags.json === true)),
    );
  deployment(keys.command("revoke"))
    .description("ends a key: no instance takes it any more after 10 seconds")
    .argument("<id>", "as the list shows it")
    .action((id: string, flags: { json?: boolean }, command: Command) =>
      withStore(command, false, (store) => revoke(store, id, flags.json === true)),
    );
}

/** Opens the store of keys. `mayBeFirst`: the data folder may be made for it, where the keys are in one. */
async function withStore(
  command: Command,
  mayBeFirst: boolean,
  work: (store: AccessKeys) => Promise<void>,
): Promise<void> {
  const config = resolveConfig(command);
  if (config.counters.kind === "sqlite") (mayBeFirst ? prepareDataFolder : requireDataFolder)(config.data);
  const store = await openAccessKeys(config);
  try {
    await work(store);
  } finally {
    await store.close();
  }
}

async function create(store: AccessKeys, flags: CreateFlags): Promise<void> {
  const { name, scope, eventType, origin, expires, json } = flags;
  const { requestsPerSecond, eventsPerSecond, bytesPerSecond, eventsPerDay } = flags;
  const asked = newKeySchema.safeParse({
    name,
    scopes: scope,
    public: flags.public === true,
    eventTypes: eventType,
    origins: origin,
    expiresAt: expires,
    limits: { requestsPerSecond, eventsPerSecond, bytesPerSecond, eventsPerDay },
  });
  if (!asked.success)
    throw new KeyError(asked.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "));
  const nowMs = Date.now();
  const { key, text } = await createKey(store, asked.data, nowMs).catch((error: unknown) => {
    throw error instanceof NewKeyError ? new KeyError(error.message) : error;
  });
  if (json === true) {
    const { id, ...shown } = shownKey(key, nowMs);
    process.stdout.write(`${JSON.stringify({ id, key: text, ...shown })}\n`);
    return;
  }
  process.stdout.write(`${text}\n`);
  process.stderr.write(`key ${key.id} of ${name} may ${key.scopes.join(" and ")}; it is shown this once\n`);
}

async function listed(store: AccessKeys, json: boolean): Promise<void> {
  const nowMs = Date.now();
  const keys = (await store.list(Math.floor(nowMs / DAY_MS))).map((key) => shownKey(key, nowMs));
  if (json) {
    process.stdout.write(`${JSON.stringify({ keys })}\n`);
    return;
  }
  const text = (value: unknown) => (value === undefined ? "" : String(value));
  const rows = keys.map(({ id, name, scopes, public: isPublic, state, createdAt, lastUsedAt, expiresAt }) => [
    text(id),
    text(name),
    `${(scopes as string[]).join(",")}${isPublic === true ? " (public)" : ""}`,
    text(state),
    shortTime(text(createdAt)),
    text(lastUsedAt),
    text(expiresAt),
  ]);
  const heads = ["id", "name", "scopes", "state", "created", "last used", "expires"];
  process.stdout.write(keys.length === 0 ? "no keys\n" : asTable(heads, rows));
}

async function revoke(store: AccessKeys, id: string, json: boolean): Promise<void> {
  if (!/^[A-Za-z0-9]{1,32}$/.test(id) || !(await store.revoke(id, Date.now())))
    throw new KeyError(`there is no key ${id}`);
  process.stdout.write(json ? `${JSON.stringify({ id, state: "revoked" })}\n` : `revoked ${id}\n`);
}

/** Splits a flag that may be repeated, or have commas. */
function list(text: string, before: string[] | undefined): string[] {
  return [...(before ?? []), ...text.split(",").map((item) => item.trim())];
}

function expiry(text: string): string {
  const [, amount, unit] = /^(\d{1,5})([hdy])$/.exec(text) ?? [];
  const timeMs = amount === undefined ? parseRfc3339(text) : Date.now() + Number(amount) * UNITS_MS[unit!]!;
  if (timeMs === undefined)
    throw new InvalidArgumentError("a time to come is wanted, as 2027-01-01T00:00:00Z, or 12h, 90d, 1y from now");
  return new Date(timeMs).toISOString();
}
