// SPDX-License-Identifier: Apache-2.0
/** Jobs on Dataflow as `viewmill pipeline` lists, cancels and drains them. */
import { MINUTE_MS } from "../../../domain/rules/time";
import { type DataflowJobSummary, isFinalDataflowState } from "../../../engine/dataflow";
import type { Settings } from "../../config/schema";
import type { JobFamily, ListedJob } from "../job-family";
import { checkLocation } from "./dataflow-flags";
import { openRunner } from "./open-runner";

/** The time in which Dataflow stops the machines. */
const CANCELLED_DEADLINE_MS = 15 * MINUTE_MS;
const MAX_MESSAGES = 50;

/** The jobs of the configuration's project and region. */
export const dataflowJobs: JobFamily = {
  async list(config) {
    return (await open(config).jobs.list("ALL")).map(listed);
  },

  async status(config, job) {
    const { jobs } = open(config);
    const found = await known(jobs, job);
    const messages = (await jobs.messages(found.jobId, "JOB_MESSAGE_WARNING")).slice(-MAX_MESSAGES);
    const { replacedByJobId, stateSince, type, labels } = found;
    return { ...listed(found), type, labels, stateSince, ...(replacedByJobId && { replacedByJobId }), messages };
  },

  async cancel(config, job) {
    const runner = open(config);
    const { jobId } = await runner.jobs.active(job);
    await runner.job(jobId).cancel();
    return { jobId, state: await runner.job(jobId).waitUntilFinal(CANCELLED_DEADLINE_MS) };
  },
};

/**
 * Ends a job after the events that it has read: every window is written. Resolves with the state in which the job
 * ended; a drain may take long.
 */
export async function drain(
  config: Settings<"dataflow" | "project">,
  job: string,
  deadlineMs: number,
): Promise<{ jobId: string; state: string }> {
  const runner = open(config);
  const { jobId } = await runner.jobs.active(job);
  await runner.job(jobId).drain();
  return { jobId, state: await runner.job(jobId).waitUntilFinal(deadlineMs) };
}

function open(config: Settings<"dataflow" | "project">) {
  checkLocation(config);
  return openRunner(config);
}

type Jobs = ReturnType<typeof openRunner>["jobs"];

/** Finds a job by id, or the running one of that name, or else the last one of that name. */
async function known(jobs: Jobs, asked: string): Promise<DataflowJobSummary> {
  const named = await jobs.list("ALL", asked);
  return named.find(({ state }) => !isFinalDataflowState(state)) ?? named[0] ?? jobs.get(asked);
}

const listed = ({ jobId, name, state, createdAt }: DataflowJobSummary): ListedJob => ({
  jobId,
  name,
  state,
  startedAtMs: createdAt === undefined ? 0 : Date.parse(createdAt),
});
