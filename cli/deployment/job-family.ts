// SPDX-License-Identifier: Apache-2.0
import type { Config } from "../config/schema";

export interface ListedJob {
  readonly jobId: string;
  readonly name: string;
  readonly state: string;
  readonly startedAtMs: number;
}

interface JobStatus extends ListedJob {
  /** What the runner has to say: the last warnings and errors. */
  readonly messages: readonly { readonly at: string; readonly importance: string; readonly text: string }[];
}

/**
 * What can be done with jobs, whichever runner has them. A job is named by its id, or by its name where one of that
 * name runs.
 */
export interface JobFamily {
  /** Newest first. */
  list(config: Config): Promise<readonly ListedJob[]>;
  status(config: Config, job: string): Promise<JobStatus>;
  /** Ends a job at once; resolves when it has ended, with the state it ended in. */
  cancel(config: Config, job: string): Promise<{ jobId: string; state: string }>;
}
