import type { Command } from "commander";
import { registerJobs } from "./job-commands";
import { registerStream } from "./stream-command";

export function register(program: Command): void {
  const pipeline = program.command("pipeline").description("run and manage pipelines");
  registerStream(pipeline);
  registerJobs(pipeline);
}
