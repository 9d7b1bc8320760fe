// SPDX-License-Identifier: Apache-2.0
import { ConfigError } from "../config/load";
import type { Config } from "../config/schema";

/** Where the stream of a deployment runs: what job.runner says, else where its log can be read from. */
export function streamRunner({ job, log }: Config): "direct" | "flink" | "dataflow" {
  if (job.runner !== "") return job.runner;
  return log.kind === "embedded" ? "direct" : "flink";
}

/** Whose jobs are listed and managed. Throws a ConfigError where job.runner is direct, which has no jobs. */
export function jobsRunner({ job }: Config): "flink" | "dataflow" {
  if (job.runner === "direct")
    throw new ConfigError("job.runner is direct, which has no jobs: --runner flink or dataflow");
  return job.runner === "" ? "flink" : job.runner;
}
