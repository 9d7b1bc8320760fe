// SPDX-License-Identifier: Apache-2.0
import { type Command, Option } from "commander";
import { MINUTE_MS } from "../../../domain/rules/time";
import { requireDataFolder } from "../../../io/sqlite/data-folder";
import { type BoundedResult, runBoundedStream } from "../../../pipelines/bounded/bounded-stream";
import { refuseFlags } from "../../arguments/inapplicable-flags";
import { wholeMinute } from "../../arguments/rfc3339-time";
import { ConfigError } from "../../config/config-error";
import { resolveConfig } from "../../config/resolve";
import type { Config, Settings } from "../../config/schema";
import { boundedCounting } from "../../deployment/bounded-counting";
import {
  DATAFLOW_ONLY,
  type DataflowFlags,
  dataflowFlags,
  refuseProject,
  withDataflowFlags,
} from "../../deployment/dataflow/dataflow-flags";
import { openDeployment } from "../../deployment/deployment";
import type { FlinkStreamSections } from "../../deployment/flink/stream-job";
import { streamRunner } from "../../deployment/job-runner";
import { describedCount } from "./described-count";

type Runner = "direct" | "flink" | "dataflow";

interface StreamFlags extends DataflowFlags {
  runner?: Runner;
  from?: number;
  to?: number;
  takeOverFrom?: number;
  fromSavepoint?: string;
  dryRun?: boolean;
  json?: boolean;
  log?: "kafka" | "pubsub";
  topic?: string;
  subscription?: string;
}

/** After the last minute that an archive can have (the year 9999). */
const END_OF_TIME_MS = Date.UTC(10_000, 0, 1);

export function registerStream(pipeline: Command): void {
  dataflowFlags(pipeline.command("stream"))
    .description("direct: count a range of the archive in one bounded run; flink, dataflow: submit the streaming job")
    .addOption(
      new Option("--runner <runner>", "where it runs (default: job.runner)").choices(["direct", "flink", "dataflow"]),
    )
    .option("--from <time>", "direct: RFC 3339, a whole minute; default: the first there is", wholeMinute)
    .option(
      "--to <time>",
      "direct: RFC 3339, a whole minute, exclusive; default: behind the last there is",
      wholeMinute,
    )
    .option("--take-over-from <time>", "flink, dataflow: the job owns the minutes from this one on", wholeMinute)
    .option("--from-savepoint <path>", "flink: resume where this savepoint was taken")
    .addOption(new Option("--log <kind>", "the log").choices(["kafka", "pubsub"]))
    .option("--topic <name>", "the log's topic")
    .option("--subscription <name>", "the stream's Pub/Sub subscription")
    .option("--dry-run", "count and submit nothing; print what would be")
    .option("--data <dir>", "data folder of the deployment")
    .option("--config <file>", "configuration file")
    .option("--json", "print JSON")
    .addHelpText("after", "\nCounting twice, or while another stream counts, changes nothing: counts are absolute.")
    .action(async (flags: StreamFlags, command: Command) => {
      const config = withFlags(withDataflowFlags(resolveConfig(command), flags), flags);
      const runner = flags.runner ?? streamRunner(config);
      refuseOthers(command, runner, config);
      if (runner === "direct") await countRange(config, flags);
      else if (runner === "flink") await submitToFlink(config, flags);
      else await submitToDataflow(config, flags);
    });
}

/** The flags that each runner cannot use. */
const OTHERS: Record<Runner, { names: readonly string[]; why: string }> = {
  direct: {
    names: [...DATAFLOW_ONLY, "takeOverFrom", "fromSavepoint", "log", "topic", "subscription"],
    why: "a direct run counts a range of the archive, and reads no log (--runner flink or dataflow)",
  },
  flink: { names: [...DATAFLOW_ONLY, "from", "to"], why: "a streaming job on Flink has no use for this" },
  dataflow: { names: ["from", "to"], why: "a streaming job on Dataflow has no use for this" },
};

function refuseOthers(command: Command, runner: Runner, config: Settings<"counters" | "log">): void {
  const { log } = config;
  const { names, why } = OTHERS[runner];
  refuseProject(command, runner, config);
  refuseFlags(command, names, why);
  if (runner === "dataflow")
    refuseFlags(command, ["fromSavepoint"], "savepoints are Flink's; on Dataflow: pipeline update");
  if (log.kind !== "pubsub") refuseFlags(command, ["subscription"], `the log is of kind ${log.kind}, not pubsub`);
}

async function countRange(config: Config, flags: StreamFlags): Promise<void> {
  const { from = 0, to = END_OF_TIME_MS, json, dryRun } = flags;
  if (from >= to) throw new ConfigError("--from must be before --to");
  // The archive is there before it is counted: another folder is a mistyped one.
  if (config.archive.kind === "directory") requireDataFolder(config.data);
  if (dryRun === true) {
    const described = await describedCount(config, from, to);
    process.stdout.write(`${JSON.stringify(described, null, json === true ? 0 : 2)}\n`);
    return;
  }
  const deployment = await openDeployment(config);
  try {
    const result = await runBoundedStream(deployment, {
      fromMs: from,
      toMs: to,
      counting: await boundedCounting(config, deployment),
    });
    process.stdout.write(json === true ? `${JSON.stringify(result)}\n` : `${shown(result)}\n`);
  } finally {
    await deployment.close();
  }
}

function withFlags(config: Config, { log, topic, subscription, takeOverFrom }: StreamFlags): Config {
  const pubsub =
    subscription === undefined ? config.log.pubsub : { ...config.log.pubsub, streamSubscription: subscription };
  return {
    ...config,
    log: { ...config.log, pubsub, kind: log ?? config.log.kind, topic: topic ?? config.log.topic },
    job: takeOverFrom === undefined ? config.job : { ...config.job, fromMinute: takeOverFrom / MINUTE_MS },
  };
}

async function submitToFlink(config: FlinkStreamSections, flags: StreamFlags): Promise<void> {
  if (config.log.kind === "embedded")
    throw new ConfigError("a job on Flink reads Kafka or Pub/Sub: set log.kind or --log");
  const { takeOverFrom, fromSavepoint, dryRun, json } = flags;
  if (takeOverFrom !== undefined && fromSavepoint !== undefined)
    throw new ConfigError("a job either resumes from a savepoint or takes over at a minute");
  const { submitStreamJob, describedStreamJob } = await import("../../deployment/flink/submit-stream.js");
  if (dryRun === true) {
    const described = await describedStreamJob(config, fromSavepoint);
    process.stdout.write(`${JSON.stringify(described, null, json === true ? 0 : 2)}\n`);
    return;
  }
  const job = await submitStreamJob(config, fromSavepoint);
  process.stdout.write(json === true ? `${JSON.stringify(job)}\n` : `job ${job.jobId} (${job.name}) is running\n`);
}

async function submitToDataflow(config: Config, flags: StreamFlags): Promise<void> {
  const { dryRun, json } = flags;
  const { submitStreamJob, describedStreamJob } = await import("../../deployment/dataflow/submit-stream.js");
  if (dryRun === true) {
    const described = await describedStreamJob(config);
    process.stdout.write(`${JSON.stringify(described, null, json === true ? 0 : 2)}\n`);
    return;
  }
  const job = await submitStreamJob(config, Date.now);
  process.stdout.write(json === true ? `${JSON.stringify(job)}\n` : `job ${job.jobId} (${job.name}) is running\n`);
}

function shown({ objects, events, minutes, deadLetters, elapsedMs }: BoundedResult): string {
  const damaged = deadLetters === 0 ? "" : `, ${deadLetters} damaged objects (see viewmill dead-letters list)`;
  return `counted ${events} events of ${minutes} minutes from ${objects} objects in ${(elapsedMs / 1000).toFixed(1)} s${damaged}`;
}
