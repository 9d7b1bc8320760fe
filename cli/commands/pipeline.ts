// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import { registerJobs } from "./pipeline/job-commands";
import { registerStream } from "./pipeline/stream-command";

/** The command group `viewmill pipeline`. cli/program.ts loads it as it loads every command. */
export function register(program: Command): void {
  const pipeline = program.command("pipeline").description("run and manage pipelines");
  registerStream(pipeline);
  registerJobs(pipeline);
}
