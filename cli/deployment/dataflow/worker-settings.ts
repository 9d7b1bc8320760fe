// SPDX-License-Identifier: Apache-2.0
/** The configuration that travels to the workers of a Dataflow job, put into each job when it is prepared. */
import type { Settings } from "../../config/schema";

/** The sections that a job's workers get. */
export type WorkerSections = Settings<
  | "archive"
  | "claims"
  | "counters"
  | "deadLetters"
  | "gcs"
  | "job"
  | "lateness"
  | "log"
  | "logLevel"
  | "project"
  | "retention"
>;

/** The data folder in a worker's container, because workers have no folder of the deployment. */
const WORKER_DATA = "/tmp/viewmill";
const WORKER_MODULE = "viewmill/dist/cli/programs/worker-resources";

/**
 * Returns the settings of a job's workers for its pipeline options: the sections that name the workers' stores, and no
 * other. Everybody who may see the job sees the settings. The workers get their credentials from the metadata server of
 * their machine.
 */
export function bootSettings(config: WorkerSections): { workerModule: string; workerSettings: string } {
  const { logLevel, project, log, archive, gcs, counters, deadLetters, claims, job, retention, lateness } = config;
  const settings = {
    data: WORKER_DATA,
    ...{ logLevel, project, log, archive, gcs, counters, deadLetters, claims, job, retention, lateness },
  };
  return { workerModule: WORKER_MODULE, workerSettings: JSON.stringify(settings) };
}
