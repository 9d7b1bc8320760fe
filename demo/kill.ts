// SPDX-License-Identifier: Apache-2.0
/**
 * `npm run demo:kill`: takes the parts of a cluster away one by one, under load, and proves that every final number is
 * right.
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Command, InvalidArgumentError, Option } from "commander";
import { openDeployment } from "../cli/deployment/deployment";
import { MINUTE_MS } from "../domain/rules/time";
import { mulberry32 } from "../domain/seeded-random";
import type { Server } from "../servers";
import { readBooks, readLedger, untilBalanced } from "./books";
import { ClusterStack } from "./cluster-stack";
import { compareWithStored } from "./compare";
import { keepEvidence } from "./evidence";
import { killOnce, LOSING, TARGETS, type Target } from "./kills";
import { countedOf, type Load, lostEvents } from "./load";
import { PromiseWatch, type WatchResult } from "./promise-watch";
import { independentCounts, SendingPace, sendEvents } from "./sent-events";
import { viewmillCommandIn } from "./viewmill-process";

interface Flags {
  log: "kafka" | "pubsub";
  rounds: number;
  rate: number;
  seed: number;
  only?: Target[];
  keep: string;
  small: boolean;
}

/**
 * Pub/Sub's emulator keeps no state, so it cannot be killed, has no records to delete, and uses the machine's clock
 * alone.
 */
const ONLY_KAFKA: ReadonlySet<Target> = new Set(["log", "records-deleted", "job-away"]);
const BALANCED_DEADLINE_MS = 1_800_000;
const say = (text: string) => process.stdout.write(`${text}\n`);

interface KillResult {
  events: number;
  /** The cells of every level, stored and expected. */
  cells: number;
  differing: number;
  differences: string[];
  /** Sorted, milliseconds, by target. */
  recoveries: Map<Target, number[]>;
  /** Everything else that was wrong; empty where nothing was. */
  faults: string[];
  watched: WatchResult;
  /** Events that were deleted by hand, and the minutes of their event times: the books and the audit name each. */
  lost: { events: number; minutes: number };
  /** The job that counts now. */
  jobId: string;
}

type RunFlags = Pick<Flags, "rounds" | "rate" | "seed">;

/**
 * Runs all rounds of all targets under one load, then compares every cell with an independent count, and every loss
 * with the reports of it.
 */
export async function runKills(
  stack: ClusterStack,
  jobId: string,
  { rounds, rate, seed }: RunFlags,
  targets: readonly Target[],
): Promise<KillResult> {
  const random = mulberry32(seed);
  const stop = new AbortController();
  const file = join(stack.folder, "sent.ndjson");
  const probes = join(stack.folder, "probes.ndjson");
  writeFileSync(probes, "");
  const pace = new SendingPace();
  const { serveUrl } = stack.processes;
  const now = () => stack.clock.now();
  const startedAtMs = now();
  let [accepted, refusals] = [0, 0];
  const shape = { videos: 500, skew: 1.1, duplicates: 0.1, late: 0.02, lateByMs: 90_000 };
  const endless = { events: Number.MAX_SAFE_INTEGER, perSecond: rate, seed, file, pace, signal: stop.signal };
  const sending = sendEvents({ url: serveUrl, ...endless, ...shape }, (...sent) => {
    [accepted, refusals] = sent;
  });
  sending.catch(() => stop.abort());
  const watch = new PromiseWatch(serveUrl, now, pace, probes);
  const load: Load = {
    startedAtMs,
    accepted: () => accepted + watch.accepted,
    refusals: () => refusals,
    pace,
    jobId,
    lost: new Map(),
    faults: [],
  };
  // The first kill comes under load as the others do.
  while (accepted < rate && !stop.signal.aborted) await delay(100);
  let recoveries: KillResult["recoveries"];
  try {
    recoveries = await killAll(stack, load, rounds, targets, random);
  } finally {
    stop.abort();
  }
  const sent = await sending;
  const watched = await watch.stop();
  const events = sent.accepted + watched.probes;
  const faults = [...load.faults, ...watched.broken.map((broken) => `not complete: ${broken}`)];
  faults.push(...(await settle(stack, load, events)));
  const expected = await independentCounts(file, probes);
  const deployment = await openDeployment(stack.config);
  try {
    const [from, to] = [Math.floor(startedAtMs / MINUTE_MS) - 60, Math.ceil(now() / MINUTE_MS) + 10];
    const { cells, differing, differences } = await compareWithStored(deployment.counters, expected, from, to);
    const lost = { events: lostEvents(load), minutes: load.lost.size };
    return { events, cells, differing, differences, recoveries, faults, watched, lost, jobId: load.jobId };
  } finally {
    await deployment.close();
  }
}

async function killAll(
  stack: ClusterStack,
  load: Load,
  rounds: number,
  targets: readonly Target[],
  random: () => number,
): Promise<KillResult["recoveries"]> {
  const recoveries: KillResult["recoveries"] = new Map();
  const inTurn = [targets.filter((target) => !LOSING.has(target)), targets.filter((target) => LOSING.has(target))];
  for (const some of inTurn) {
    for (let round = 1; round <= rounds; round++) {
      for (const target of some) {
        const { recoveredMs } = await killOnce(stack, target, random, load);
        say(`  round ${round}, ${target}: all that was accepted is counted after ${(recoveredMs / 1000).toFixed(1)} s`);
        const times = [...(recoveries.get(target) ?? []), recoveredMs];
        recoveries.set(
          target,
          times.sort((a, b) => a - b),
        );
      }
    }
  }
  return recoveries;
}

/**
 * Waits until everything is counted, and has the audit count the late events. Returns the errors of the books and the
 * audit.
 */
async function settle(stack: ClusterStack, load: Load, events: number): Promise<string[]> {
  const { serveUrl } = stack.processes;
  const now = () => stack.clock.now();
  const { startedAtMs, lost } = load;
  if (lost.size === 0) await untilBalanced(serveUrl, startedAtMs, events, BALANCED_DEADLINE_MS, undefined, now);
  else await untilAllButLost(stack, load, events);
  const { late } = await readBooks(serveUrl, startedAtMs, now());
  if (late === 0 && lost.size === 0) return [];
  await untilArchivedThrough(stack);
  const [from, to] = [startedAtMs - 3_600_000, now() + 600_000].map((ms) => new Date(ms).toISOString());
  const { status, stdout, stderr } = await viewmillCommandIn(
    stack.environment,
    ...["audit", "--repair", "--json", "--config", stack.configFile, "--from", from!, "--to", to!],
  );
  const wanted = lost.size === 0 ? 0 : 4;
  if (status !== wanted) return [`the audit ended with ${status} in place of ${wanted}: ${stdout}${stderr}`];
  return lost.size === 0 ? await untoldLate(stack, load) : await untoldLosses(stack, load, stdout);
}

/** The audit corrects minutes that the stream is through with, by what the archivers say. */
async function untilArchivedThrough(stack: ClusterStack): Promise<void> {
  const deployment = await openDeployment(stack.config);
  try {
    const endsAt = performance.now() + BALANCED_DEADLINE_MS;
    for (;;) {
      const nowMs = stack.clock.now();
      const throughMs = await deployment.progress.archivedThroughMs(nowMs).catch(() => 0);
      if (throughMs > nowMs - MINUTE_MS) return;
      if (performance.now() > endsAt) throw new Error(`archived through ${new Date(throughMs).toISOString()} only`);
      await delay(1_000);
    }
  } finally {
    await deployment.close();
  }
}

/**
 * Waits until everything but the deleted events is archived, and everything is counted, because the deleted events had
 * been counted before.
 */
async function untilAllButLost(stack: ClusterStack, load: Load, events: number): Promise<void> {
  const endsAt = performance.now() + BALANCED_DEADLINE_MS;
  for (;;) {
    const books = await readBooks(stack.processes.serveUrl, load.startedAtMs, stack.clock.now()).catch(() => undefined);
    if (books !== undefined && books.archived >= events - lostEvents(load) && countedOf(books) >= events) return;
    if (performance.now() > endsAt)
      throw new Error(`${events} events, ${lostEvents(load)} of them deleted: ${JSON.stringify(books)}`);
    await delay(1_000);
  }
}

async function untoldLate(stack: ClusterStack, { startedAtMs }: Load): Promise<string[]> {
  const { late } = await readBooks(stack.processes.serveUrl, startedAtMs, stack.clock.now());
  return late === 0 ? [] : [`${late} events are late in the books, though an audit has counted them`];
}

/**
 * Returns errors: each minute with deleted events must be in the books and in the audit's report with its number, and
 * no other minute.
 */
async function untoldLosses(stack: ClusterStack, { startedAtMs, lost }: Load, report: string): Promise<string[]> {
  const { minutes } = await readLedger(stack.processes.serveUrl, startedAtMs, stack.clock.now());
  const missing = new Map(
    minutes
      .filter(({ accepted, archived }) => accepted !== archived)
      .map(({ start, accepted, archived }) => [Date.parse(start) / MINUTE_MS, accepted - archived]),
  );
  const { notComparable } = JSON.parse(report) as { notComparable: { minute: string }[] };
  const named = new Set(notComparable.map(({ minute }) => Date.parse(minute) / MINUTE_MS));
  const faults: string[] = [];
  for (const minute of new Set([...missing.keys(), ...lost.keys(), ...named])) {
    const [deleted, told] = [lost.get(minute) ?? 0, missing.get(minute) ?? 0];
    const where = new Date(minute * MINUTE_MS).toISOString();
    if (deleted !== told) faults.push(`${where}: ${deleted} events were deleted, the books say ${told}`);
    if (deleted > 0 !== named.has(minute))
      faults.push(
        `${where}: ${deleted} events were deleted, and the audit does ${named.has(minute) ? "" : "not "}name it`,
      );
  }
  return faults;
}

async function main(): Promise<void> {
  const flags = new Command("demo:kill")
    .addOption(new Option("--log <kind>", "the log").choices(["kafka", "pubsub"]).default("kafka"))
    .option("--rounds <n>", "of each target", positive, 1)
    .option("--rate <n>", "events a second meanwhile", positive, 2_000)
    .option("--seed <n>", "of kills and events", positive, Math.floor(Math.random() * 1e9) + 1)
    .option("--only <targets...>", `of ${TARGETS.join(", ")}`)
    .option("--keep <folder>", "where logs, sent events, archive and audit go if something is wrong", "kill-evidence")
    .option("--small", "one TaskManager, nothing to take over: for targets that take nothing of Flink away", false)
    .parse()
    .opts<Flags>();
  const targets = (flags.only ?? TARGETS).filter((target) => !(ONLY_KAFKA.has(target) && flags.log === "pubsub"));
  say(`seed ${flags.seed}, ${flags.rounds} rounds of ${targets.join(", ")}`);
  const stack = await ClusterStack.start(flags.small ? smallStack(flags.log) : killStack(flags.log));
  process.exitCode = 1;
  try {
    const result = await runKills(stack, await stack.submit(), flags, targets);
    for (const [target, times] of result.recoveries)
      say(`${target.padEnd(22)} ${times.length} rounds, median ${at(times, 0.5)} s, longest ${at(times, 1)} s`);
    const { events, cells, lost, differing, watched, faults } = result;
    say(`${events} events accepted, ${lost.events} of them, of ${lost.minutes} minutes, deleted from the log`);
    say(`${cells} cells compared, ${differing} differ`);
    say(`${watched.answers} answers looked at for ${watched.probes} events that they must hold if they say so`);
    for (const fault of [...result.differences, ...faults]) say(`  ${fault}`);
    if (differing === 0 && faults.length === 0) process.exitCode = 0;
  } finally {
    // The failure is reported whatever becomes of this.
    if (process.exitCode !== 0)
      await keep(stack, join(flags.keep, `seed-${flags.seed}`)).catch((error: unknown) => say(String(error)));
    await stack.stop();
  }
}

async function keep(stack: ClusterStack, folder: string): Promise<void> {
  const audit = await viewmillCommandIn(stack.environment, "audit", "--config", stack.configFile);
  const servers = Object.values(stack.servers).flatMap((server: Partial<Server>) => server.folder ?? []);
  keepEvidence([stack.folder, ...servers], folder);
  writeFileSync(join(folder, "audit.txt"), `${audit.stdout}${audit.stderr}`);
  say(`kept in ${folder}`);
}

/**
 * The counts of the open minute are written every second, so that recovery shows before the minute ends; checkpoints
 * are frequent.
 */
export const killStack = (log: "kafka" | "pubsub") => ({
  log,
  ownClock: true,
  flink: { taskManagers: 3, slotsPerTaskManager: 2 },
  config: {
    job: { graceMs: 2_000, lateFiringMs: 2_000, earlyFiringMs: 1_000 },
    flink: { checkpointIntervalMs: 3_000, checkpointTimeoutMs: 30_000 },
  },
});

export function smallStack(log: "kafka" | "pubsub") {
  const { config, ...options } = killStack(log);
  const job = { ...config.job, dedupePartitions: 4, videoShards: 2 };
  const flink = { taskManagers: 1, slotsPerTaskManager: 2, highAvailability: false };
  return { ...options, flink, config: { ...config, job } };
}

const at = (sorted: readonly number[], share: number): string =>
  (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]! / 1000).toFixed(1);

function positive(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError("a positive whole number is wanted");
  return number;
}

if (require.main === module) {
  main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  });
}
