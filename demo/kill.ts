/** `npm run demo:kill`: takes the parts of a cluster away one by one, under load, and proves that every final number is right. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Command, InvalidArgumentError, Option } from "commander";
import { openDeployment } from "../cli/deployment/deployment";
import type { Server } from "../servers";
import { untilBalanced } from "./books";
import { ClusterStack } from "./cluster-stack";
import { compareWithStored } from "./compare";
import { keepEvidence } from "./evidence";
import { killOnce, TARGETS, type Target } from "./kills";
import { seededRandom } from "./seeded-random";
import { independentCounts, sendEvents } from "./sent-events";
import { viewmillCommand } from "./viewmill-process";

interface Flags {
  log: "kafka" | "pubsub";
  rounds: number;
  rate: number;
  seed: number;
  only?: Target[];
  keep: string;
}

const BALANCED_DEADLINE_MS = 600_000;
const MINUTE_MS = 60_000;
const say = (text: string) => process.stdout.write(`${text}\n`);

export interface KillResult {
  events: number;
  differing: number;
  differences: string[];
  /** Sorted, milliseconds, by target. */
  recoveries: Map<Target, number[]>;
}

/** All rounds of all targets under one load, then every cell against an independent count. */
export async function runKills(
  stack: ClusterStack,
  jobId: string,
  { rounds, rate, seed }: Pick<Flags, "rounds" | "rate" | "seed">,
  targets: readonly Target[],
): Promise<KillResult> {
  const random = seededRandom(seed);
  const stop = new AbortController();
  const file = join(stack.folder, "sent.ndjson");
  const startedAtMs = Date.now();
  let accepted = 0;
  const shape = { videos: 500, skew: 1.1, duplicates: 0.1, late: 0.02, lateByMs: 90_000 };
  const sending = sendEvents(
    {
      url: stack.processes.serveUrl,
      events: Number.MAX_SAFE_INTEGER,
      perSecond: rate,
      seed,
      file,
      signal: stop.signal,
      ...shape,
    },
    (sent) => {
      accepted = sent;
    },
  );
  sending.catch(() => stop.abort());
  const recoveries = new Map<Target, number[]>();
  // The first kill comes under load as the others do.
  while (accepted < rate && !stop.signal.aborted) await delay(100);
  try {
    for (let round = 1; round <= rounds; round++) {
      for (const target of targets) {
        const { recoveredMs } = await killOnce(stack, jobId, target, random, { startedAtMs, accepted: () => accepted });
        say(`  round ${round}, ${target}: all that was accepted is counted after ${(recoveredMs / 1000).toFixed(1)} s`);
        recoveries.set(
          target,
          [...(recoveries.get(target) ?? []), recoveredMs].sort((a, b) => a - b),
        );
      }
    }
  } finally {
    stop.abort();
  }
  const sent = await sending;
  await untilBalanced(stack.processes.serveUrl, startedAtMs, sent.accepted, BALANCED_DEADLINE_MS);
  const deployment = await openDeployment(stack.config);
  try {
    const [from, to] = [Math.floor(startedAtMs / MINUTE_MS) - 10, Math.ceil(Date.now() / MINUTE_MS) + 10];
    const { differing, differences } = await compareWithStored(
      deployment.counters,
      await independentCounts(file),
      from,
      to,
    );
    return { events: sent.accepted, differing, differences, recoveries };
  } finally {
    await deployment.close();
  }
}

async function main(): Promise<void> {
  const flags = new Command("demo:kill")
    .addOption(new Option("--log <kind>", "the log").choices(["kafka", "pubsub"]).default("kafka"))
    .option("--rounds <n>", "of each target", positive, 1)
    .option("--rate <n>", "events a second meanwhile", positive, 2_000)
    .option("--seed <n>", "of kills and events", positive, Math.floor(Math.random() * 1e9) + 1)
    .option("--only <targets...>", `of ${TARGETS.join(", ")}`)
    .option("--keep <folder>", "where logs, sent events, archive and audit go if something is wrong", "kill-evidence")
    .parse()
    .opts<Flags>();
  const targets = (flags.only ?? TARGETS).filter((target) => !(target === "log" && flags.log === "pubsub"));
  say(`seed ${flags.seed}, ${flags.rounds} rounds of ${targets.join(", ")}`);
  const stack = await ClusterStack.start(killStack(flags.log));
  process.exitCode = 1;
  try {
    const result = await runKills(stack, await stack.submit(), flags, targets);
    for (const [target, times] of result.recoveries)
      say(`${target.padEnd(22)} ${times.length} rounds, median ${at(times, 0.5)} s, longest ${at(times, 1)} s`);
    say(`${result.events} events accepted; ${result.differing} cells differ`);
    for (const difference of result.differences) say(`  ${difference}`);
    if (result.differing === 0) process.exitCode = 0;
  } finally {
    // What went wrong is told whatever becomes of this.
    if (process.exitCode !== 0)
      await keep(stack, join(flags.keep, `seed-${flags.seed}`)).catch((error: unknown) => say(String(error)));
    await stack.stop();
  }
}

async function keep(stack: ClusterStack, folder: string): Promise<void> {
  const audit = await viewmillCommand("audit", "--config", stack.configFile);
  const servers = Object.values(stack.servers).flatMap((server: Partial<Server>) => server.folder ?? []);
  keepEvidence([stack.folder, ...servers], folder);
  writeFileSync(join(folder, "audit.txt"), `${audit.stdout}${audit.stderr}`);
  say(`kept in ${folder}`);
}

/** Counts of the open minute every second, so that recovery shows before the minute ends; checkpoints often. */
export const killStack = (log: "kafka" | "pubsub") => ({
  log,
  flink: { taskManagers: 3, slotsPerTaskManager: 2 },
  config: {
    job: { graceMs: 2_000, lateFiringMs: 2_000, earlyFiringMs: 1_000 },
    flink: { checkpointIntervalMs: 3_000, checkpointTimeoutMs: 30_000 },
  },
});

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
