// SPDX-License-Identifier: Apache-2.0
/** Viewmill's streaming job, run and measured, for the Flink measurements. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { DeploymentSections } from "../../cli/deployment/deployment";
import { openCounters } from "../../cli/deployment/open-counters";
import type { ClusterStack } from "../../demo/cluster-stack";
import type { CounterStore, Ledger } from "../../io/ports";
import { cellsOf, digestOf } from "../data/counts-digest";
import type { DataParameters } from "../data/event-source";
import { startTask } from "../task";
import { checkpointsOf, flinkPids, type JobRun } from "./native-run";
import { type ProcessUsage, UsageSince } from "./process-usage";
import { minutesOf } from "./scenario";
import { workerPool } from "./worker-pool-task";

const POLL_MS = 500;
const SAMPLE_MS = 5_000;
const CANCEL_DEADLINE_MS = 60_000;
const LOG_TAIL_CHARACTERS = 3_000;
const STOP_DEADLINE_MS = 30_000;

/** The known state of the job at one time. */
interface Sample {
  /** Since the job runs. */
  atS: number;
  /** Events whose minute has been written: counted, repeats and too late. */
  done: number;
  rssBytes: Record<string, number>;
}

/** The state of the books, seen at `atMs` (epoch milliseconds), not before. */
export interface Progress {
  atMs: number;
  /** As in Sample. */
  done: number;
}

export interface ViewmillRun extends JobRun {
  /** Every change that was seen; the last one is the last event. */
  progress: Progress[];
  samples: Sample[];
}

interface ViewmillOptions {
  /** Flags of Node for the workers. */
  nodeArgs?: readonly string[];
  deadlineMs: number;
  /** Called once the job runs; what it gives is awaited. */
  onRunning?: () => Promise<unknown>;
}

/**
 * Viewmill's streaming job over the stack's topic until every event of `data` is in the books; then it is cancelled.
 */
export async function runViewmill(
  stack: ClusterStack,
  data: DataParameters,
  options: ViewmillOptions,
): Promise<ViewmillRun> {
  const log = join(stack.folder, "worker-pool.log");
  const pool = startTask(workerPool, { config: stack.config, nodeArgs: options.nodeArgs ?? [] }, [], log);
  try {
    await pool.ready;
    return await withStores(stack.config, async (counters, ledger) => {
      const { flink } = stack.servers;
      const used = new UsageSince(() => ({ ...flinkPids(flink), "worker-pool": pool.pid }));
      const jobId = await stack.submit();
      const { startedAtMs } = await stack.flink.job(jobId);
      const running = options.onRunning?.();
      // Its failure ends the run where it is awaited.
      running?.catch(() => undefined);
      const { samples, progress } = await untilCounted(ledger, data, used, options.deadlineMs);
      const wallS = (progress.at(-1)!.atMs - startedAtMs) / 1_000;
      const [cpuS, processes] = [used.cpuS(), used.now()];
      await running;
      const checkpoints = await checkpointsOf(flink.restUrl, jobId);
      await stack.flink.cancel(jobId);
      await stack.flink.awaitState(jobId, (state) => state === "CANCELED", CANCEL_DEADLINE_MS);
      const digest = await storedDigest(counters, data);
      return { digest, wallS, cpuS, processes, checkpoints, samples, progress };
    });
  } catch (error) {
    const said = readFileSync(log, "utf8").slice(-LOG_TAIL_CHARACTERS);
    throw new Error(`${error instanceof Error ? error.message : String(error)}; the workers said\n${said}`, {
      cause: error,
    });
  } finally {
    pool.stop();
    await ended(pool.done);
  }
}

/** A pool that does not end must not keep the bench waiting; what it leaves is stopped with the stack. */
async function ended(done: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, STOP_DEADLINE_MS);
  });
  await Promise.race([done.catch(() => undefined), late]);
  clearTimeout(timer);
}

async function withStores<T>(
  config: DeploymentSections,
  work: (counters: CounterStore, ledger: Ledger) => Promise<T>,
): Promise<T> {
  const { counters, ledger } = await openCounters(config, "shared");
  try {
    return await work(counters, ledger);
  } finally {
    await counters.close();
    await ledger.close();
  }
}

async function untilCounted(
  ledger: Ledger,
  data: DataParameters,
  used: UsageSince,
  deadlineMs: number,
): Promise<Pick<ViewmillRun, "samples" | "progress">> {
  const startedAt = performance.now();
  const [from, to] = minutesOf(data);
  const samples: Sample[] = [];
  const progress: Progress[] = [{ atMs: Date.now(), done: 0 }];
  let sampledAt = Number.NEGATIVE_INFINITY;
  for (;;) {
    const minutes = await ledger.books(from, to);
    const done = minutes.reduce((sum, { counted, duplicate, late }) => sum + counted + duplicate + late, 0);
    const now = performance.now();
    if (done > progress.at(-1)!.done) progress.push({ atMs: Date.now(), done });
    if (now - sampledAt >= SAMPLE_MS || done >= data.events) {
      sampledAt = now;
      samples.push({ atS: (now - startedAt) / 1_000, done, rssBytes: rssOf(used.now()) });
    }
    if (done >= data.events) return { samples, progress };
    if (now - startedAt > deadlineMs)
      throw new Error(`${done} of ${data.events} events are counted after ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

const rssOf = (processes: Record<string, ProcessUsage>): Record<string, number> =>
  Object.fromEntries(Object.entries(processes).map(([name, { rssBytes }]) => [name, rssBytes]));

async function storedDigest(counters: CounterStore, data: DataParameters) {
  const [from, to] = minutesOf(data);
  const minutes = [];
  for await (const minute of counters.minuteCells(from, to)) minutes.push(minute);
  return digestOf(cellsOf(minutes));
}
