// SPDX-License-Identifier: Apache-2.0
/**
 * What `viewmill pipeline list`, `status` and `cancel` need of a runner; flink/jobs.ts and dataflow/jobs.ts implement
 * it.
 */
import type { Settings } from "../config/schema";

/** The sections that say where jobs run. */
type JobPlace = Settings<"dataflow" | "flink" | "project">;

export interface ListedJob {
  readonly jobId: string;
  readonly name: string;
  readonly state: string;
  readonly startedAtMs: number;
}

interface JobStatus extends ListedJob {
  /** The last warnings and errors of the runner. */
  readonly messages: readonly { readonly at: string; readonly importance: string; readonly text: string }[];
}

/** The operations on jobs of any runner. A job is named by its id, or by its name where a job of that name runs. */
export interface JobFamily {
  /** Returns the newest jobs first. */
  list(config: JobPlace): Promise<readonly ListedJob[]>;
  status(config: JobPlace, job: string): Promise<JobStatus>;
  /** Ends a job at once; resolves with its state when it has ended. */
  cancel(config: JobPlace, job: string): Promise<{ jobId: string; state: string }>;
}
