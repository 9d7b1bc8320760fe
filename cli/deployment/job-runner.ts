// SPDX-License-Identifier: Apache-2.0
/** Which runner a command of `viewmill pipeline` speaks to, from the configuration. */
import { ConfigError } from "../config/config-error";
import type { Settings } from "../config/schema";

/** Returns where the stream of a deployment runs: the value of job.runner, or else the runner that can read the log. */
export function streamRunner({ job, log }: Settings<"job" | "log">): "direct" | "flink" | "dataflow" {
  if (job.runner !== "") return job.runner;
  return log.kind === "embedded" ? "direct" : "flink";
}

/**
 * Returns the runner whose jobs are listed and managed. Throws a ConfigError where job.runner is direct, which has no
 * jobs.
 */
export function jobsRunner({ job }: Settings<"job">): "flink" | "dataflow" {
  if (job.runner === "direct")
    throw new ConfigError("job.runner is direct, which has no jobs: --runner flink or dataflow");
  return job.runner === "" ? "flink" : job.runner;
}
