// SPDX-License-Identifier: Apache-2.0

import { type Command, InvalidArgumentError, Option } from "commander";
import { SECONDS_AN_HOUR } from "../../../domain/rules/time";
import { refuseFlags } from "../../arguments/inapplicable-flags";
import { ConfigError } from "../../config/config-error";
import { resolveConfig } from "../../config/resolve";
import type { Config, Settings } from "../../config/schema";
import {
  type DataflowFlags,
  dataflowFlags,
  locationFlags,
  withDataflowFlags,
} from "../../deployment/dataflow/dataflow-flags";
import type { JobFamily } from "../../deployment/job-family";
import { jobsRunner } from "../../deployment/job-runner";

interface JobFlags extends DataflowFlags {
  runner?: "flink" | "dataflow";
  json?: boolean;
  directory?: string;
  stop?: boolean;
  deadline: number;
  dryRun?: boolean;
  rename?: Record<string, string>;
}

const SAVEPOINT_DEADLINE_S = 300;
const DRAIN_DEADLINE_S = SECONDS_AN_HOUR;

/** Registers `pipeline list|status|cancel` of both runners, `savepoint|resume` of Flink, `update|drain` of Dataflow. */
export function registerJobs(pipeline: Command): void {
  of(locationFlags(pipeline.command("list").description("jobs of the cluster or region, newest first"))).action(list);
  of(locationFlags(pipeline.command("status").description("a job: its state, and its last warnings and errors")))
    .argument("<job>", "id or name")
    .action(status);
  of(locationFlags(pipeline.command("cancel").description("end a job at once, without a savepoint or a drain")))
    .argument("<job>", "id or name of a job that runs")
    .action(cancel);
  of(locationFlags(pipeline.command("drain").description("dataflow: end a job behind what it has read")))
    .argument("<job>", "id or name of a job that runs")
    .option("--deadline <seconds>", "how long to wait for the end", seconds, DRAIN_DEADLINE_S)
    .action(drain);
  of(dataflowFlags(pipeline.command("update").description("dataflow: submit in the place of the running job")))
    .option("--rename <old=new>", "a transform that is called otherwise now; may be given again", renamed)
    .option("--dry-run", "submit nothing; with --json print what would be")
    .action(update);
  of(pipeline.command("savepoint").description("flink: write a savepoint of a job, and stop it with --stop"))
    .argument("<job>", "id or name of a job that runs")
    .option("--stop", "stop the job behind the savepoint; `pipeline resume` goes on from it")
    .option("--directory <path>", "where the cluster writes it (default: its own setting)")
    .option("--deadline <seconds>", "how long it may take", seconds, SAVEPOINT_DEADLINE_S)
    .action(savepoint);
  of(pipeline.command("resume").description("flink: submit the streaming job from a savepoint"))
    .argument("<savepoint>", "path that `pipeline savepoint` printed")
    .action(resume);
}

const of = (command: Command) =>
  command
    .addOption(new Option("--runner <runner>", "whose jobs (default: job.runner)").choices(["flink", "dataflow"]))
    .option("--data <dir>", "data folder of the deployment")
    .option("--config <file>", "configuration file")
    .option("--json", "print JSON");

const configOf = (flags: JobFlags, command: Command): Config => withDataflowFlags(resolveConfig(command), flags);

async function family(config: Settings<"job">, flags: JobFlags, command: Command): Promise<JobFamily> {
  const runner = flags.runner ?? jobsRunner(config);
  if (runner === "flink") refuseFlags(command, ["project", "region"], "jobs of Flink are in no project or region");
  if (runner === "flink") return (await import("../../deployment/flink/jobs.js")).flinkJobs;
  return (await import("../../deployment/dataflow/jobs.js")).dataflowJobs;
}

/** Throws for the other runner, and names `instead`, the command that comes nearest there. */
function onlyOf(wanted: "flink" | "dataflow", config: Settings<"job">, flags: JobFlags, instead: string) {
  const runner = flags.runner ?? jobsRunner(config);
  if (runner !== wanted) throw new ConfigError(`only jobs of ${wanted} can do this (--runner ${wanted}): ${instead}`);
}

function print(json: boolean | undefined, value: unknown, text: string): void {
  process.stdout.write(json === true ? `${JSON.stringify(value)}\n` : `${text}\n`);
}

async function list(flags: JobFlags, command: Command): Promise<void> {
  const config = configOf(flags, command);
  const jobs = await (await family(config, flags, command)).list(config);
  const line = ({ jobId, name, state, startedAtMs }: (typeof jobs)[number]) =>
    `${jobId}  ${state.padEnd(10)}  ${new Date(startedAtMs).toISOString()}  ${name}`;
  if (flags.json === true || jobs.length > 0) print(flags.json, jobs, jobs.map(line).join("\n"));
}

async function status(job: string, flags: JobFlags, command: Command): Promise<void> {
  const config = configOf(flags, command);
  const found = await (await family(config, flags, command)).status(config, job);
  const { jobId, name, state, startedAtMs, messages } = found;
  const lines = messages.map(({ at, importance, text }) => `  ${at}  ${importance}  ${text}`);
  const first = `job ${jobId} (${name}) is ${state}, started ${new Date(startedAtMs).toISOString()}`;
  print(flags.json, found, [first, ...lines].join("\n"));
}

async function cancel(job: string, flags: JobFlags, command: Command): Promise<void> {
  const config = configOf(flags, command);
  const ended = await (await family(config, flags, command)).cancel(config, job);
  print(flags.json, ended, `job ${ended.jobId} is ${ended.state}`);
}

async function drain(job: string, flags: JobFlags, command: Command): Promise<void> {
  const config = configOf(flags, command);
  onlyOf("dataflow", config, flags, "of Flink, `pipeline savepoint --stop`");
  const ended = await (await import("../../deployment/dataflow/jobs.js")).drain(config, job, flags.deadline * 1_000);
  print(flags.json, ended, `job ${ended.jobId} is ${ended.state}`);
}

async function update(flags: JobFlags, command: Command): Promise<void> {
  const config = configOf(flags, command);
  onlyOf("dataflow", config, flags, "of Flink, `pipeline savepoint --stop` and `pipeline resume`");
  const { describedStreamJob, updateStreamJob } = await import("../../deployment/dataflow/submit-stream.js");
  if (flags.dryRun === true) {
    const described = await describedStreamJob(config, { transformNameMapping: flags.rename });
    process.stdout.write(`${JSON.stringify(described, null, flags.json === true ? 0 : 2)}\n`);
    return;
  }
  const job = await updateStreamJob(config, flags.rename);
  print(flags.json, job, `job ${job.jobId} (${job.name}) is running in the place of ${job.replaced}`);
}

async function savepoint(job: string, flags: JobFlags, command: Command): Promise<void> {
  const config = configOf(flags, command);
  onlyOf("flink", config, flags, "of Dataflow, `pipeline update` or `pipeline drain`");
  const { stop = false, directory, deadline } = flags;
  const written = await (await import("../../deployment/flink/jobs.js")).savepoint(config, job, {
    stop,
    directory,
    deadlineMs: deadline * 1_000,
  });
  print(flags.json, written, written.savepoint);
}

async function resume(path: string, flags: JobFlags, command: Command): Promise<void> {
  const config = configOf(flags, command);
  onlyOf("flink", config, flags, "of Dataflow, `pipeline update`");
  const job = await (await import("../../deployment/flink/submit-stream.js")).submitStreamJob(config, path);
  print(flags.json, job, `job ${job.jobId} (${job.name}) is running`);
}

function seconds(text: string): number {
  const number = Number(text);
  if (!Number.isFinite(number) || number <= 0) throw new InvalidArgumentError("a number of seconds is wanted");
  return number;
}

function renamed(text: string, before: Record<string, string> | undefined): Record<string, string> {
  const [, old, now] = /^([^=]+)=(.*)$/.exec(text) ?? [];
  if (old === undefined || now === undefined) throw new InvalidArgumentError("old=new is wanted");
  return { ...before, [old]: now };
}
