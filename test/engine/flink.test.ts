// SPDX-License-Identifier: Apache-2.0
/** The engine on a real Flink: what the direct runner does, and what only a cluster does. */
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Kafka, logLevel, type Producer } from "kafkajs";
import {
  buildPipelineProto,
  FlinkError,
  type FlinkJob,
  FlinkRest,
  FlinkRunner,
  type FlinkSubmission,
  generate,
  parDo,
  type ReadFromKafka,
  replaceEnvironments,
  runDirect,
  type WorkerEnvironment,
  withName,
} from "../../engine";
import type { FixName } from "../../engine/fixes";
import { workerLog } from "../../engine/worker-log";
import { WorkerPool, type WorkerPoolStatus } from "../../engine/worker-pool";
import { createLedTopic } from "../../io/kafka/topics";
import {
  type ExpansionService,
  type FlinkCluster,
  type JobServer,
  type KafkaServer,
  startExpansionService,
  startFlinkCluster,
  startJobServer,
  startKafka,
} from "../../servers";
import { until } from "../servers/processes";
import { COLD_START_MS, describeWithServers } from "../servers/with-servers";
import { boundedGraph, kafkaGraph } from "./flink-graph";
import * as fns from "./fns";
import { ResultServer } from "./result-server";

/** Two cores may be shared with other suites. */
const DEADLINE_MS = 180_000;
const TEST_MS = 600_000;
const ITEMS = 100;
const log = workerLog({});
log.level = "warn";

interface Row {
  key: string;
  values: string[];
  windowEnds: number;
  timing: string;
  index: number;
  first: boolean;
}

/** Who starts the workers, and the kind of Beam's environment. */
const WORKERS = [
  ["workers from a pool", "EXTERNAL"],
  ["workers that the TaskManagers start", "PROCESS"],
] as const;
const WORKER_BOOT = join(__dirname, "../../../scripts/worker-boot.sh");

describeWithServers("a pipeline on Flink", ["flink", "job-server", "expansion", "kafka"], () => {
  let cluster: FlinkCluster;
  let jobServer: JobServer;
  let expansion: ExpansionService;
  let kafkaServer: KafkaServer;
  let producer: Producer;
  let pool: WorkerPool;
  let runner: FlinkRunner;
  let rest: FlinkRest;

  beforeAll(async () => {
    const size = { taskManagers: 1, slotsPerTaskManager: 8, taskManagerMemoryMb: 2_048, managedMemoryMb: 512 };
    cluster = await startFlinkCluster({ ...size, highAvailability: false });
    [jobServer, expansion, kafkaServer] = await Promise.all([
      startJobServer({ flinkMaster: cluster.master, configFolder: cluster.jobConfigFolder }),
      startExpansionService(),
      startKafka(),
    ]);
    producer = client().producer();
    await producer.connect();
    pool = await newPool();
    runner = new FlinkRunner({ jobServer: jobServer.endpoint, restUrl: cluster.restUrl });
    rest = new FlinkRest(cluster.restUrl);
  }, COLD_START_MS);

  afterAll(async () => {
    runner?.close();
    await producer?.disconnect();
    await pool?.close();
    for (const server of [kafkaServer, expansion, jobServer, cluster]) await server?.stop();
  }, 60_000);

  const client = () => new Kafka({ brokers: [kafkaServer.bootstrap], logLevel: logLevel.ERROR });

  const newPool = () =>
    WorkerPool.start({ host: "127.0.0.1", port: 0, httpPort: 0, maxWorkers: 16, unresponsiveMs: 10_000, log });

  /** Its messages bear the times they are sent with, or those of the broker. */
  async function newTopic(timestampType: "CreateTime" | "LogAppendTime" = "CreateTime"): Promise<ReadFromKafka> {
    const topic = `topic-${randomUUID()}`;
    const admin = client().admin();
    await admin.connect();
    const configEntries = [{ name: "message.timestamp.type", value: timestampType }];
    await createLedTopic(admin, { topic, numPartitions: 2, configEntries });
    await admin.disconnect();
    return {
      expansionService: expansion.endpoint,
      bootstrapServers: kafkaServer.bootstrap,
      topics: [topic],
      consumerConfig: { "auto.offset.reset": "earliest" },
      commitOffsetInFinalize: false,
      timestampPolicy: "CreateTime",
    };
  }

  const send = (kafka: ReadFromKafka, value: string, timestampMs: number, partition = 0) =>
    producer.send({
      topic: kafka.topics[0]!,
      messages: [{ key: "a", value, timestamp: String(timestampMs), partition }],
    });

  const streaming = (jobName: string): FlinkSubmission => ({
    jobName,
    streaming: true,
    parallelism: 2,
    checkpointingIntervalMs: 3_000,
    checkpointTimeoutMs: 10_000,
    maxBundleSize: 100,
    maxBundleTimeMs: 100,
  });

  async function submitStream(
    results: ResultServer,
    kafka: ReadFromKafka,
    submission: FlinkSubmission,
    { address } = pool,
  ) {
    const graph = await buildPipelineProto(kafkaGraph(results.url, kafka, 5_000));
    const job = await runner.submit(replaceEnvironments(graph, { pool: address }), submission);
    await job.waitUntilRunning(DEADLINE_MS);
    return job;
  }

  async function end(job: FlinkJob): Promise<void> {
    await job.cancel();
    expect(await job.waitUntilFinal(DEADLINE_MS)).toBe("CANCELED");
  }

  const rows = (results: ResultServer): Row[] => results.rows.map((each) => each.row as Row);

  test("the package's example counts words", async () => {
    const root = join(__dirname, "../../..");
    await promisify(execFile)(process.execPath, [join(root, "scripts", "build-packages.mjs"), "engine"]);
    const folder = mkdtempSync(join(tmpdir(), "viewmill-example-"));
    const example = join(root, "engine", "example", "on-flink.js");
    await promisify(execFile)(process.execPath, [example, jobServer.endpoint], { cwd: folder, timeout: DEADLINE_MS });
    const lines = readFileSync(join(folder, "word-lengths.txt"), "utf8").trim().split("\n").sort();
    expect(lines).toEqual(["2 letters: 6", "3 letters: 2", "4 letters: 1", "8 letters: 1"]);
    rmSync(folder, { recursive: true });
  });

  // Jobs of their own, four at a time (vitest.config.mjs): most of it is waiting, for a job to start and for windows to
  // end.
  test.concurrent.each(WORKERS)(
    "a bounded graph gives what it gives on the direct runner, with %s (%s)",
    async (_what, kind) => {
      const workers: WorkerEnvironment = kind === "PROCESS" ? { command: WORKER_BOOT } : { pool: pool.address };
      const [direct, flink] = [await ResultServer.start(), await ResultServer.start()];
      try {
        await runDirect(boundedGraph(direct.url, ITEMS));
        const graph = await buildPipelineProto(boundedGraph(flink.url, ITEMS));
        const jobName = `bounded-${kind}`;
        const submission = { jobName, streaming: false, parallelism: 2 };
        const job = await runner.submit(replaceEnvironments(graph, workers), submission);
        await job.waitUntilFinished(DEADLINE_MS).catch(async (error: Error) => {
          const failures = await rest.exceptions(job.jobId!);
          await job.cancel();
          throw new Error(`${error.message}\n${failures.map((each) => each.stackTrace).join("\n")}`);
        });
        expect(await rest.exceptions(job.jobId!), "a run that fails over writes its rows twice").toEqual([]);
        expect(flink.byTag()).toEqual(direct.byTag());
        expect(direct.sorted("integers")).toHaveLength(ITEMS);
        expect(direct.sorted("large")).toHaveLength(2);
        expect(direct.rows.every((row) => row.pid === process.pid)).toBe(true);
        expect(flink.rows.some((row) => row.pid === process.pid)).toBe(false);
      } finally {
        direct.close();
        flink.close();
      }
    },
    TEST_MS,
  );

  /** A pool whose workers leave one fix out. */
  function poolWithout(fix: FixName): Promise<WorkerPool> {
    const preload = join(__dirname, "children", "leave-out-fix.js");
    const nodeArgs = ["--require", preload, "--title", `leave-out-fix=${fix}`];
    return WorkerPool.start({ host: "127.0.0.1", port: 0, httpPort: 0, maxWorkers: 16, nodeArgs, log });
  }

  /** A job whose workers leave one fix out. */
  async function withoutFix(
    fix: FixName,
    use: (crippled: WorkerPool, results: ResultServer, job: FlinkJob) => Promise<void>,
  ) {
    const [crippled, results] = [await poolWithout(fix), await ResultServer.start()];
    const graph = await buildPipelineProto(boundedGraph(results.url, ITEMS));
    const submission = { jobName: `without ${fix}`, streaming: false, parallelism: 1 };
    const job = await runner.submit(replaceEnvironments(graph, { pool: crippled.address }), submission);
    try {
      await use(crippled, results, job);
    } finally {
      await job.cancel().catch(() => undefined);
      await crippled.close();
      results.close();
    }
  }

  test.concurrent(
    "without the fix numbers in its workers, the run succeeds and is wrong",
    async () => {
      const direct = await ResultServer.start();
      await runDirect(boundedGraph(direct.url, ITEMS));
      direct.close();
      await withoutFix("numbers", async (_crippled, results, job) => {
        await job.waitUntilFinished(DEADLINE_MS);
        expect(results.sorted("gathered")).not.toEqual(direct.sorted("gathered"));
      });
    },
    TEST_MS,
  );

  const failed = async (job: FlinkJob) => (await rest.exceptions(job.jobId!)).length > 0;

  test.concurrent.each<[FixName, (status: WorkerPoolStatus, job: FlinkJob) => boolean | Promise<boolean>]>([
    // Whether the worker dies or its runner gives it up first is a race; the run fails either way.
    ["message-size", (_status, job) => failed(job)],
    ["node-24", (status) => status.refusals > 0],
    ["values", (_status, job) => failed(job)],
  ])(
    "without the fix %s in its workers, a job gets nowhere",
    async (fix, stuck) => {
      await withoutFix(fix, async (crippled, _results, job) => {
        await until("the failure", () => stuck(crippled.status(), job), DEADLINE_MS);
        expect(await job.state()).not.toBe("FINISHED");
      });
    },
    TEST_MS,
  );

  test.concurrent(
    "an error of a DoFn fails the job's run, and names its stage",
    async () => {
      const graph = await buildPipelineProto((root) => {
        generate(root, "numbers", new fns.CountTo(4)).apply(withName("picky", parDo(new fns.FailOn(2))));
      });
      const submission = { jobName: "picky", streaming: false, parallelism: 1 };
      const job = await runner.submit(replaceEnvironments(graph, { pool: pool.address }), submission);
      // The cluster starts a failing job again for as long as it fails.
      const failures = async () => (await rest.exceptions(job.jobId!)).map((each) => each.stackTrace).join("\n");
      await until("the failure", async () => /stage "picky": cannot take 2/.test(await failures()), DEADLINE_MS);
      await end(job);
      await expect(job.waitUntilFinished(DEADLINE_MS)).rejects.toThrow(/CANCELED/);
    },
    TEST_MS,
  );

  test.concurrent(
    "what comes on time fires once, what comes late joins it in a later pane, and a job resumed from a savepoint knows both",
    async () => {
      const [results, kafka] = [await ResultServer.start(), await newTopic()];
      const job = await submitStream(results, kafka, streaming("panes"));
      const at = Date.now();
      await send(kafka, "one", at);
      await send(kafka, "two", at, 1);
      await results.until(() => results.rows.length > 0, DEADLINE_MS);
      expect(rows(results)).toMatchObject([{ values: ["one", "two"], timing: "ON_TIME", index: 0, first: true }]);
      // The window of t starts at floor((t - offset) / size) * size + offset.
      expect(rows(results)[0]!.windowEnds).toBe(Math.floor((at - 1_000) / 5_000) * 5_000 + 1_000 + 4_999);
      await send(kafka, "late", at);
      await results.until(() => results.rows.length > 1, DEADLINE_MS);
      expect(rows(results)[1]).toMatchObject({
        values: ["late", "one", "two"],
        timing: "LATE",
        index: 1,
        first: false,
      });

      await expect(submitStream(results, kafka, streaming("panes"))).rejects.toThrow(
        /a job "panes" is RUNNING already/,
      );
      const savepointPath = await rest.stopWithSavepoint(job.jobId!, { deadlineMs: DEADLINE_MS });
      expect(await job.waitUntilFinal(DEADLINE_MS)).toBe("CANCELED");
      await send(kafka, "meanwhile", at);
      const resumed = await submitStream(results, kafka, { ...streaming("panes"), savepointPath });
      await results.until(() => results.rows.length > 2, DEADLINE_MS);
      expect(rows(results)[2]).toMatchObject({ values: ["late", "meanwhile", "one", "two"], timing: "LATE", index: 2 });
      expect((await rest.checkpoints(resumed.jobId!)).restored).toBe(1);
      await until(
        "a checkpoint",
        async () => (await rest.checkpoints(resumed.jobId!)).lastCompleted !== undefined,
        DEADLINE_MS,
      );
      await end(resumed);
      results.close();
    },
    TEST_MS,
  );

  test.concurrent.each([
    ["ProcessingTime", "CreateTime"],
    ["LogAppendTime", "LogAppendTime"],
  ] as const)(
    "a partition without a record does not hold the windows back under the timestamp policy %s",
    async (timestampPolicy, timestampType) => {
      const [results, kafka] = [await ResultServer.start(), { ...(await newTopic(timestampType)), timestampPolicy }];
      const job = await submitStream(results, kafka, streaming(timestampPolicy));
      await send(kafka, "one", Date.now());
      await results.until(() => results.rows.length > 0, DEADLINE_MS);
      expect(rows(results)).toMatchObject([{ values: ["one"], timing: "ON_TIME" }]);
      await end(job);
      results.close();
    },
    TEST_MS,
  );

  test.concurrent.each([["SIGKILL"], ["SIGSTOP"]] as const)(
    "a worker that gets %s in the middle of the stream is replaced, and every window ends up complete",
    async (signal) => {
      const [results, kafka, own] = [await ResultServer.start(), await newTopic(), await newPool()];
      const job = await submitStream(results, kafka, streaming(`worker-${signal}`), own);
      const expected = new Set<string>();
      let number = 0;
      const sendSome = async (count: number) => {
        for (let i = 0; i < count; i++, number++) {
          expected.add(String(number));
          await send(kafka, String(number), Date.now(), number % 2);
        }
      };
      const seen = () => new Set(rows(results).flatMap((row) => row.values));
      await sendSome(50);
      await results.until(() => results.rows.length > 0, DEADLINE_MS);
      const { starts } = own.status();
      const victims = new Set(results.rows.map((row) => row.pid));
      for (const pid of victims) process.kill(pid, signal);
      await sendSome(50);
      await until("a new worker", () => own.status().starts > starts, DEADLINE_MS);
      await sendSome(50);
      await results.until(() => seen().size === expected.size, DEADLINE_MS);
      for (const { values } of rows(results)) expect(new Set(values).size).toBe(values.length);
      expect(own.status().exits.SIGKILL).toBeGreaterThanOrEqual(1);
      await end(job);
      await own.close();
      results.close();
    },
    TEST_MS,
  );

  test("Flink's REST API is asked with a deadline, and its errors have a kind", async () => {
    await expect(rest.job("0".repeat(32))).rejects.toMatchObject({ name: "FlinkError", kind: "not-found" });
    await expect(new FlinkRest("http://127.0.0.1:1").jobs()).rejects.toMatchObject({ kind: "unreachable" });
    await expect(rest.awaitState((await rest.jobs())[0]!.jobId, () => false, 300)).rejects.toMatchObject({
      kind: "timeout",
    });
    expect(await rest.jobs()).toEqual(expect.arrayContaining([expect.objectContaining({ name: "panes" })]));
    const nobody = new FlinkRunner({ jobServer: "127.0.0.1:1" });
    const proto = await buildPipelineProto(() => undefined);
    await expect(nobody.submit(proto, streaming("nobody"))).rejects.toBeInstanceOf(FlinkError);
    nobody.close();
  });
});
