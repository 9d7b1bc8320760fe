// SPDX-License-Identifier: Apache-2.0
/**
 * The whole deployment on this machine: Kafka, Flink, Bigtable and Cloud Storage, with Viewmill's own processes as a
 * user runs them. Of services behind nginx, archivers, JobManagers and TaskManagers there are two, and all begin as an
 * earlier build.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { CompressionTypes, Kafka, logLevel } from "kafkajs";
import type { Settings } from "../../../cli/config/schema";
import { openDeployment } from "../../../cli/deployment/deployment";
import { readBooks, untilBalanced } from "../../../demo/books";
import { ClusterStack } from "../../../demo/cluster-stack";
import { killStack, runKills } from "../../../demo/kill";
import type { Target } from "../../../demo/kills";
import { sendEvents } from "../../../demo/sent-events";
import "../../../io/kafka/compression";
import { librdkafkaTransactions } from "../../../servers";
import { COLD_START_MS, describeWithServers } from "../../servers/with-servers";
import { until } from "../../until";
import { unpackEarlierBuild } from "../two-of-everything/earlier-build";

const DEAD_LETTERS = "viewmill-dead-letters";
const KILL_DEADLINE_MS = 900_000;
const STEP_DEADLINE_MS = 300_000;
/** The upgrade, then one kill of each; `npm run demo:kill` does more of them, and of more parts. */
const TARGETS: Target[] = [
  "upgrade",
  "worker-at-checkpoint",
  "task-manager",
  "job-manager",
  "archiver",
  "service",
  "log",
  "pool",
  "bigtable-swallowed",
];

interface HandSent {
  eventId: string;
  videoId: string;
  eventType: string;
  eventTime: number;
}

/**
 * Sends four countable events in three messages, a record without a value, and messages that are none. Returns the
 * latter.
 */
async function sendByHand(kafka: Kafka, topic: string, event: HandSent): Promise<Buffer[]> {
  const producer = kafka.producer();
  await producer.connect();
  const { eventTime, ...timeless } = { ...event, eventId: "no-time" };
  const cloud = { specversion: "1.0", id: "cloud", source: "/test", subject: event.videoId, type: event.eventType };
  const good = [
    Buffer.from(JSON.stringify(event)),
    gzipSync(JSON.stringify({ events: [event, timeless, { ...event, eventId: "listed" }] })),
    Buffer.from(JSON.stringify({ ...cloud, time: new Date(eventTime).toISOString() })),
  ];
  const unknownSchema = Buffer.concat([Buffer.from([0xc3, 0x01]), randomBytes(64)]);
  // A first byte that begins no JSON and no compression.
  const noBatch = Buffer.concat([Buffer.alloc(1), randomBytes(100)]);
  const undecodable = [
    noBatch,
    unknownSchema,
    Buffer.alloc(0),
    Buffer.from('{"videoId":"x"}'),
    Buffer.from('{"videoId":'),
    Buffer.concat([noBatch, randomBytes(8 << 20)]),
  ];
  for (const value of undecodable) await producer.send({ topic, messages: [{ value }] });
  // A record without a value, which is no batch to either reader.
  await producer.send({ topic, messages: [{ key: "tombstone", value: null }] });
  for (const value of good) await producer.send({ topic, messages: [{ value }], compression: CompressionTypes.ZSTD });
  await expect(producer.send({ topic, messages: [{ value: randomBytes(50 << 20) }] })).rejects.toThrow(/larger|large/i);
  await producer.disconnect();
  return undecodable;
}

/**
 * Leaves the traces of an aborted transaction, of a committed one, and of an open one behind which both lie. The open
 * one is aborted last.
 */
async function sendInTransactions(kafka: Kafka, topic: string, event: HandSent): Promise<void> {
  const begun = async (outcome: string) => {
    const transactional = kafka.producer({ transactionalId: outcome, maxInFlightRequests: 1, idempotent: true });
    await transactional.connect();
    const transaction = await transactional.transaction();
    const value = JSON.stringify({ ...event, eventId: outcome });
    for (const partition of [0, 1]) await transaction.send({ topic, messages: [{ partition, value }] });
    return { transactional, transaction };
  };
  const [open, aborted, committed] = [await begun("open"), await begun("aborted"), await begun("committed")];
  await committed.transaction.commit();
  await aborted.transaction.abort();
  await open.transaction.abort();
  for (const { transactional } of [open, aborted, committed]) await transactional.disconnect();
}

/** Sends the same by librdkafka, each transaction compressed in another way. */
function sendByLibrdkafka({ kafka, topic }: Settings<"log">["log"], event: HandSent): Promise<void> {
  return librdkafkaTransactions(
    kafka.brokers,
    topic,
    (["committed", "aborted", "open"] as const).map((name, n) => ({
      transactionalId: `librdkafka-${name}`,
      outcome: name === "committed" ? "commit" : "abort",
      compression: (["zstd", "lz4", "snappy"] as const)[n]!,
      messages: [0, 1].map((partition) => ({
        partition,
        value: JSON.stringify({ ...event, eventId: `librdkafka-${name}` }),
      })),
    })),
  );
}

/** The earlier build gives its job five minutes to start; on a slow machine the job goes on starting behind it. */
function stillStarting(error: { stderr?: string }): string {
  const jobId = /: job ([0-9a-f]{32}) is still /.exec(error.stderr ?? "")?.[1];
  if (jobId === undefined) throw error;
  return jobId;
}

describeWithServers("a cluster", ["kafka", "flink", "bigtable", "gcs", "librdkafka"], () => {
  let folder = "";
  let stack: ClusterStack;
  let jobId = "";
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "viewmill-earlier-"));
    const { config, ...options } = killStack("kafka");
    // Room for the job and for an audit beside it; spread as it is enough for some hundred events a second.
    const flink = { jobManagers: 2, taskManagers: 2, slotsPerTaskManager: 2 };
    const job = { ...config.job, dedupePartitions: 4, videoShards: 2, earlyFiringMs: 2_000 };
    const log = { deadLetterTopic: DEAD_LETTERS };
    const two = { instances: 2, earlierMain: unpackEarlierBuild(folder) };
    // Bundles cost more than their events: fewer of them, and fewer early panes.
    const settings = { ...config, job, log, flink: { ...config.flink, maxBundleMs: 500 } };
    stack = await ClusterStack.start({ ...options, ...two, flink, config: settings });
    jobId = await submitted("stream", "--runner", "flink").catch(stillStarting);
  }, COLD_START_MS);
  afterAll(async () => {
    await stack?.stop();
    rmSync(folder, { recursive: true, force: true });
  }, 120_000);

  const viewmill = (...args: string[]) => {
    const { main, configFile } = stack.build;
    return promisify(execFile)(process.execPath, [main, ...args, "--config", configFile], { maxBuffer: 64 << 20 });
  };
  const submitted = async (...args: string[]) =>
    (JSON.parse((await viewmill("pipeline", ...args, "--json")).stdout) as { jobId: string }).jobId;

  it(
    "loses and doubles nothing when it is upgraded from an earlier build and its parts are killed, under load",
    async () => {
      const seed = Math.floor(Math.random() * 1e9) + 1;
      process.stdout.write(`kills with seed ${seed}\n`);
      const result = await runKills(stack, jobId, { rounds: 1, rate: 400, seed }, TARGETS);
      jobId = result.jobId;
      expect(result.events).toBeGreaterThan(0);
      expect({ faults: result.faults, differences: result.differences }).toEqual({ faults: [], differences: [] });
      expect(result.watched.answers).toBeGreaterThan(0);
      expect(result.differing).toBe(0);
    },
    KILL_DEADLINE_MS,
  );

  it(
    "is well by its canary, through the balancer, and has no difference by the audit, here and as a job of Flink",
    async () => {
      const target = ["--url", stack.processes.serveUrl, "--name", "cluster", "--deadline", "120"];
      const round = await promisify(execFile)(process.execPath, [
        stack.build.main,
        "canary",
        "--once",
        "--json",
        ...target,
      ]);
      expect(JSON.parse(round.stdout)).toMatchObject({ outcome: "ok", lost: 0, doubled: 0 });
      const reports = [];
      for (const runner of ["direct", "flink"]) {
        const { stdout } = await viewmill("audit", "--runner", runner, "--json").catch(
          (failed: { stdout: string }) => failed,
        );
        const { differences: _, ...report } = JSON.parse(stdout) as Record<string, unknown>;
        reports.push(report);
      }
      for (const report of reports) expect(report).toMatchObject({ outcome: "equal", cellsDiffering: 0 });
      const [direct, flink] = reports.map(({ events, distinctEvents, cellsCompared, objectsRead, reusedEventIds }) => ({
        events,
        distinctEvents,
        cellsCompared,
        objectsRead,
        reusedEventIds,
      }));
      expect(flink).toEqual(direct);
    },
    STEP_DEADLINE_MS * 2,
  );

  it(
    "counts a replayed letter that is too old for the stream at the next audit, and says that it waits",
    async () => {
      const { serveUrl } = stack.processes;
      const minuteMs = Math.floor(Date.now() / 60_000) * 60_000 - 3 * 3_600_000;
      const sent = { eventId: "letter", videoId: "by-letter", eventType: "view", eventTime: minuteMs };
      await fetch(`${serveUrl}/v1/events`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify([sent, { ...sent, eventId: "fresh", eventTime: Date.now() }]),
      });
      const replay = ["--url", serveUrl, "--reason", "bad-event-type", "--set", "eventType=VIEW", "--json"];
      const { stdout } = await viewmill("dead-letters", "replay", ...replay);
      const told = JSON.parse(stdout) as { replayed: number; countedAtOnce: number; waiting: string[] };
      expect(told).toMatchObject({ replayed: 2, countedAtOnce: 1, waiting: [expect.any(String)] });
      const letter = await viewmill("dead-letters", "show", told.waiting[0]!, "--json");
      expect(JSON.parse(letter.stdout)).toMatchObject({ eventId: "letter" });

      const range = { start: new Date(minuteMs).toISOString(), end: new Date(minuteMs + 60_000).toISOString() };
      const books = async () => {
        const answer = await fetch(`${serveUrl}/v1/ledger?start=${range.start}&end=${range.end}`);
        return ((await answer.json()) as { totals: Record<string, number> }).totals;
      };
      const total = async () => {
        const video = await (await fetch(`${serveUrl}/v1/videos/by-letter`)).json();
        return (video as { totals: { VIEW?: { count: number } } }).totals.VIEW?.count ?? 0;
      };
      // The stream sets it aside, and counts the other.
      await until(
        "the late event is in the books",
        async () => (await books()).late === 1 && (await total()) === 1,
        STEP_DEADLINE_MS,
      );
      const audit = await viewmill("audit", "--from", range.start, "--to", range.end, "--repair", "--json");
      expect(JSON.parse(audit.stdout)).toMatchObject({ outcome: "repaired", lateEvents: 1, cellsRepaired: 1 });
      expect(await books()).toMatchObject({ accepted: 1, archived: 1, counted: 1, duplicate: 0, late: 0 });
      await until("the audit's count is answered", async () => (await total()) === 2, STEP_DEADLINE_MS);
    },
    STEP_DEADLINE_MS * 2,
  );

  it(
    "is followed by a job that takes over at a minute; what the first left open is completed from the archive",
    async () => {
      const startedAtMs = Date.now();
      const before = await readBooks(stack.processes.serveUrl, startedAtMs);
      // The first job has counted a part of the running minute. Events timestamped before that minute belong to no job
      // until the archive is counted.
      const takeOverAtMs = Math.floor(startedAtMs / 60_000) * 60_000;
      const file = join(stack.folder, "take-over.ndjson");
      const shape = { seed: 6, videos: 50, skew: 1, duplicates: 0.1, late: 0.3, lateByMs: 90_000 };
      const sending = sendEvents(
        { url: stack.processes.serveUrl, events: 5_000, perSecond: 200, file, ...shape },
        () => undefined,
      );
      await viewmill("pipeline", "cancel", jobId);
      const takeOver = ["--take-over-from", new Date(takeOverAtMs).toISOString()];
      const described = await viewmill("pipeline", "stream", "--runner", "flink", ...takeOver, "--dry-run", "--json");
      const { options, pipeline } = JSON.parse(described.stdout) as {
        options: { jobName: string };
        pipeline: { components: { environments: Record<string, { urn: string }> } };
      };
      expect(options.jobName).toBe(stack.config.job.name);
      const urns = Object.values(pipeline.components.environments).map(({ urn }) => urn);
      expect(new Set(urns)).toEqual(new Set(["beam:env:external:v1", "EMBEDDED"]));
      const submitted = await viewmill("pipeline", "stream", "--runner", "flink", ...takeOver, "--json");
      jobId = (JSON.parse(submitted.stdout) as { jobId: string }).jobId;
      const { accepted } = await sending;
      await until(
        "the books of the second job balance",
        async () => {
          const books = await readBooks(stack.processes.serveUrl, takeOverAtMs + 3_600_000);
          return books.accepted > 0 && books.balanced;
        },
        STEP_DEADLINE_MS,
      );
      expect((await readBooks(stack.processes.serveUrl, startedAtMs)).balanced).toBe(false);
      const range = ["--from", new Date(takeOverAtMs - 600_000).toISOString(), "--to", takeOver[1]!];
      await viewmill("pipeline", "stream", "--runner", "direct", ...range);
      await untilBalanced(stack.processes.serveUrl, startedAtMs, before.accepted + accepted, STEP_DEADLINE_MS);
      const { stdout } = await viewmill("audit", "--json").catch((failed: { stdout: string }) => failed);
      expect(JSON.parse(stdout)).toMatchObject({ outcome: "equal" });
    },
    STEP_DEADLINE_MS * 2,
  );

  it(
    "makes dead letters of what cannot be counted, and the job stays up",
    async () => {
      const kafka = new Kafka({ brokers: [stack.config.log.kafka.brokers], logLevel: logLevel.NOTHING });
      const event = { eventId: "single", videoId: "by-hand", eventType: "VIEW", eventTime: Date.now() };
      const undecodable = await sendByHand(kafka, stack.config.log.topic, event);
      await sendInTransactions(kafka, stack.config.log.topic, event);
      await sendByLibrdkafka(stack.config.log, event);
      const deployment = await openDeployment(stack.config);
      try {
        // Not their number: a bundle that is done again stores its letters again.
        await until(
          "every undecodable message is a dead letter",
          async () => {
            const letters = await deployment.deadLetters.list({ limit: 100 });
            return undecodable.every((value) =>
              letters.some(({ payload }) => Buffer.compare(Buffer.from(payload), value) === 0),
            );
          },
          STEP_DEADLINE_MS,
        );
        await until(
          "the values are counted",
          async () => (await deployment.counters.totals("by-hand")).get("VIEW")?.count === 6,
          STEP_DEADLINE_MS,
        );
        const admin = kafka.admin();
        const offsets = await admin.fetchTopicOffsets(DEAD_LETTERS);
        await admin.disconnect();
        expect(offsets.reduce((sum, { high }) => sum + Number(high), 0)).toBeGreaterThanOrEqual(undecodable.length);
        // Letters of other tests are there, too.
        const letters = (await deployment.deadLetters.list({ limit: 100 })).filter(({ payload }) =>
          undecodable.some((value) => Buffer.compare(Buffer.from(payload), value) === 0),
        );
        expect(new Set(letters.map(({ reason }) => reason))).toEqual(
          new Set(["not-avro", "not-json", "unknown-schema", "missing-field"]),
        );
      } finally {
        await deployment.close();
      }
      expect((await stack.flink.job(jobId)).state).toBe("RUNNING");
      // Counted and booked by the job, archived by the archiver: the one may be a moment ahead of the other.
      const sinceMs = Date.now() - 600_000;
      await until(
        "the ledger balances",
        async () => (await readBooks(stack.processes.serveUrl, sinceMs)).balanced,
        STEP_DEADLINE_MS,
      );
      const settled = await openDeployment(stack.config);
      expect((await settled.counters.totals("by-hand")).get("VIEW")?.count).toBe(6);
      await settled.close();
    },
    STEP_DEADLINE_MS * 2,
  );

  it(
    "finds an archive object that is cut in half",
    async () => {
      const deployment = await openDeployment(stack.config);
      const nowMinute = Math.floor(Date.now() / 60_000);
      const [object] = await deployment.archive.list(nowMinute - 60, nowMinute + 5);
      const { minute, fileName } = { minute: object!.minute, fileName: object!.name.split("/").at(-1)! };
      const content = await deployment.archive.read(object!.name);
      await deployment.archive.write(minute, fileName, content.subarray(0, content.length >> 1));
      await deployment.close();
      const failed = (await viewmill("audit", "--json").catch((error: unknown) => error)) as {
        code: number;
        stdout: string;
      };
      expect(failed.code).toBe(4);
      expect(JSON.parse(failed.stdout)).toMatchObject({ outcome: "not-comparable" });
      expect(failed.stdout).toContain(fileName);
    },
    STEP_DEADLINE_MS,
  );
});
