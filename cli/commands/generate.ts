// SPDX-License-Identifier: Apache-2.0
import { type Command, InvalidArgumentError } from "commander";
import { HOUR_MS } from "../../domain/rules/time";
import { refuseFlags } from "../arguments/inapplicable-flags";
import { rfc3339Time } from "../arguments/rfc3339-time";
import { positiveInteger, wholeNumber } from "../arguments/whole-number";
import { written } from "../output";
import { keyHeaders, withKeyOption } from "../reading/service-key";
import { EventGenerator } from "../sending/event-generator";
import { LineSender } from "../sending/line-sender";
import { DEFAULT_URL, httpUrl } from "./send";

interface GenerateFlags {
  rate: number;
  videos: number;
  skew: number;
  duplicates: number;
  late: number;
  lateBy: number;
  bad: number;
  seed: number;
  count?: number;
  duration?: number;
  start?: number;
  url: string;
  out?: string;
  json?: boolean;
}

const MAX_LINES = 2000;
/** The events a second of event time where `--rate 0` sends as fast as possible. */
const UNPACED_PER_SECOND = 10_000;
const TICK_MS = 20;

export function register(program: Command): void {
  const command = program
    .command("generate")
    .description("synthetic load: sends events to a service, or writes them as NDJSON to standard output")
    .option("--rate <n>", "events a second; 0: as fast as possible (needs --count)", count, 1000)
    .option("--count <n>", "how many events (default: rate * duration)", positiveInteger)
    .option("--duration <seconds>", "for how long (default 10, unless --count is given)", positiveNumber)
    .option("--videos <n>", "how many videos", positiveInteger, 1000)
    .option("--skew <exponent>", "Zipf exponent over the videos; 0: all alike", nonNegative, 1.07)
    .option("--duplicates <share>", "share of exact repeats, 0 to 1", share, 0)
    .option("--late <share>", "share of late events", share, 0)
    .option("--late-by <seconds>", "how late", positiveNumber, 7200)
    .option("--bad <share>", "share of events that are refused", share, 0)
    .option("--seed <n>", "the same seed gives the same events", count, 1)
    .option(
      "--start <time>",
      "event time of the first event, RFC 3339 (default: so that the last one is now)",
      rfc3339Time,
    )
    .option("--url <url>", "the service", httpUrl, DEFAULT_URL);
  withKeyOption(command)
    .option("--out <file>", "- writes NDJSON to standard output instead of sending; needs no service", out)
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      `
The same seed, options and --start give the same bytes. Without --start, event times begin at a whole hour when written
(--out -), so that runs within an hour are alike, and at the present time when sent at a rate.

Exit status: 0 every event was answered (the bad ones as rejected), 1 some could not be delivered.`,
    )
    .action(async (flags: GenerateFlags, command: Command) => {
      if (flags.duplicates + flags.late + flags.bad > 1) command.error("error: the shares add up to more than 1");
      if (flags.rate === 0 && flags.count === undefined) command.error("error: --rate 0 needs --count");
      if (flags.out !== undefined) refuseFlags(command, ["url", "keyFile"], "--out - sends nothing");
      if (flags.count !== undefined) refuseFlags(command, ["duration"], "--count says how many events, at the --rate");
      if (flags.late === 0) refuseFlags(command, ["lateBy"], "no event is late without --late");
      process.exitCode = await generate(flags, () => keyHeaders(command));
    });
}

async function generate(flags: GenerateFlags, headers: () => Readonly<Record<string, string>>): Promise<number> {
  const perSecond = flags.rate === 0 ? UNPACED_PER_SECOND : flags.rate;
  const total = flags.count ?? Math.ceil(perSecond * (flags.duration ?? 10));
  const { seed, videos, skew, duplicates, late, bad } = flags;
  const spanMs = (total * 1000) / perSecond;
  const nowMs = Date.now();
  let startMs = flags.start ?? (flags.rate === 0 ? nowMs - spanMs : nowMs);
  if (flags.out !== undefined) {
    startMs = flags.start ?? Math.floor(nowMs / HOUR_MS) * HOUR_MS - Math.ceil(spanMs / HOUR_MS) * HOUR_MS;
  }
  const lateByMs = flags.lateBy * 1000;
  const options = { seed, videos, skew, duplicates, late, bad, lateByMs, startMs: Math.floor(startMs), perSecond };
  const generator = new EventGenerator(options);
  return flags.out === undefined ? sendAll(generator, total, flags, headers()) : writeAll(generator, total, flags);
}

async function writeAll(generator: EventGenerator, total: number, flags: GenerateFlags): Promise<number> {
  for (let left = total; left > 0; left -= MAX_LINES) {
    const block = generator.next(Math.min(left, MAX_LINES));
    if (!(await written(block))) break;
  }
  if (flags.json === true) process.stderr.write(`${JSON.stringify(generator.counts)}\n`);
  return 0;
}

async function sendAll(
  generator: EventGenerator,
  total: number,
  flags: GenerateFlags,
  headers: Readonly<Record<string, string>>,
): Promise<number> {
  let undelivered = 0;
  const sender = new LineSender({
    url: flags.url,
    headers,
    maxInFlight: 4,
    onRejected: ({ reason }) => {
      if (reason === "undelivered" || reason === "refused") undelivered++;
    },
  });
  const startedMs = performance.now();
  const elapsedMs = () => performance.now() - startedMs;
  for (let sent = 0; sent < total; ) {
    const due = flags.rate === 0 ? total : Math.min(total, Math.floor((elapsedMs() * flags.rate) / 1000));
    const lines = Math.min(due - sent, MAX_LINES);
    if (lines > 0) {
      await sender.send({ bytes: generator.next(lines), firstLine: sent + 1 });
      sent += lines;
    } else await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  await sender.finish();
  const seconds = Number((elapsedMs() / 1000).toFixed(3));
  const { accepted, rejected } = sender;
  const result = { ...generator.counts, accepted, rejected, undelivered, seconds };
  const perSecond = Math.round(total / Math.max(seconds, 0.001));
  process.stdout.write(
    flags.json === true
      ? `${JSON.stringify(result)}\n`
      : `generated ${total} (${generator.counts.duplicates} repeats, ${generator.counts.late} late, ${generator.counts.bad} bad): ` +
          `accepted ${accepted}, rejected ${rejected}, undelivered ${undelivered} in ${seconds} s (${perSecond}/s)\n`,
  );
  return undelivered === 0 ? 0 : 1;
}

function number(text: string, valid: (value: number) => boolean, wanted: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (!valid(value)) throw new InvalidArgumentError(`${wanted} is wanted`);
  return value;
}
const count = wholeNumber(0, Number.MAX_SAFE_INTEGER);
const share = (text: string) => number(text, (n) => n >= 0 && n <= 1, "a number from 0 to 1");
const nonNegative = (text: string) => number(text, (n) => n >= 0 && n <= 10, "a number from 0 to 10");
const positiveNumber = (text: string) => number(text, (n) => n > 0 && Number.isFinite(n), "a number above 0");

function out(text: string): string {
  if (text !== "-") throw new InvalidArgumentError("only - (standard output) is possible");
  return text;
}
