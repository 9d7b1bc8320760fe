// SPDX-License-Identifier: Apache-2.0
/** The configuration that travels to the workers of a Dataflow job, put into each job when it is prepared. */
import type { Settings } from "../../config/schema";
import type { WorkerSections } from "../worker-sections";

/** The sections that travel with a job; its workers have a data folder of their own. */
export type SentSections = Omit<WorkerSections, "data"> & Settings<"logLevel">;

/** The data folder in a worker's container, because workers have no folder of the deployment. */
const WORKER_DATA = "/tmp/viewmill";
const WORKER_MODULE = "viewmill/dist/cli/programs/worker-resources";

/**
 * Returns the settings of a job's workers for its pipeline options: the sections that name the workers' stores, and no
 * other. Everybody who may see the job sees the settings. The workers get their credentials from the metadata server of
 * their machine.
 */
export function bootSettings(config: SentSections): { workerModule: string; workerSettings: string } {
  const { logLevel, project, log, archive, gcs, counters, deadLetters, claims, job, retention, lateness, tier } =
    config;
  const settings: WorkerSections & Settings<"logLevel"> = {
    data: WORKER_DATA,
    ...{ logLevel, project, log, archive, gcs, counters, deadLetters, claims, job, retention, lateness, tier },
  };
  return { workerModule: WORKER_MODULE, workerSettings: JSON.stringify(settings) };
}
