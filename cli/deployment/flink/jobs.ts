// SPDX-License-Identifier: Apache-2.0
/** Jobs on Flink as `viewmill pipeline` lists, cancels and stops them. */
import { InvalidArgumentError } from "commander";
import type { Settings } from "../../config/schema";
import type { JobFamily } from "../job-family";

const DEFAULT_DEADLINE_MS = 300_000;

async function cluster({ flink }: Settings<"flink">) {
  const { FlinkRest } = await import("../../../engine/index.js");
  return new FlinkRest(flink.restUrl);
}

/** The jobs of the configured Flink cluster. */
export const flinkJobs: JobFamily = {
  async list(config) {
    return (await cluster(config)).jobs();
  },

  async status(config, job) {
    const rest = await cluster(config);
    const jobId = await knownJob(rest, job);
    const { vertices, ...details } = await rest.job(jobId);
    const [checkpoints, exceptions] = [await rest.checkpoints(jobId), await rest.exceptions(jobId)];
    const messages = exceptions.map(({ atMs, name, stackTrace }) => ({
      at: new Date(atMs).toISOString(),
      importance: "error",
      text: `${name}: ${stackTrace.split("\n")[0]}`,
    }));
    return { ...details, tasks: vertices, checkpoints, messages };
  },

  async cancel(config, job) {
    const rest = await cluster(config);
    const jobId = await runningJob(rest, job);
    await rest.cancel(jobId);
    return { jobId, state: await rest.awaitState(jobId, (seen) => FINAL.has(seen), DEFAULT_DEADLINE_MS) };
  },
};

interface SavepointOptions {
  stop: boolean;
  directory: string | undefined;
  deadlineMs: number;
}

/** Writes a savepoint, and stops the job with `stop`. */
export async function savepoint(
  config: Settings<"flink">,
  job: string,
  { stop, directory, deadlineMs }: SavepointOptions,
) {
  const rest = await cluster(config);
  const jobId = await runningJob(rest, job);
  const options = { deadlineMs, ...(directory === undefined ? {} : { directory }) };
  const path = await (stop ? rest.stopWithSavepoint(jobId, options) : rest.savepoint(jobId, options));
  return { jobId, savepoint: path };
}

const FINAL = new Set<string>(["FINISHED", "FAILED", "CANCELED"]);

type Rest = Awaited<ReturnType<typeof cluster>>;

/** Finds a job by id, or by the name of a running one. */
async function runningJob(rest: Rest, asked: string): Promise<string> {
  const running = (await rest.jobs()).filter(({ state }) => !FINAL.has(state));
  const found = running.filter(({ jobId, name }) => jobId === asked || name === asked);
  if (found.length === 1) return found[0]!.jobId;
  throw new InvalidArgumentError(
    found.length === 0
      ? `no job ${asked} is running; running: ${running.map(({ name, jobId }) => `${name} (${jobId})`).join(", ") || "none"}`
      : `${found.length} jobs are named ${asked}: use an id`,
  );
}

/** Finds a job; of several with one name, the one that started last. */
async function knownJob(rest: Rest, asked: string): Promise<string> {
  const found = (await rest.jobs()).find(({ jobId, name }) => jobId === asked || name === asked);
  if (found !== undefined) return found.jobId;
  throw new InvalidArgumentError(`the cluster knows no job ${asked}`);
}
