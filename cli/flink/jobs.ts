import { type Command, InvalidArgumentError } from "commander";
import { resolveConfig } from "../config";

interface JobFlags {
  json?: boolean;
  directory?: string;
  stop?: boolean;
  deadline: number;
}

const DEFAULT_DEADLINE_S = 300;

/** `pipeline list|cancel|savepoint|resume`: jobs of the Flink cluster named in the configuration. */
export function registerJobs(pipeline: Command): void {
  located(pipeline.command("list").description("jobs of the cluster, newest first")).action(list);
  located(pipeline.command("cancel").description("end a job without a savepoint"))
    .argument("<job>", "id or name of a job that runs")
    .action(cancel);
  located(pipeline.command("savepoint").description("write a savepoint of a job, and stop it with --stop"))
    .argument("<job>", "id or name of a job that runs")
    .option("--stop", "stop the job behind the savepoint; `pipeline resume` goes on from it")
    .option("--directory <path>", "where the cluster writes it (default: its own setting)")
    .option("--deadline <seconds>", "how long it may take", seconds, DEFAULT_DEADLINE_S)
    .action(savepoint);
  located(pipeline.command("resume").description("submit the streaming job from a savepoint"))
    .argument("<savepoint>", "path that `pipeline savepoint` printed")
    .action(resume);
}

const located = (command: Command) =>
  command
    .option("--data <dir>", "data folder of the deployment")
    .option("--config <file>", "configuration file")
    .option("--json", "print JSON");

async function cluster(command: Command) {
  const { FlinkRest } = await import("../../engine/index.js");
  return new FlinkRest(resolveConfig(command).flink.restUrl);
}

async function list({ json }: JobFlags, command: Command): Promise<void> {
  const jobs = await (await cluster(command)).jobs();
  if (json === true) process.stdout.write(`${JSON.stringify(jobs)}\n`);
  else
    for (const { jobId, name, state, startedAtMs } of jobs)
      process.stdout.write(`${jobId}  ${state.padEnd(10)}  ${new Date(startedAtMs).toISOString()}  ${name}\n`);
}

async function cancel(job: string, { json }: JobFlags, command: Command): Promise<void> {
  const rest = await cluster(command);
  const jobId = await runningJob(rest, job);
  await rest.cancel(jobId);
  const state = await rest.awaitState(jobId, (seen) => FINAL.has(seen), DEFAULT_DEADLINE_S * 1000);
  process.stdout.write(json === true ? `${JSON.stringify({ jobId, state })}\n` : `job ${jobId} is ${state}\n`);
}

async function savepoint(job: string, flags: JobFlags, command: Command): Promise<void> {
  const rest = await cluster(command);
  const jobId = await runningJob(rest, job);
  const options = {
    deadlineMs: flags.deadline * 1000,
    ...(flags.directory === undefined ? {} : { directory: flags.directory }),
  };
  const path = await (flags.stop === true ? rest.stopWithSavepoint(jobId, options) : rest.savepoint(jobId, options));
  process.stdout.write(flags.json === true ? `${JSON.stringify({ jobId, savepoint: path })}\n` : `${path}\n`);
}

async function resume(path: string, { json }: JobFlags, command: Command): Promise<void> {
  const { submitStreamJob } = await import("./submit-stream.js");
  const job = await submitStreamJob(resolveConfig(command), path);
  process.stdout.write(json === true ? `${JSON.stringify(job)}\n` : `job ${job.jobId} (${job.name}) is running\n`);
}

const FINAL = new Set<string>(["FINISHED", "FAILED", "CANCELED"]);

type Rest = Awaited<ReturnType<typeof cluster>>;

/** By id, or by the name of one that runs. */
async function runningJob(rest: Rest, asked: string): Promise<string> {
  const running = (await rest.jobs()).filter(({ state }) => !FINAL.has(state));
  const found = running.filter(({ jobId, name }) => jobId === asked || name === asked);
  if (found.length === 1) return found[0]!.jobId;
  throw new InvalidArgumentError(
    found.length === 0
      ? `no job ${asked} is running; running: ${running.map(({ name, jobId }) => `${name} (${jobId})`).join(", ") || "none"}`
      : `${found.length} jobs are named ${asked}: use an id`,
  );
}

function seconds(text: string): number {
  const number = Number(text);
  if (!Number.isFinite(number) || number <= 0) throw new InvalidArgumentError("a number of seconds is wanted");
  return number;
}
