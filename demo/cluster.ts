// SPDX-License-Identifier: Apache-2.0
/**
 * `npm run demo:cluster`: the whole cluster deployment on this machine, a million events through it, and the proof that
 * every number is right.
 */

import { join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { openDeployment } from "../cli/deployment/deployment";
import { MINUTE_MS } from "../domain/rules/time";
import { readBooks, untilBalanced } from "./books";
import { ClusterStack } from "./cluster-stack";
import { compareWithStored } from "./compare";
import { independentCounts, sendEvents } from "./sent-events";
import { viewmillCommand } from "./viewmill-process";

interface Flags {
  log: "kafka" | "pubsub";
  events: number;
  rate: number;
  seed: number;
  keep?: boolean;
}

const COUNTED_DEADLINE_MS = 1_800_000;
const say = (text: string) => process.stdout.write(`${text}\n`);
const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

async function main(): Promise<void> {
  const flags = new Command("demo:cluster")
    .addOption(new Option("--log <kind>", "the log").choices(["kafka", "pubsub"]).default("kafka"))
    .option("--events <n>", "how many", positive, 1_000_000)
    .option("--rate <n>", "events a second", positive, 10_000)
    .option("--seed <n>", "of the generated events", positive, 1)
    .option("--keep", "leave everything running until Ctrl-C")
    .parse()
    .opts<Flags>();
  say(`Kafka or Pub/Sub, Bigtable, Cloud Storage, Flink and Viewmill on this machine (log: ${flags.log})`);
  const stack = await ClusterStack.start({
    log: flags.log,
    fast: true,
    onStarted: (name, tookMs) => say(`  ${name.padEnd(12)} up in ${seconds(tookMs)}`),
  });
  try {
    process.exitCode = (await run(stack, flags)) ? 0 : 1;
    if (flags.keep === true) {
      say(`running: ${stack.processes.serveUrl}, Flink ${stack.config.flink.restUrl}; Ctrl-C ends it`);
      await new Promise((resolve) => process.once("SIGINT", resolve));
    }
  } finally {
    await stack.stop();
  }
}

async function run(stack: ClusterStack, { events, rate, seed }: Flags): Promise<boolean> {
  const { serveUrl } = stack.processes;
  let since = performance.now();
  const jobId = await stack.submit();
  say(`  job ${jobId} running after ${seconds(performance.now() - since)}; service ${serveUrl}`);
  const file = join(stack.folder, "sent.ndjson");
  const startedAtMs = Date.now();
  let sent = 0;
  const ticker = setInterval(() => void progress(serveUrl, startedAtMs, sent).catch(() => undefined), 5_000);
  since = performance.now();
  const shape = { videos: 20_000, skew: 1.1, duplicates: 0.05, late: 0.02, lateByMs: 90_000 };
  const { accepted } = await sendEvents({ url: serveUrl, events, perSecond: rate, seed, file, ...shape }, (n) => {
    sent = n;
  });
  say(`${accepted} events accepted in ${seconds(performance.now() - since)} (5 % repeats, 2 % late by 90 s, Zipf 1.1)`);
  const books = await untilBalanced(serveUrl, startedAtMs, accepted, COUNTED_DEADLINE_MS);
  clearInterval(ticker);
  say(`books balanced ${seconds(performance.now() - since)} after the first event: ${JSON.stringify(books)}`);
  const expected = await independentCounts(file);
  const deployment = await openDeployment(stack.config);
  const [from, to] = [Math.floor(startedAtMs / MINUTE_MS) - 10, Math.ceil(Date.now() / MINUTE_MS) + 10];
  const comparison = await compareWithStored(deployment.counters, expected, from, to);
  await deployment.close();
  say(
    `${comparison.cells} cells of four levels against an independent count of ${comparison.events} distinct events: ${comparison.differing} differ`,
  );
  for (const difference of comparison.differences) say(`  ${difference}`);
  const audit = await viewmillCommand(
    "audit",
    "--config",
    stack.configFile,
    "--from",
    minute(from),
    "--to",
    minute(to),
  );
  say(audit.stdout.trimEnd());
  if (audit.status !== 0) say(audit.stderr.trimEnd());
  const checkpoints = await stack.flink.checkpoints(jobId);
  say(`checkpoints: ${checkpoints.completed} completed, ${checkpoints.failed} failed`);
  const right = comparison.differing === 0 && audit.status === 0 && books.accepted === accepted;
  say(right ? "all numbers are right" : "SOMETHING IS WRONG");
  return right;
}

async function progress(url: string, fromMs: number, sent: number): Promise<void> {
  const { archived, counted, duplicate, late } = await readBooks(url, fromMs);
  say(`  sent ${sent}, archived ${archived}, counted ${counted} + ${duplicate} repeats + ${late} late`);
}

const minute = (epochMinute: number): string => new Date(epochMinute * MINUTE_MS).toISOString();

function positive(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError("a positive whole number is wanted");
  return number;
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
});
