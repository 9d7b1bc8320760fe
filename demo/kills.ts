// SPDX-License-Identifier: Apache-2.0
/** What `npm run demo:kill` takes away, and what must be true while it is away and afterwards. */
import { setTimeout as delay } from "node:timers/promises";
import type { Killable } from "../servers";
import { archiverPair } from "./archiver-pair";
import { readBooks } from "./books";
import type { ClusterStack } from "./cluster-stack";
import { jobAway } from "./job-away";
import { countedOf, type Heal, type Load, lostEvents } from "./load";
import { recordsDeleted } from "./lost-records";
import { rollingUpgrade } from "./rolling-upgrade";

/** The parts that are taken away and brought back, after an upgrade of all. */
export const TARGETS = [
  "upgrade",
  "worker",
  "worker-at-checkpoint",
  "pool",
  "task-manager",
  "job-manager",
  "job-server",
  "archiver",
  "service",
  "log",
  "bigtable-cut",
  "bigtable-slow",
  "bigtable-swallowed",
  "second-job",
  "archiver-pair",
  "job-away",
  "records-deleted",
] as const;
export type Target = (typeof TARGETS)[number];

/** Targets after which events stay lost, so that no answer is complete past them. They run after all others. */
export const LOSING: ReadonlySet<Target> = new Set(["records-deleted"]);

const RECOVERY_DEADLINE_MS = 1_200_000;
const POLL_MS = 250;
/** Longer recoveries are looked at less often: the books of an hour are rows of the store that recovers. */
const PAUSE_SHARE = 0.025;

interface Recovery {
  target: Target;
  /** From the kill until everything accepted by then was archived and counted. */
  recoveredMs: number;
}

/** Makes one kill and waits until everything accepted before it is archived and counted. Rejects after the deadline. */
export async function killOnce(
  stack: ClusterStack,
  target: Target,
  random: () => number,
  load: Load,
): Promise<Recovery> {
  await delay(random() * 1_500);
  const startedAt = performance.now();
  const heal = await take(stack, target, random, load);
  const accepted = load.accepted();
  await heal();
  const archivable = accepted - lostEvents(load);
  // From here on, because an upgrade of all takes minutes on a busy machine.
  const endsAt = performance.now() + RECOVERY_DEADLINE_MS;
  let seen = "";
  while (performance.now() < endsAt) {
    const books = await readBooks(stack.processes.serveUrl, load.startedAtMs, stack.clock.now()).catch(() => undefined);
    seen = JSON.stringify(books);
    if (books !== undefined && books.archived >= archivable && countedOf(books) >= accepted)
      return { target, recoveredMs: performance.now() - startedAt };
    await delay(POLL_MS + PAUSE_SHARE * (performance.now() - startedAt));
  }
  throw new Error(`${target}: ${accepted} events accepted, not all counted after ${RECOVERY_DEADLINE_MS} ms: ${seen}`);
}

const nothing: Heal = async () => undefined;

async function take(stack: ClusterStack, target: Target, random: () => number, load: Load): Promise<Heal> {
  const { servers, processes } = stack;
  const { flink, bigtableProxy } = servers;
  switch (target) {
    case "upgrade":
      return rollingUpgrade(stack, load);
    case "worker":
      await killWorker(stack, random);
      return nothing;
    case "worker-at-checkpoint":
      await stack.flink.beginCheckpoint(load.jobId);
      await delay(random() * 200);
      await killWorker(stack, random);
      return nothing;
    case "pool":
      return taken(processes.pool, random);
    case "task-manager":
      return taken(oneOf(flink.taskManagers, random), random);
    case "job-manager":
      return jobManagersInTurn(flink.jobManagers, random);
    case "job-server":
      return taken(servers.jobServer, random);
    case "archiver":
      return taken(oneOf(processes.archivers, random), random);
    case "service":
      return taken(oneOf(processes.serves, random), random);
    case "log":
      if (servers.kafka === undefined) throw new Error("the Pub/Sub emulator keeps nothing: it cannot be killed");
      return taken(servers.kafka, random);
    case "bigtable-cut":
      bigtableProxy.cut();
      return passAfter(stack, 500 + random() * 5_000);
    case "bigtable-slow":
      bigtableProxy.delay(20 + Math.floor(random() * 200));
      return passAfter(stack, 2_000 + random() * 5_000);
    case "bigtable-swallowed":
      bigtableProxy.swallowAnswers(true);
      return async () => {
        await delay(500 + random() * 5_000);
        // A swallowed answer stays lost, so the connections that wait for one have to end.
        bigtableProxy.cut();
        await delay(100);
        bigtableProxy.pass();
      };
    case "second-job":
      return secondJob(stack, random);
    case "archiver-pair":
      return archiverPair(stack, random);
    case "job-away":
      return jobAway(stack, random, load);
    case "records-deleted":
      return recordsDeleted(stack, load);
  }
}

const oneOf = <T>(list: readonly T[], random: () => number): T => list[Math.floor(random() * list.length)]!;

/** One of the kills is the leader's. Where there are two, the other one leads before the killed one is back. */
async function jobManagersInTurn(jobManagers: readonly Killable[], random: () => number): Promise<Heal> {
  const [last, ...before] = [...jobManagers].reverse();
  for (const each of before) await (await taken(each, random))();
  return taken(last!, random);
}

async function taken(what: Killable, random: () => number): Promise<Heal> {
  await what.kill();
  return async () => {
    await delay(random() * 2_000);
    await what.restart();
  };
}

function passAfter({ servers }: ClusterStack, ms: number): Heal {
  return async () => {
    await delay(ms);
    servers.bigtableProxy.pass();
  };
}

/** Runs another job from the beginning of the log: two writers at once on the same keys, one of them with old panes. */
async function secondJob(stack: ClusterStack, random: () => number): Promise<Heal> {
  const jobId = await stack.submit({ name: `zombie-${Math.floor(random() * 1e9)}` });
  return async () => {
    await delay(10_000);
    await stack.flink.cancel(jobId);
    await stack.flink.awaitState(jobId, (state) => state === "CANCELED" || state === "FAILED", 60_000);
  };
}

/** Waits until a worker runs, in case the last one is still dead. */
async function killWorker({ processes }: ClusterStack, random: () => number): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt++) {
    const answer = await fetch(`${processes.poolUrl}/status`);
    const { workers } = (await answer.json()) as { workers: { pid: number; state: string }[] };
    const running = workers.filter(({ state }) => state === "running");
    const worker = running[Math.floor(random() * running.length)];
    if (worker !== undefined) {
      process.kill(worker.pid, "SIGKILL");
      return;
    }
    await delay(POLL_MS);
  }
  throw new Error("no worker is running");
}
