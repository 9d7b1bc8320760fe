// SPDX-License-Identifier: Apache-2.0
import { isUtf8 } from "node:buffer";
import { type Command, InvalidArgumentError, Option } from "commander";
import { Delivery, type DeliveryOutcome } from "../../client/delivery";
import { REJECTION_REASONS, type RejectionReason } from "../../domain/rejection";
import { type DeadLetter, type DeadLetters, LISTED_BYTES } from "../../io/ports";
import { requireDataFolder } from "../../io/sqlite/data-folder";
import { idArgument } from "../arguments/id-argument";
import { refuseFlags } from "../arguments/inapplicable-flags";
import { positiveInteger } from "../arguments/whole-number";
import { resolveConfig } from "../config/resolve";
import type { Config } from "../config/schema";
import { allowedLatenessMs } from "../deployment/deployment";
import { openDeadLetters } from "../deployment/open-dead-letters";
import { keyHeaders, withKeyOption } from "../reading/service-key";
import { type FieldChange, replayPayload } from "../sending/replay-payload";
import { waitsForAudit } from "../sending/waiting-letter";
import { DEFAULT_URL, httpUrl } from "./send";

const EXIT_STILL_REJECTED = 1;
const EXIT_NOT_DELIVERED = 2;

interface Selection {
  id?: string[];
  reason?: RejectionReason;
  limit: number;
  all?: boolean;
  json?: boolean;
}

interface ReplayFlags extends Selection {
  url: string;
  set?: FieldChange[];
}

/** The most letters of one look; of large ones the store gives fewer at once. */
const PAGE = 200;

export function register(program: Command): void {
  const letters = program.command("dead-letters").description("rejected events: look at them, send them again");
  selecting(letters.command("list").description("list dead letters, oldest first"), 100).action(
    (flags: Selection, command: Command) => withLetters(command, (store) => list(store, flags)),
  );
  const whole = letters.command("show").description("print one dead letter whole");
  located(idArgument(whole, "<id>", "of the letter, as list shows it"))
    .option("--raw", "print the payload only, byte for byte")
    .action((id: string, flags: { raw?: boolean; json?: boolean }, command: Command) => {
      if (flags.raw === true) refuseFlags(command, ["json"], "--raw prints the payload as it is");
      return withLetters(command, (store) => show(store, id, flags));
    });
  const replaying = letters.command("replay").description("send dead letters again, after a fix");
  withKeyOption(
    selecting(replaying, Number.MAX_SAFE_INTEGER).option("--url <url>", "the service", httpUrl, DEFAULT_URL),
  )
    .option("--set <field=value>", "change a field of every event before it is sent; repeatable", fieldChange)
    .addHelpText(
      "after",
      `
A letter is marked as replayed once the service has accepted it, and is not sent again; its event keeps its eventId, so it counts once
however often it is sent. An event that is refused again becomes a new dead letter. On a cluster, a letter whose event is older than
lateness.finalAfterMinutes is counted by the next audit with --repair: the command names those that wait.

Exit status: 0 all were accepted (or there was none), 1 some were refused again, 2 some could not be delivered.`,
    )
    .action((flags: ReplayFlags, command: Command) =>
      withLetters(command, (store, config) => replay(store, flags, allowedLatenessMs(config), keyHeaders(command))),
    );
}

const located = (command: Command) =>
  command
    .option("--data <dir>", "data folder of the deployment")
    .option("--config <file>", "configuration file")
    .option("--json", "print as JSON");

const selecting = (command: Command, limit: number) =>
  located(command)
    .option("--id <id>", "this letter; repeatable", (text, ids: string[] = []) => [...ids, text])
    .addOption(new Option("--reason <reason>", "those of this reason").choices(REJECTION_REASONS))
    .addOption(
      new Option("--limit <n>", "at most this many")
        .argParser(positiveInteger)
        .default(limit, limit === Number.MAX_SAFE_INTEGER ? "all" : String(limit)),
    )
    .option("--all", "also those that were replayed already");

async function withLetters(
  command: Command,
  work: (store: DeadLetters, config: Config) => Promise<void>,
): Promise<void> {
  const config = resolveConfig(command);
  if (config.deadLetters.kind === "sqlite") requireDataFolder(config.data);
  const store = await openDeadLetters(config);
  try {
    await work(store, config);
  } finally {
    await store.close();
  }
}

/** Yields letters page by page, so that memory does not grow with their number. */
async function* selected(store: DeadLetters, { id, reason, limit, all }: Selection): AsyncGenerator<DeadLetter> {
  let left = limit;
  if (id !== undefined) {
    for (const one of id) {
      const letter = await store.get(one);
      const wanted = letter !== undefined && (reason === undefined || letter.reason === reason);
      if (wanted && (all === true || letter.replayedAtMs === undefined) && left-- > 0) yield letter;
    }
    return;
  }
  // Replaying appends letters, so only the letters that exist now are replayed.
  let afterId = "0";
  const startedAtMs = Date.now();
  while (left > 0) {
    const most = Math.min(left, PAGE);
    const query = { afterId, limit: most, ...(reason === undefined ? {} : { reason }) };
    const page = await store.list(all === true ? query : { ...query, replayed: false });
    let bytes = 0;
    for (const letter of page) {
      bytes += letter.payload.length;
      afterId = letter.id;
      if (letter.receivedAtMs > startedAtMs) return;
      left--;
      yield letter;
    }
    if (page.length < most && bytes < LISTED_BYTES) return;
  }
}

async function list(store: DeadLetters, flags: Selection): Promise<void> {
  let left = flags.limit;
  for await (const letter of selected(store, { ...flags, limit: flags.limit + 1 })) {
    if (left-- === 0) {
      process.stderr.write(`viewmill: there are more than these ${flags.limit}: --limit lists more\n`);
      return;
    }
    const { id, reason, eventId = "-", detail, receivedAtMs, replayedAtMs } = letter;
    const mark = replayedAtMs === undefined ? "" : " (replayed)";
    process.stdout.write(
      flags.json === true
        ? `${JSON.stringify(shown(letter))}\n`
        : `${id}  ${new Date(receivedAtMs).toISOString()}  ${reason}  ${printable(eventId)}  ${printable(detail)}${mark}\n`,
    );
  }
}

async function show(store: DeadLetters, id: string, flags: { raw?: boolean; json?: boolean }): Promise<void> {
  const letter = await store.get(id);
  if (letter === undefined) {
    process.stderr.write(`viewmill: there is no dead letter ${id}\n`);
    process.exitCode = 1;
    return;
  }
  if (flags.raw === true) process.stdout.write(letter.payload);
  else process.stdout.write(`${JSON.stringify(shown(letter), null, flags.json === true ? 0 : 2)}\n`);
}

async function replay(
  store: DeadLetters,
  flags: ReplayFlags,
  allowedLatenessMs: number,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  const delivery = new Delivery({ url: flags.url, headers, retries: 5 });
  const totals = { replayed: 0, countedAtOnce: 0, refused: 0, undelivered: 0 };
  const waiting: string[] = [];
  for await (const letter of selected(store, flags)) {
    const payload = replayPayload(letter, flags.set ?? []);
    let problem: string | undefined;
    if (!payload.ok) problem = payload.detail;
    else {
      const outcome = await delivery.deliver(payload.bytes, { "Content-Type": letter.contentType });
      if (outcome.kind === "answered" && outcome.accepted > 0) await store.markReplayed([letter.id], Date.now());
      if (outcome.kind === "undelivered" || (outcome.kind === "refused" && outcome.status === 0)) {
        process.stderr.write(`viewmill: letter ${letter.id} could not be delivered: ${outcome.detail}\n`);
        totals.undelivered++;
        break;
      }
      problem = refusal(outcome);
    }
    if (problem === undefined && payload.ok) {
      totals.replayed++;
      const sent = { bytes: payload.bytes, contentType: letter.contentType };
      if (waitsForAudit(sent, { receivedAtMs: Date.now(), allowedLatenessMs })) waiting.push(letter.id);
      else totals.countedAtOnce++;
    } else {
      totals.refused++;
      process.stderr.write(`viewmill: letter ${letter.id} was not accepted: ${printable(problem ?? "")}\n`);
    }
  }
  process.stdout.write(
    flags.json === true
      ? `${JSON.stringify({ ...totals, waiting })}\n`
      : `${waiting.map((id) => `letter ${id} is counted by the next audit with --repair\n`).join("")}replayed ${totals.replayed} (${totals.countedAtOnce} counted at once, ${waiting.length} by the next audit), not accepted ${totals.refused}, not delivered ${totals.undelivered}\n`,
  );
  if (totals.undelivered > 0) process.exitCode = EXIT_NOT_DELIVERED;
  else if (totals.refused > 0) process.exitCode = EXIT_STILL_REJECTED;
}

function refusal(outcome: Exclude<DeliveryOutcome, { kind: "undelivered" }>): string | undefined {
  if (outcome.kind === "refused") return outcome.detail;
  const [first] = outcome.rejected;
  if (first !== undefined) return `${first.reason}: ${first.detail}`;
  return outcome.accepted > 0 ? undefined : "it holds no event";
}

function shown({ payload, receivedAtMs, replayedAtMs, ...rest }: DeadLetter) {
  const bytes = Buffer.from(payload);
  return {
    ...rest,
    receivedAt: new Date(receivedAtMs).toISOString(),
    ...(replayedAtMs === undefined ? {} : { replayedAt: new Date(replayedAtMs).toISOString() }),
    ...(isUtf8(bytes) ? { payload: bytes.toString() } : { payloadBase64: bytes.toString("base64") }),
  };
}

/** Removes control characters, because foreign text must not control the terminal. */
const printable = (text: string): string => text.replace(/\p{Cc}/gu, "\ufffd");

function fieldChange(text: string, changes: FieldChange[] = []): FieldChange[] {
  const at = text.indexOf("=");
  if (at <= 0) throw new InvalidArgumentError("field=value is wanted, such as videoId=video-1");
  return [...changes, { field: text.slice(0, at), text: text.slice(at + 1) }];
}
