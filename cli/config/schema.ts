// SPDX-License-Identifier: Apache-2.0
/**
 * The one schema of all settings. Configuration is loaded with it, rooms take their sections from it, and the
 * documentation's page of settings is made from it.
 */
import { isAbsolute } from "node:path";
import { z } from "zod";
import { isOrigin } from "../../admission/new-key";
import { HOUR_MS, MINUTE_MS, MINUTES_A_DAY, SECONDS_A_DAY, SECONDS_AN_HOUR } from "../../domain/rules/time";
import { alertsSchema } from "./alert-settings";
import { bookRetention, cellRetention, leastMinuteDays } from "./retention-days";

const MEBI = 1 << 20;

const bytes = (least: number, standard: number) => z.number().int().min(least).default(standard);
const text = () => z.string().default("");
const count = (least: number, most: number, standard: number) =>
  z.number().int().min(least).max(most).default(standard);

/** All settings, with their bounds and defaults. An unknown key is an error. */
export const configSchema = z
  .strictObject({
    data: z.string().min(1).default("./data").describe("data folder"),
    logLevel: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
    http: z
      .strictObject({
        host: z.string().min(1).default("127.0.0.1"),
        port: count(0, 65_535, 8080),
        maxBodyBytes: bytes(1024, 8 * MEBI).describe("of a decoded body"),
        maxEvents: count(1, 1_000_000, 10_000).describe("of one request"),
        maxEventBytes: bytes(256, 64 << 10).describe(
          "of an event's unknown fields, as JSON; its own fields come on top",
        ),
        maxInFlightBytes: bytes(MEBI, 128 * MEBI),
        maxInFlightRequests: count(1, 100_000, 1_000),
        maxConnections: count(1, 1_000_000, 10_000).describe("open at once; further ones are closed"),
        requestSeconds: count(1, SECONDS_AN_HOUR, 60).describe("a request must have arrived whole by then"),
        drainSeconds: count(0, 600, 0).describe(
          "after SIGTERM /readyz says no for so long, while requests are answered; longer than a balancer takes to see it",
        ),
        keepAliveSeconds: count(1, SECONDS_A_DAY, 620).describe(
          "how long an idle connection stays open; longer than a load balancer keeps it (Google's: 600)",
        ),
        insecure: z
          .boolean()
          .default(false)
          .describe("listen beyond loopback without keys: whoever reaches the port may write, read and operate"),
        tls: z
          .strictObject({
            certificateFile: text().describe("PEM, the chain of the service; empty: plain HTTP"),
            keyFile: text().describe("PEM, its private key; both are read again when they change"),
          })
          .prefault({}),
        operations: z
          .strictObject({
            enabled: z
              .boolean()
              .default(false)
              .describe("/metrics and what needs the scope operate answer on a listener of their own, and there alone"),
            host: z.string().min(1).default("127.0.0.1"),
            port: count(0, 65_535, 8081),
          })
          .prefault({}),
        sharedAnswerBytes: bytes(0, 32 * MEBI).describe(
          "answers about single videos kept for a quarter of a second for all who ask the same; 0: none",
        ),
        redis: z
          .strictObject({
            url: text().describe(
              "redis://host:port or rediss://host:port: shares those answers among all instances; empty: each keeps its own",
            ),
            username: text(),
            passwordFile: text().describe("holds the password; empty: none"),
            deadlineMs: count(1, 1_000, 25).describe("an answer that Redis does not give in time is read anew"),
          })
          .prefault({}),
        cors: z
          .strictObject({
            origins: z
              .array(z.string().refine(isOrigin, "is an origin such as https://example.com, or *"))
              .default([])
              .describe("pages of these may read and send, as https://example.com; *: all"),
          })
          .prefault({}),
      })
      .prefault({}),
    keys: z
      .strictObject({
        operatorKeyFile: text().describe(
          "holds a key of at least 32 characters that may do everything: with it the first keys are made",
        ),
        file: text().describe("holds the key that commands present to the service"),
        requestsPerSecond: count(0, 10_000_000, 0).describe("of a key that says nothing of its own; 0: no limit"),
        eventsPerSecond: count(0, 1_000_000_000, 0).describe("likewise"),
        bytesPerSecond: count(0, 100_000_000_000, 0).describe("likewise, of bodies as they are sent"),
        eventsPerDay: count(0, Number.MAX_SAFE_INTEGER, 0).describe("likewise, of the whole deployment, by day in UTC"),
      })
      .prefault({}),
    /** The project of Google Cloud services, where they are used. */
    project: z.string().min(1).default("viewmill"),
    log: z
      .strictObject({
        kind: z.enum(["embedded", "kafka", "pubsub"]).default("embedded"),
        maxBacklogBytes: bytes(MEBI, 8192 * MEBI).describe("embedded: appended and not yet counted; beyond it 429"),
        maxInFlightBytes: bytes(MEBI, 64 * MEBI).describe("kafka, pubsub: waiting for the broker; beyond it 429"),
        spill: z
          .strictObject({
            enabled: z
              .boolean()
              .default(false)
              .describe("kafka, pubsub: goes on while the log is away, on this disk; not where that does not last"),
            maxBytes: bytes(MEBI, 1024 * MEBI).describe("of what waits there; beyond it 429"),
          })
          .prefault({}),
        topic: z.string().min(1).default("viewmill-events"),
        deadLetterTopic: text().describe("dead letters are published there as well; empty: not"),
        kafka: z
          .strictObject({
            brokers: z.string().min(1).default("127.0.0.1:9092").describe("host:port, comma-separated"),
            ssl: z.boolean().default(false),
            caFile: text().describe("PEM: who signed the brokers' certificates; empty: the system's authorities"),
            sasl: z
              .enum(["", "plain", "scram-sha-256", "scram-sha-512"])
              .default("")
              .describe("how a client says who it is; empty: it does not"),
            username: text(),
            passwordFile: text().describe("absolute; holds the password and nothing else, no line break either"),
            streamGroup: z.string().min(1).default("viewmill-stream"),
            archiveGroup: z.string().min(1).default("viewmill-archive"),
          })
          .prefault({}),
        pubsub: z
          .strictObject({
            streamSubscription: z.string().min(1).default("viewmill-stream"),
            archiveSubscription: z.string().min(1).default("viewmill-archive"),
            endpoint: text().describe("host:port of an emulator (gRPC); empty: the service"),
            restEndpoint: text().describe("http://host:port of an emulator (REST); empty: the service"),
          })
          .prefault({}),
      })
      .prefault({}),
    archive: z
      .strictObject({
        kind: z.enum(["directory", "gcs"]).default("directory"),
        prefix: z.string().default("archive/").describe("of object names in the bucket"),
        maxPortionMessages: count(1, 1_000_000, 4_000),
        maxPortionBytes: bytes(MEBI, 32 * MEBI).describe("of messages archived together; times two bounds memory"),
        maxPortionAgeMs: count(10, 600_000, 5_000),
      })
      .prefault({}),
    gcs: z
      .strictObject({
        bucket: z.string().default("viewmill"),
        endpoint: text().describe("http://host:port of an emulator; empty: the service"),
      })
      .prefault({}),
    counters: z
      .strictObject({
        kind: z.enum(["sqlite", "bigtable"]).default("sqlite").describe("where counters and ledger are"),
        instance: z.string().min(1).default("viewmill").describe("Bigtable instance"),
        tablePrefix: z.string().min(1).default("viewmill"),
        appProfile: text().describe("single-cluster routing; empty: the default profile"),
        endpoint: text().describe("host:port of an emulator; empty: the service"),
      })
      .prefault({}),
    deadLetters: z
      .strictObject({
        kind: z.enum(["sqlite", "gcs"]).default("sqlite"),
        prefix: z.string().default("dead-letters/").describe("of object names in the bucket"),
        maxBytes: bytes(MEBI, 4096 * MEBI).describe("sqlite: of all letters; beyond it 429"),
      })
      .prefault({}),
    catalog: z
      .strictObject({
        file: text().describe("titles and channels of videos; empty: catalog.sqlite in the data folder"),
      })
      .prefault({}),
    claims: z
      .strictObject({
        kind: z.enum(["none", "directory", "gcs"]).default("none").describe("where batches too large for the log go"),
        prefix: z.string().default("claims/").describe("of object names in the bucket"),
        maxMessageBytes: bytes(1024, 900_000).describe("a larger batch goes there, and its reference through the log"),
        whenBehindSeconds: count(0, SECONDS_A_DAY, 300).describe(
          "all batches go there while the log is this far behind; 0: never",
        ),
      })
      .prefault({}),
    /** The streaming job on a cluster. */
    job: z
      .strictObject({
        runner: z
          .enum(["", "direct", "flink", "dataflow"])
          .default("")
          .describe(
            "where `pipeline stream` runs, and whose jobs are meant; empty: direct with the embedded log, else flink",
          ),
        name: z
          .string()
          .regex(/^[a-z][a-z0-9-]{0,60}$/)
          .default("viewmill-stream"),
        dedupePartitions: count(1, 1024, 16),
        videoShards: count(1, 1024, 8),
        graceMs: count(0, HOUR_MS, 10_000).describe("after the end of a minute, until its counts are written"),
        earlyFiringMs: count(0, MINUTE_MS, 0).describe("counts of the open minute this often; 0: when it ends"),
        lateFiringMs: count(0, HOUR_MS, 90_000).describe(
          "late events wait this long for others: each firing writes the minute again",
        ),
        fromMinute: z
          .number()
          .int()
          .min(0)
          .default(0)
          .describe("first minute (epoch minutes) of a job that takes over"),
        maxWrittenCells: count(0, 100_000_000, 400_000),
        maxFiredPaneBytes: count(0, 1_000_000 * MEBI, 256 * MEBI).describe(
          "of a worker's memory for minutes that have fired: one that fires again takes in its new events alone",
        ),
      })
      .prefault({}),
    flink: z
      .strictObject({
        jobServer: z.string().min(1).default("127.0.0.1:8099"),
        restUrl: z.string().min(1).default("http://127.0.0.1:8081"),
        expansionService: z.string().min(1).default("127.0.0.1:8097"),
        workerPool: z.string().min(1).default("127.0.0.1:50000").describe("as the TaskManagers reach it"),
        parallelism: count(1, 10_000, 2),
        workersPerTaskManager: count(1, 1_000, 1),
        checkpointIntervalMs: count(100, HOUR_MS, 10_000),
        checkpointTimeoutMs: count(1_000, HOUR_MS, MINUTE_MS),
        maxBundleElements: count(1, 100_000, 200),
        maxBundleMs: count(1, MINUTE_MS, 1_000),
      })
      .prefault({}),
    dataflow: z
      .strictObject({
        region: text().describe("where jobs run, such as europe-west1"),
        tempLocation: text().describe("gs://BUCKET/FOLDER: staged graphs, and what the service keeps while a job runs"),
        image: text().describe("of the workers: HOST/PROJECT/REPOSITORY/NAME, with :TAG or better @sha256:DIGEST"),
        serviceAccount: text().describe("of the workers; empty: the project's default one of Compute Engine"),
        network: text().describe("empty: default"),
        subnetwork: text().describe("regions/REGION/subnetworks/NAME, or its full URL"),
        publicIps: z.boolean().default(true).describe("false needs Private Google Access in the subnetwork"),
        machineType: text().describe("empty: the service's choice"),
        numWorkers: count(0, 10_000, 0).describe("to begin with; 0: the service's choice"),
        maxWorkers: count(0, 10_000, 0).describe("0: the service's choice"),
        diskSizeGb: count(0, 65_536, 0).describe("of a worker; 0: the service's choice"),
        kmsKey: text().describe("projects/P/locations/L/keyRings/R/cryptoKeys/K; empty: Google's keys"),
        labels: z.record(z.string(), z.string()).default({}).describe("of jobs"),
        serviceOptions: z.array(z.string()).default([]).describe("as gcloud's --dataflow-service-options"),
        experiments: z.array(z.string()).default([]).describe("added to those that every job has"),
        endpoint: text().describe("http://host:port of a fake of Google's REST APIs; empty: Google"),
      })
      .prefault({}),
    maxEventTypes: count(1, 65_535, 200).describe("of the deployment; events of further ones are bad-event-type"),
    retention: z
      .strictObject({
        rawDays: count(1, 36_500, 30).describe("older events are too-old"),
        minuteDays: count(0, 36_500, 0).describe(
          "minutes of older days go to roll-ups, and their raw events are deleted; 0: two days after rawDays and lateness",
        ),
        hourDays: count(0, 36_500, 0).describe(
          "hours of months that ended longer ago go to roll-ups; 0: 100 days, or minuteDays where these are more",
        ),
        ledgerDays: count(0, 36_500, 0).describe(
          "books of older minutes are deleted; 0: a year, or a day more than minuteDays where these are more",
        ),
        auditDays: count(1, 36_500, 400).describe("older reports of audits are deleted"),
        deadLetterDays: count(0, 36_500, 0).describe(
          "sqlite: older dead letters are deleted, replayed or not; 0: 90 days, or rawDays where these are more",
        ),
      })
      .prefault({}),
    tier: z
      .strictObject({
        enabled: z.boolean().default(true).describe("serve moves expiring cells of SQLite to roll-ups"),
        everyMinutes: count(1, MINUTES_A_DAY, 60),
        prefix: z
          .string()
          .default("rollups/")
          .describe(
            "of object names in the bucket, where counters are in Bigtable and the archive is in Cloud Storage",
          ),
      })
      .prefault({}),
    lateness: z
      .strictObject({
        finalAfterMinutes: count(1, 100 * MINUTES_A_DAY, 60).describe("a bucket is final this long after its end"),
      })
      .prefault({}),
    stream: z
      .strictObject({
        dedupePartitions: count(1, 1024, 1),
        videoShards: count(1, 1024, 1),
        maxPassEntries: count(1, 1_000_000, 2_000),
        maxPassBytes: bytes(MEBI, 64 * MEBI),
        maxPassMinutes: count(1, 100_000, 128).describe("of event time; the newest go first, the others later"),
        minPassIntervalMs: count(10, MINUTE_MS, 300),
        maxCpuShare: z.number().gt(0).max(1).default(0.5).describe("of one core, while the stream keeps up"),
        maxRetainedIds: count(0, 100_000_000, 6_000_000).describe("event ids of open minutes kept in memory"),
      })
      .prefault({}),
    canary: z
      .strictObject({
        enabled: z
          .boolean()
          .default(false)
          .describe("`serve` sends known events to itself each minute and reads them back"),
        name: z
          .string()
          .regex(/^[A-Za-z0-9-]{1,40}$/)
          .default("serve")
          .describe("of this instance; several of one deployment have different names"),
        deadlineSeconds: count(1, SECONDS_AN_HOUR, 180).describe("a round that is not counted by then has failed"),
      })
      .prefault({}),
    alerts: alertsSchema,
    audit: z
      .strictObject({
        enabled: z.boolean().default(true),
        everyMinutes: count(1, MINUTES_A_DAY, 60),
        repair: z.boolean().default(true),
      })
      .prefault({}),
  })
  .superRefine((config, context) => {
    const { certificateFile, keyFile } = config.http.tls;
    if ((certificateFile === "") !== (keyFile === ""))
      context.addIssue({ code: "custom", path: ["http", "tls"], message: "certificateFile and keyFile go together" });
    const { ssl, caFile, sasl, username, passwordFile } = config.log.kafka;
    const wrong = (setting: string, message: string) =>
      context.addIssue({ code: "custom", path: ["log", "kafka", setting], message });
    if (caFile !== "" && !ssl) wrong("caFile", "is of no use without log.kafka.ssl");
    if (sasl !== "" && username === "") wrong("username", "is wanted with log.kafka.sasl");
    if (sasl !== "" && !(isAbsolute(passwordFile) && /^[^:{}"\\]*$/.test(passwordFile)))
      wrong(
        "passwordFile",
        'is wanted with log.kafka.sasl: an absolute path, which TaskManagers read too, without : { } " and \\',
      );
    if (sasl === "" && username + passwordFile !== "")
      wrong("sasl", "is wanted where there is a username or a password");
    const { rawDays, minuteDays, hourDays } = config.retention;
    const refuse = (setting: string, message: string) =>
      context.addIssue({ code: "custom", path: ["retention", setting], message });
    const least = leastMinuteDays(config);
    if (minuteDays !== 0 && minuteDays < least)
      refuse("minuteDays", `must be at least ${least}: rawDays, the lateness horizon, and a day for audits`);
    if (hourDays !== 0 && hourDays < Math.max(minuteDays, least))
      refuse("hourDays", `must be at least the retention of minutes (${Math.max(minuteDays, least)})`);
    const kept = cellRetention(config);
    const { ledgerDays, deadLetterDays } = config.retention;
    if (ledgerDays !== 0 && ledgerDays <= kept.minuteDays)
      refuse(
        "ledgerDays",
        `must be more than the retention of minutes (${kept.minuteDays}): audits compare with books`,
      );
    if (deadLetterDays !== 0 && deadLetterDays < rawDays)
      refuse("deadLetterDays", `must be at least rawDays (${rawDays}): until then a letter can be replayed`);
    if (deadLetterDays > bookRetention(config).ledgerDays)
      refuse("deadLetterDays", `must be at most the retention of the ledger (${bookRetention(config).ledgerDays})`);
    const retentionMinutes = rawDays * MINUTES_A_DAY;
    if (config.lateness.finalAfterMinutes * 2 > retentionMinutes) {
      context.addIssue({
        code: "custom",
        path: ["lateness", "finalAfterMinutes"],
        message: `must be well below the raw retention (at most half of ${retentionMinutes} minutes): what is late is recounted from the archive`,
      });
    }
  });

export type Config = z.infer<typeof configSchema>;

/** The part of the configuration that a room needs. Whoever composes all rooms has `Config`. */
export type Settings<Section extends keyof Config> = Pick<Config, Section>;
