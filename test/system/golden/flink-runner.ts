// SPDX-License-Identifier: Apache-2.0
import { join } from "node:path";
import pino from "pino";
import { type Config, configSchema } from "../../../cli/config/schema";
import { createPlaces } from "../../../cli/deployment/create-places";
import { type Deployment, openDeployment } from "../../../cli/deployment/deployment";
import { streamSubmission } from "../../../cli/deployment/flink/stream-job";
import { bigtableLocation } from "../../../cli/deployment/open-counters";
import { knownEventTypes } from "../../../cli/deployment/open-event-types";
import { openSharedLog } from "../../../cli/deployment/open-log";
import { streamSource } from "../../../cli/deployment/stream-graph";
import { FIRED_PANES } from "../../../cli/programs/worker-resources";
import { buildPipelineProto, type FlinkJob, FlinkRest, FlinkRunner, replaceEnvironments } from "../../../engine";
import { WorkerPool } from "../../../engine/worker-pool";
import { BigtableCellTiers } from "../../../io/bigtable/cell-tiers";
import { streamPipeline } from "../../../pipelines/stream/stream-pipeline";
import { freePort } from "../../../servers";
import { until } from "../../until";
import { Archiving } from "./archiving";
import { auditAll, doAudits } from "./auditing";
import { ingest } from "./ingest";
import { expectOutcome, type GoldenRunner, type Outcome } from "./outcome";
import type { AsideStep, GoldenScript } from "./script";
import { ALL_MINUTES, storedOutcome } from "./stored-outcome";
import { backfillEvents, tierDays } from "./tiering";

const SPREAD = { dedupePartitions: 3, videoShards: 2 };
const FIRING_MS = 300;
/** Scripts are of fixed dates, the watermark is of today: minutes are kept for as long as the two can differ. */
const KEPT_MS = 200 * 366 * 86_400_000;
const SETTLED_DEADLINE_MS = 120_000;
const FINAL_DEADLINE_MS = 60_000;
const POLL_MS = 500;
/** The longest that a write of these jobs is under way, whose stores are on this machine. */
const DRAIN_MS = 1_000;
const WORKER_MODULE = join(__dirname, "..", "..", "..", "cli", "programs", "worker-resources.js");

/**
 * The same scripts on a Flink cluster: a job, workers and stores of their own for each; the workers' pool and the
 * archiver in this process. After each `pass` the books must balance before the script continues, so that later events
 * are in another pane.
 */
export class FlinkGoldenRunner implements GoldenRunner {
  readonly name: string;

  constructor(
    /** The servers of a cluster for the kind of log. */
    private readonly config: () => Config,
    private readonly kind: "kafka" | "pubsub",
  ) {
    this.name = `Flink, ${kind}, Bigtable and Cloud Storage, P ${SPREAD.dedupePartitions}, Q ${SPREAD.videoShards}`;
  }

  async run(script: GoldenScript, folder: string): Promise<Outcome> {
    const run = await FlinkRun.start(this.config(), script, folder, this.kind);
    try {
      for (const [index, step] of script.steps.entries()) {
        if (step.kind === "away") await run.leave();
        else if (step.kind === "back") await run.comeBack();
        else if (step.kind !== "pass") await run.send(step);
        else await run.untilSettled();
        if (script.audits?.includes(index + 1)) await auditAll(run.deployment, script.allowedLatenessMs);
        for (const { after, step: beside } of script.asides ?? [])
          if (after === index + 1) await run.aside(beside, script.allowedLatenessMs);
      }
      await run.untilSettled();
      await doAudits(script, run.deployment);
      await run.untilExpected(script);
      // A job that is done may not change its mind.
      await run.endJob();
      return await run.outcome();
    } finally {
      await run.stop();
    }
  }
}

class FlinkRun {
  private sentMessages = 0;
  private ended = false;
  private savepoint: string | undefined;

  private constructor(
    private readonly config: Config,
    readonly deployment: Deployment,
    private readonly archiving: Archiving,
    private readonly log: Awaited<ReturnType<typeof openSharedLog>>,
    private readonly pool: WorkerPool,
    private job: FlinkJob,
    private readonly runner: FlinkRunner,
    private readonly submit: (savepointPath: string | undefined) => Promise<FlinkJob>,
    private readonly flink: FlinkRest,
  ) {}

  static async start(stack: Config, script: GoldenScript, folder: string, kind: "kafka" | "pubsub"): Promise<FlinkRun> {
    const name = `golden-${script.name}-${kind}`;
    const poolPort = await freePort();
    const config = configSchema.parse({
      ...stack,
      data: folder,
      log: {
        ...stack.log,
        kind,
        topic: name,
        kafka: { ...stack.log.kafka, archiveGroup: `${name}-archive`, streamGroup: `${name}-stream` },
        pubsub: { ...stack.log.pubsub, archiveSubscription: `${name}-archive`, streamSubscription: `${name}-stream` },
      },
      archive: { ...stack.archive, prefix: `${name}/archive/`, maxPortionAgeMs: 100 },
      deadLetters: { ...stack.deadLetters, prefix: `${name}/dead-letters/` },
      claims: { ...stack.claims, prefix: `${name}/claims/` },
      tier: { ...stack.tier, prefix: `${name}/rollups/` },
      counters: { ...stack.counters, tablePrefix: name },
      job: { ...stack.job, name, ...SPREAD },
      flink: { ...stack.flink, workerPool: `127.0.0.1:${poolPort}`, parallelism: 1, checkpointIntervalMs: 3_000 },
    });
    await createPlaces(config, { partitions: 2 });
    const logger = pino({ level: "silent" });
    const pool = await WorkerPool.start({
      host: "127.0.0.1",
      port: poolPort,
      httpPort: 0,
      maxWorkers: 8,
      workerModule: WORKER_MODULE,
      workerSettings: JSON.stringify(config),
      log: logger,
    });
    const runner = new FlinkRunner({ jobServer: config.flink.jobServer, restUrl: config.flink.restUrl });
    const submit = async (savepointPath: string | undefined) =>
      runner.submit(await jobProto(config, script.allowedLatenessMs), streamSubmission(config, savepointPath));
    const job = await submit(undefined);
    const log = await openSharedLog(config, logger);
    const deployment = await openDeployment(config);
    return new FlinkRun(
      config,
      deployment,
      await Archiving.start(config, deployment),
      log,
      pool,
      job,
      runner,
      submit,
      new FlinkRest(config.flink.restUrl),
    );
  }

  async send(step: Parameters<typeof ingest>[0]): Promise<void> {
    const counted = {
      append: (batch: Parameters<typeof this.log.append>[0]) => {
        this.sentMessages++;
        return this.log.append(batch);
      },
    };
    await ingest(step, counted, this.deployment.deadLetters);
  }

  /** What `viewmill tier` and `viewmill backfill` do, while the job goes on. */
  async aside(step: AsideStep, allowedLatenessMs: number): Promise<void> {
    const { deployment, config } = this;
    const { archive, ledger, tiering } = deployment;
    if (step.kind === "backfill") {
      const deps = { ...deployment, eventTypes: knownEventTypes(deployment, config), clock: Date.now };
      return backfillEvents(step, config.data, deps, { spread: SPREAD, allowedLatenessMs });
    }
    const tiers = new BigtableCellTiers({ ...bigtableLocation(config), drainMs: DRAIN_MS });
    try {
      const stores = { counters: tiering.store, tiers, folder: tiering.folder, archive, ledger };
      expect(await tierDays(stores, step.nowMs)).toBeGreaterThan(0);
    } finally {
      await tiers.close();
    }
  }

  /** The job ends with a savepoint, and the archiver goes on. */
  async leave(): Promise<void> {
    this.savepoint = await this.flink.stopWithSavepoint(this.job.jobId!, { deadlineMs: SETTLED_DEADLINE_MS });
  }

  async comeBack(): Promise<void> {
    const { savepoint } = this;
    this.savepoint = undefined;
    this.job = await this.submit(savepoint);
  }

  /** All that was sent is archived, and what is archived is counted, unless the job is away. */
  async untilSettled(): Promise<void> {
    const settled = async () => {
      if (this.archiving.messages < this.sentMessages)
        throw new Error(`${this.archiving.messages} of ${this.sentMessages} messages archived`);
      if (this.savepoint !== undefined) return true;
      const open = (await this.deployment.ledger.books(...ALL_MINUTES)).find(
        ({ archived, counted, duplicate, late }) => archived !== counted + duplicate + late,
      );
      if (open !== undefined) throw new Error(`open: ${JSON.stringify(open)}`);
      return true;
    };
    await until("all that was sent is archived and counted", settled, SETTLED_DEADLINE_MS, POLL_MS);
  }

  /**
   * Levels above the minutes and dead letters follow the books within moments; the last assertion reports a lasting
   * difference.
   */
  async untilExpected(script: GoldenScript): Promise<void> {
    const right = async () => {
      expectOutcome(script, await this.outcome());
      return true;
    };
    await until("the outcome is right", right, FINAL_DEADLINE_MS, POLL_MS).catch(() => undefined);
  }

  outcome(): Promise<Outcome> {
    return storedOutcome(this.deployment);
  }

  async endJob(): Promise<void> {
    if (this.ended) return;
    this.ended = true;
    await this.job.cancel();
    await this.job.waitUntilFinal(FINAL_DEADLINE_MS);
  }

  async stop(): Promise<void> {
    await this.endJob().catch(() => undefined);
    this.runner.close();
    await this.pool.close();
    await this.archiving.stop();
    await Promise.all([this.log.close(), this.deployment.close()]);
  }
}

async function jobProto(config: Config, allowedLatenessMs: number) {
  const proto = await buildPipelineProto((root) =>
    streamPipeline(root, {
      source: streamSource(config),
      expansionService: config.flink.expansionService,
      counting: {
        ...SPREAD,
        allowedLatenessMs,
        followCorrections: false,
        paneCache: "",
        writtenCells: "",
        // Scripts are of events that come late and early, and each firing must hold all of them.
        firedPanes: FIRED_PANES,
        windowing: { graceMs: 0, earlyFiringMs: FIRING_MS, lateFiringMs: FIRING_MS, keptMs: KEPT_MS },
      },
    }),
  );
  return replaceEnvironments(proto, { pool: config.flink.workerPool });
}
