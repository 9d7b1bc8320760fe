// SPDX-License-Identifier: Apache-2.0
import { setTimeout as pause } from "node:timers/promises";
import type { Command } from "commander";
import { MINUTE_MS, MINUTES_A_DAY, MINUTES_AN_HOUR, SECONDS_A_DAY } from "../../domain/rules/time";
import { refuseFlags } from "../arguments/inapplicable-flags";
import { portOption, positiveInteger, wholeNumber } from "../arguments/whole-number";
import { demoCatalog } from "../demo/channels";
import { DemoService } from "../demo/served";
import { DemoTraffic } from "../demo/traffic";
import { readService } from "../reading/read-service";
import { LineSender } from "../sending/line-sender";
import { httpUrl } from "./send";

interface Flags {
  port: number;
  data?: string;
  url?: string;
  rate: number;
  seed: number;
  history: number;
  for?: number;
}

const BLOCK_LINES = 2_000;
const TICK_MS = 500;
const POLL_MS = 100;
const SECONDS_A_MINUTE = 60;

export function register(program: Command): void {
  program
    .command("demo")
    .description("a service with two days of made-up traffic, then live traffic until it is stopped")
    .option("--port <port>", "port to listen on, 0 for any", portOption, 8080)
    .option("--data <dir>", "data folder, which stays (default: a temporary one, removed at the end)")
    .option("--url <url>", "load the demo's catalog into this service and send to it, and start none", httpUrl)
    .option("--rate <n>", "events a second at the busiest hour of the day", positiveInteger, 6)
    .option("--history <minutes>", "of traffic before now", wholeNumber(0, 30 * MINUTES_A_DAY), 48 * MINUTES_AN_HOUR)
    .option("--seed <n>", "the same seed gives the same shape of traffic", wholeNumber(0, 2 ** 32 - 1), 1)
    .option("--for <seconds>", "of live traffic (default: until it is stopped)", wholeNumber(0, SECONDS_A_DAY))
    .addHelpText(
      "after",
      `
The traffic has a daily curve, some videos that are watched far more than others, one that goes viral, events that are sent twice, events that are
hours late, and events that are refused.`,
    )
    .action(async (flags: Flags, command: Command) => {
      if (flags.url !== undefined) refuseFlags(command, ["port", "data"], "--url names a service that runs already");
      await demo(flags);
    });
}

async function demo(flags: Flags): Promise<void> {
  const stopped = new AbortController();
  const stop = () => stopped.abort();
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  const service = flags.url === undefined ? await DemoService.start(flags.port, flags.data) : undefined;
  void service?.exited.then(stop);
  try {
    await run(service?.url ?? flags.url!, flags, stopped.signal);
  } finally {
    await service?.stop();
  }
}

async function run(url: string, flags: Flags, stopped: AbortSignal): Promise<void> {
  const startedMs = performance.now();
  const nowMs = Date.now();
  const offsetMs = -new Date(nowMs).getTimezoneOffset() * MINUTE_MS;
  const perMinute = flags.rate * SECONDS_A_MINUTE;
  const traffic = new DemoTraffic({ seed: flags.seed, nowMs, perMinute, offsetMs });
  await loadCatalog(url);
  process.stdout.write(`viewmill demo on ${url}\n${toTry(url, traffic)}`);
  const live = new LineSender({ url, maxInFlight: 2, onRejected: () => {} });
  const past = new LineSender({ url, maxInFlight: 2, onRejected: () => {} });
  const history = sendHistory(traffic, past, flags.history, stopped).then(async () => {
    await counted(url, stopped);
    const took = ((performance.now() - startedMs) / 1000).toFixed(1);
    const hours = Number((flags.history / MINUTES_AN_HOUR).toFixed(1));
    if (!stopped.aborted)
      process.stdout.write(
        `${hours} h of history counted in ${took} s: ${past.accepted} events accepted, ${past.rejected} refused\n`,
      );
  });
  await Promise.all([history, sendLive(traffic, live, flags, stopped)]);
  process.stdout.write(`live: ${live.accepted} events accepted, ${live.rejected} refused\n`);
}

/** Sends live events until the time is over, or until it is stopped. */
async function sendLive(traffic: DemoTraffic, sender: LineSender, flags: Flags, stopped: AbortSignal): Promise<void> {
  const endMs = flags.for === undefined ? Number.POSITIVE_INFINITY : performance.now() + flags.for * 1000;
  let lastMs = Date.now();
  while (!stopped.aborted && performance.now() < endMs) {
    await pause(TICK_MS, undefined, { signal: stopped }).catch(() => {});
    const tickMs = Date.now();
    await send(sender, traffic.live(tickMs, tickMs - lastMs));
    lastMs = tickMs;
  }
  if (!stopped.aborted) await sender.finish();
}

const toTry = (url: string, traffic: DemoTraffic): string => `
Open ${url} and watch "${traffic.viral.title}" go viral, or try:

  curl -s '${url}/v1/top?limit=3'
  npx viewmill counts ${traffic.viral.videoId} --url ${url}
  npx viewmill ledger --url ${url}

Live traffic until Ctrl-C; the history before it is on its way.
`;

async function loadCatalog(url: string): Promise<void> {
  const response = await fetch(new URL("/v1/catalog/videos", url), {
    method: "PUT",
    headers: { "Content-Type": "application/x-ndjson" },
    body: demoCatalog(Date.now()),
  });
  if (!response.ok) throw new Error(`the catalog was not loaded: ${response.status} ${await response.text()}`);
}

async function sendHistory(
  traffic: DemoTraffic,
  sender: LineSender,
  minutes: number,
  stopped: AbortSignal,
): Promise<void> {
  let block: string[] = [];
  for (const lines of traffic.history(minutes)) {
    if (stopped.aborted) return;
    block.push(...lines);
    if (block.length < BLOCK_LINES) continue;
    await send(sender, block);
    block = [];
  }
  await send(sender, block);
  await sender.finish();
}

async function send(sender: LineSender, lines: readonly string[]): Promise<void> {
  if (lines.length > 0) await sender.send({ bytes: Buffer.from(`${lines.join("\n")}\n`), firstLine: 1 });
}

/** Waits until all events sent so far are in the answers. */
async function counted(url: string, stopped: AbortSignal): Promise<void> {
  const sinceMs = Date.now();
  while (!stopped.aborted) {
    const { content } = await readService<{ completeThrough: string }>({ url, headers: {} }, "/v1/videos/none", {});
    if (Date.parse(content.completeThrough) > sinceMs) return;
    await pause(POLL_MS);
  }
}
