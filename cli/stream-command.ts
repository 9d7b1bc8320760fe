import { type Command, Option } from "commander";
import { MINUTE_MS } from "../domain/event";
import { type BoundedResult, runBoundedStream } from "../pipelines/bounded/bounded-stream";
import { ConfigError, resolveConfig } from "./config";
import type { Config } from "./config-schema";
import { type DataflowFlags, dataflowFlags, withDataflowFlags } from "./dataflow/dataflow-flags";
import { boundedCounting } from "./deployment/bounded-counting";
import { openDeployment } from "./deployment/deployment";
import { wholeMinute } from "./rfc3339-time";

interface StreamFlags extends DataflowFlags {
  runner: "direct" | "flink" | "dataflow";
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

/** Behind the last minute an archive can have (the year 9999). */
const END_OF_TIME_MS = Date.UTC(10_000, 0, 1);

export function registerStream(pipeline: Command): void {
  dataflowFlags(pipeline.command("stream"))
    .description("direct: count a range of the archive in one bounded run; flink, dataflow: submit the streaming job")
    .addOption(
      new Option("--runner <runner>", "where it runs").choices(["direct", "flink", "dataflow"]).default("direct"),
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
    .option("--dry-run", "submit nothing; with --json print what would be")
    .option("--data <dir>", "data folder of the deployment")
    .option("--config <file>", "configuration file")
    .option("--json", "print JSON")
    .addHelpText("after", "\nCounting twice, or while another stream counts, changes nothing: counts are absolute.")
    .action(async (flags: StreamFlags, command: Command) => {
      const config = resolveConfig(command);
      if (flags.runner === "direct") await countRange(config, flags);
      else if (flags.runner === "flink") await submitToFlink(config, flags);
      else await submitToDataflow(withDataflowFlags(config, flags), flags);
    });
}

async function countRange(config: Config, { from, to, json }: StreamFlags): Promise<void> {
  const deployment = await openDeployment(config);
  try {
    const result = await runBoundedStream(deployment, {
      fromMs: from ?? 0,
      toMs: to ?? END_OF_TIME_MS,
      counting: boundedCounting(config),
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

async function submitToFlink(given: Config, flags: StreamFlags): Promise<void> {
  const config = withFlags(given, flags);
  if (config.log.kind === "embedded")
    throw new ConfigError("a job on Flink reads Kafka or Pub/Sub: set log.kind or --log");
  const { takeOverFrom, fromSavepoint, dryRun, json } = flags;
  if (takeOverFrom !== undefined && fromSavepoint !== undefined)
    throw new ConfigError("a job either resumes from a savepoint or takes over at a minute");
  const { submitStreamJob, describedStreamJob } = await import("./flink/submit-stream.js");
  if (dryRun === true) {
    const described = await describedStreamJob(config, fromSavepoint);
    process.stdout.write(`${JSON.stringify(described, null, json === true ? 0 : 2)}\n`);
    return;
  }
  const job = await submitStreamJob(config, fromSavepoint);
  process.stdout.write(json === true ? `${JSON.stringify(job)}\n` : `job ${job.jobId} (${job.name}) is running\n`);
}

async function submitToDataflow(given: Config, flags: StreamFlags): Promise<void> {
  const config = withFlags(given, flags);
  const { fromSavepoint, dryRun, json } = flags;
  if (fromSavepoint !== undefined) throw new ConfigError("savepoints are Flink's; on Dataflow: pipeline update");
  const { submitStreamJob, describedStreamJob } = await import("./dataflow/submit-stream.js");
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
