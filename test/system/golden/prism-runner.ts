// SPDX-License-Identifier: Apache-2.0
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import pino from "pino";
import { type Config, configSchema } from "../../../cli/config/schema";
import { createPlaces } from "../../../cli/deployment/create-places";
import { type Deployment, openDeployment } from "../../../cli/deployment/deployment";
import { openSharedLog } from "../../../cli/deployment/open-log";
import { thisBuild, workerPoolProcess } from "../../../demo/viewmill-process";
import { minuteOf, parseRfc3339 } from "../../../domain/event";
import { MINUTE_MS } from "../../../domain/rules/time";
import { buildPipelineProto, registeredModules, replaceEnvironments } from "../../../engine";
import { isFinalJobState, JobService } from "../../../engine/job-service";
import type { EventLog } from "../../../io/ports";
import { countLog } from "../../../pipelines/stream/count-log";
import { freePort, type ServerProcess } from "../../../servers";
import { messagesOfPubSub } from "../../../transforms/messages-of-log";
import { until } from "../../servers/processes";
import { Archiving } from "./archiving";
import { doAudits } from "./auditing";
import { ingest, type SentStep } from "./ingest";
import type { GoldenRunner, Outcome } from "./outcome";
import { pubsubCounting } from "./pubsub-runner";
import type { GoldenScript, Step } from "./script";
import { storedOutcome } from "./stored-outcome";
import { type TestStreamEvent, testStream } from "./test-stream";

const DONE_DEADLINE_MS = 60_000;
const DAY_MS = 86_400_000;

/** The servers that the runs share, apart from their names. */
interface PrismServers {
  prism: string;
  pubsub: { host: string; restUrl: string };
  bigtable: string;
  gcs: { endpoint: string; bucket: string };
}

/**
 * The same scripts on Beam's Prism, whose watermark moves when the script says so: at each `pass` as far as no event
 * comes behind it, in the end to infinity. So each minute fires once, when its time is over. Panes beyond the first are
 * for Flink: those of Prism are wrong where they accumulate.
 */
export class PrismGoldenRunner implements GoldenRunner {
  readonly name = "Prism";
  constructor(private readonly servers: () => PrismServers) {}

  async run(script: GoldenScript, folder: string): Promise<Outcome> {
    const run = await PrismRun.start(this.servers(), script, folder);
    try {
      let isAway = false;
      for (const [index, step] of script.steps.entries()) {
        if (step.kind === "away" || step.kind === "back") isAway = step.kind === "away";
        else if (step.kind !== "pass") await run.send(step);
        else if (!isAway) run.watermark(nothingBefore(script.steps.slice(index + 1)));
      }
      run.watermark(Number.POSITIVE_INFINITY);
      await run.toItsEnd();
      await run.audit();
      return await run.outcome();
    } finally {
      await run.stop();
    }
  }
}

/** The start of the first minute that these steps have anything for; Infinity: of none. */
function nothingBefore(steps: readonly Step[]): number {
  const times = steps.flatMap((step) => {
    if (step.kind === "pass" || step.kind === "away" || step.kind === "back") return [];
    // The times of what is replayed are not in the script: it is of this day.
    if (step.kind === "replay") return [Math.floor(step.receivedAtMs / DAY_MS) * DAY_MS];
    const events = step.kind === "send" ? step.events : [];
    return [step.receivedAtMs, ...events.map(({ raw }) => parseRfc3339(String(raw.eventTime)) ?? step.receivedAtMs)];
  });
  return Math.min(...times.map((ms) => minuteOf(ms) * MINUTE_MS));
}

/** Runs the graph to its end. Rejects with the job's messages where it ends otherwise. */
export async function doneOnPrism(
  jobs: JobService,
  graph: Parameters<JobService["submit"]>[0],
  jobName: string,
): Promise<void> {
  const options = { jobName, streaming: true, registeredNodeModules: registeredModules() };
  const jobId = await jobs.submit(graph, jobName, options);
  let state = await jobs.state(jobId);
  await until(
    "the job's end",
    async () => {
      state = await jobs.state(jobId);
      return isFinalJobState(state);
    },
    DONE_DEADLINE_MS,
  );
  if (state !== "DONE") throw new Error(`the job is ${state}: ${(await jobs.messages(jobId)).join("\n")}`);
}

class PrismRun {
  private readonly events: TestStreamEvent[] = [];
  private watermarkMs = Number.NEGATIVE_INFINITY;

  private constructor(
    private readonly config: Config,
    private readonly script: GoldenScript,
    private readonly deployment: Deployment,
    private readonly archiving: Archiving,
    private readonly log: EventLog,
    private readonly pool: ServerProcess,
    private readonly jobs: JobService,
  ) {}

  static async start(servers: PrismServers, script: GoldenScript, folder: string): Promise<PrismRun> {
    const name = `prism-${script.name}`;
    const [poolPort, healthPort] = [await freePort(), await freePort()];
    const { pubsub, gcs } = servers;
    const config = configSchema.parse({
      data: folder,
      log: {
        kind: "pubsub",
        topic: name,
        pubsub: {
          endpoint: pubsub.host,
          restEndpoint: pubsub.restUrl,
          archiveSubscription: `${name}-archive`,
          streamSubscription: `${name}-stream`,
        },
      },
      gcs,
      archive: { kind: "gcs", prefix: `${name}/archive/` },
      deadLetters: { kind: "gcs", prefix: `${name}/dead-letters/` },
      claims: { kind: "gcs", prefix: `${name}/claims/` },
      counters: { kind: "bigtable", endpoint: servers.bigtable, tablePrefix: name },
      flink: { workerPool: `127.0.0.1:${poolPort}` },
    });
    await createPlaces(config, { partitions: 1 });
    const configFile = join(folder, "viewmill.json");
    writeFileSync(configFile, JSON.stringify(config));
    const pool = workerPoolProcess(folder, thisBuild(configFile), healthPort);
    await pool.start();
    const log = await openSharedLog(config, pino({ level: "silent" }));
    const deployment = await openDeployment(config);
    const archiving = await Archiving.start(config, deployment);
    return new PrismRun(config, script, deployment, archiving, log, pool, new JobService(servers.prism));
  }

  async send(step: SentStep): Promise<void> {
    const append: EventLog["append"] = (batch) => {
      this.events.push({ kind: "element", value: Buffer.from(batch.payload), timestampMs: step.receivedAtMs });
      return this.log.append(batch);
    };
    await ingest(step, { append }, this.deployment.deadLetters);
  }

  /** Moves the watermark, unless it is there already. */
  watermark(ms: number): void {
    if (ms <= this.watermarkMs) return;
    this.watermarkMs = ms;
    this.events.push({ kind: "watermark", ms });
  }

  /** Runs the graph over all of it. */
  async toItsEnd(): Promise<void> {
    const { jobs, script } = this;
    const proto = await buildPipelineProto((root) =>
      countLog(messagesOfPubSub(testStream(root, "TestStream", this.events)), { counting: pubsubCounting(script) }),
    );
    await doneOnPrism(jobs, replaceEnvironments(proto, { pool: this.config.flink.workerPool }), script.name);
    const sent = this.events.filter(({ kind }) => kind === "element").length;
    await until("all messages in the archive", () => this.archiving.messages >= sent, DONE_DEADLINE_MS);
  }

  audit(): Promise<void> {
    return doAudits(this.script, this.deployment);
  }

  /** A job that is done has had every write acknowledged. */
  outcome(): Promise<Outcome> {
    return storedOutcome(this.deployment);
  }

  async stop(): Promise<void> {
    this.jobs.close();
    await this.pool.kill("SIGTERM");
    await this.archiving.stop();
    await Promise.all([this.log.close(), this.deployment.close()]);
  }
}
