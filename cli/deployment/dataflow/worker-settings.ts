// SPDX-License-Identifier: Apache-2.0
import type { Config } from "../../config/schema";

/** On workers there is no folder of a deployment; this one is the container's own. */
const WORKER_DATA = "/tmp/viewmill";
const WORKER_MODULE = "viewmill/dist/cli/programs/worker-resources";

/**
 * What the workers of a job are told, in its pipeline options: the sections that name their stores, and nothing else.
 * Whoever sees the job sees it; the workers have their credentials from the metadata server of their machine.
 */
export function bootSettings(config: Config): { workerModule: string; workerSettings: string } {
  const { logLevel, project, log, archive, gcs, counters, deadLetters, claims, job, retention, lateness } = config;
  const settings = {
    data: WORKER_DATA,
    ...{ logLevel, project, log, archive, gcs, counters, deadLetters, claims, job, retention, lateness },
  };
  return { workerModule: WORKER_MODULE, workerSettings: JSON.stringify(settings) };
}
