// SPDX-License-Identifier: Apache-2.0
/** The streaming job on Dataflow: `viewmill pipeline stream`, `update` and their `--dry-run`. */
import { MINUTE_MS } from "../../../domain/rules/time";
import type { DataflowRunner } from "../../../engine/dataflow";
import type { Settings } from "../../config/schema";
import { READ_BEFORE_MS, subscriptionPath } from "../stream-graph";
import { checkDataflow, checkStores } from "./dataflow-flags";
import { openRunner } from "./open-runner";
import { checkProject } from "./preflight";
import { described, preparedStream, type Replaced, requestId, type StreamJobSections } from "./prepared-jobs";

/** The time in which machines start and images are fetched. */
const RUNNING_DEADLINE_MS = 15 * MINUTE_MS;

interface SubmittedJob {
  jobId: string;
  name: string;
  replaced?: string;
}

/**
 * Submits the streaming job, and waits until it runs. Rejects with ConfigError, PreflightError (no job was created),
 * DataflowError.
 */
export async function submitStreamJob(config: StreamJobSections, clock: () => number): Promise<SubmittedJob> {
  check(config);
  const prepared = await preparedStream(config, requestId());
  const runner = openRunner(config);
  const backMs = readBackMs(config, clock());
  const { name } = config.job;
  const keptSeconds = Math.ceil(backMs / 1_000);
  await checkProject(runner, config, { jobName: name, replaces: false, reads: { keptSeconds } });
  if (backMs > 0) await seek(runner, config, clock() - backMs);
  const job = await runner.create(prepared);
  await job.waitUntilRunning(RUNNING_DEADLINE_MS);
  return { jobId: job.jobId, name };
}

/**
 * Submits the graph again, to replace the running job of its name and take over its state. The running job continues
 * when Dataflow finds that the two do not fit.
 */
export async function updateStreamJob(
  config: StreamJobSections,
  transformNameMapping: Readonly<Record<string, string>> | undefined,
): Promise<SubmittedJob> {
  check(config);
  const runner = openRunner(config);
  const { name } = config.job;
  // Builds the job once before any request, to find errors of the configuration.
  await preparedStream(config, requestId());
  await checkProject(runner, config, { jobName: name, replaces: true, reads: { keptSeconds: 0 } });
  const { jobId: replaced } = await runner.jobs.active(name);
  const prepared = await preparedStream(config, requestId(), replacement(replaced, transformNameMapping));
  const job = await runner.create(prepared);
  await job.waitUntilRunning(RUNNING_DEADLINE_MS);
  return { jobId: job.jobId, name, replaced };
}

/** Describes the job exactly without any request. For an update, the id of the replaced job is left open. */
export async function describedStreamJob(
  config: StreamJobSections,
  update?: { transformNameMapping: Readonly<Record<string, string>> | undefined },
): Promise<unknown> {
  check(config);
  const replaced = update && replacement("JOB_ID", update.transformNameMapping);
  return described(await preparedStream(config, requestId(), replaced), config);
}

const replacement = (jobId: string, mapping: Replaced["transformNameMapping"]): Replaced => ({
  jobId,
  ...(mapping === undefined ? {} : { transformNameMapping: mapping }),
});

function check(config: Settings<"archive" | "claims" | "counters" | "dataflow" | "deadLetters" | "log">): void {
  checkDataflow(config);
  checkStores(config);
}

/** Returns how far back from now a job that takes over reads; 0: it reads the unacknowledged messages. */
function readBackMs({ job }: Settings<"job">, nowMs: number): number {
  return job.fromMinute === 0 ? 0 : Math.max(0, nowMs - (job.fromMinute * MINUTE_MS - READ_BEFORE_MS));
}

/**
 * Makes the subscription deliver again what was published since the time. The job that read it must have ended, because
 * it would get all these messages again.
 */
async function seek(
  { rest }: DataflowRunner,
  { project, log }: Settings<"log" | "project">,
  sinceMs: number,
): Promise<void> {
  const subscription = subscriptionPath(project, log.pubsub.streamSubscription);
  const url = `https://pubsub.googleapis.com/v1/${subscription}:seek`;
  await rest.json({ method: "POST", url, body: { time: new Date(sinceMs).toISOString() } });
}
