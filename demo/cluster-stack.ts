// SPDX-License-Identifier: Apache-2.0
/** The cluster demonstrations, the tests of clusters and the benches of Flink start it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Config, configSchema } from "../cli/config/schema";
import { createPlaces } from "../cli/deployment/create-places";
import { submitStreamJob } from "../cli/deployment/flink/submit-stream";
import { FlinkRest } from "../engine";
import {
  type BigtableEmulator,
  type ExpansionService,
  type FaultProxy,
  type FlinkCluster,
  type FlinkOptions,
  freePort,
  type GcsEmulator,
  type JobServer,
  type KafkaOptions,
  type KafkaServer,
  keptFolder,
  Nginx,
  ProcessClock,
  type PubsubEmulator,
  removeKeptFolder,
  startBigtableEmulator,
  startExpansionService,
  startFaultProxy,
  startFlinkCluster,
  startGcsEmulator,
  startJobServer,
  startKafka,
  startPubsubEmulator,
} from "../servers";
import { createBucket } from "./create-bucket";
import { type Build, type StackProcesses, stackProcesses, thisBuild } from "./viewmill-process";

export interface StackOptions {
  log: "kafka" | "pubsub";
  flink?: FlinkOptions;
  /** Settings that replace those of the stack, section by section. */
  config?: { [Section in keyof Config]?: Partial<Config[Section]> };
  /** Whether service, archiver and worker pool are started as well. Default: yes. */
  processes?: boolean;
  /** How many services, behind nginx where they are several, and archivers. Default: one of each. */
  instances?: number;
  /** The command line of an earlier build, with which everything starts until `upgrade`. Default: this build. */
  earlierMain?: string;
  /** Whether Viewmill's processes and Kafka use `clock`. Default: the machine's clock. */
  ownClock?: boolean;
  /** Whether the log has to be fast. Default: no, and the log starts sooner. */
  fast?: boolean;
  /** Whether Kafka accepts only clients with TLS and credentials. Default: no. */
  secure?: boolean;
  onStarted?: (name: string, tookMs: number) => void;
}

interface StackServers {
  kafka?: KafkaServer;
  pubsub?: PubsubEmulator;
  bigtable: BigtableEmulator;
  /** The proxy between Viewmill and Bigtable. */
  bigtableProxy: FaultProxy;
  gcs: GcsEmulator;
  flink: FlinkCluster;
  jobServer: JobServer;
  expansion: ExpansionService;
}

/** Every part of a cluster deployment on this machine: the servers, and Viewmill's processes over them. */
export class ClusterStack {
  private constructor(
    readonly folder: string,
    readonly config: Config,
    readonly configFile: string,
    readonly servers: StackServers,
    readonly processes: StackProcesses,
    readonly clock: ProcessClock,
    /** The environment of Viewmill's processes. */
    readonly environment: Readonly<Record<string, string>>,
    private readonly starting: { build: Build },
  ) {}

  private nginx: Nginx | undefined;

  /** What processes start with from now on. */
  get build(): Build {
    return this.starting.build;
  }

  /** Processes that are started from now on are of this build. Those that run stay what they are. */
  upgrade(): void {
    this.starting.build = thisBuild(this.configFile)();
  }

  /** Starts everything but the job. After a failure no process is left running. */
  static async start(options: StackOptions): Promise<ClusterStack> {
    const folder = await keptFolder("cluster");
    const servers: Partial<StackServers> = {};
    try {
      const clock = new ProcessClock(join(folder, "clock"));
      await startServers(options, servers as StackServers, clock);
      servers.bigtableProxy = await startFaultProxy((servers as StackServers).bigtable.host);
      const poolPort = await freePort();
      const configFile = join(folder, "viewmill.json");
      const env = options.ownClock === true ? clock.environment : {};
      const starting = { build: thisBuild(configFile)() };
      const { instances = 1 } = options;
      const processes = await stackProcesses(folder, () => starting.build, { instances, poolPort, env });
      const settings = stackSettings(options, servers as StackServers, folder, processes.poolAddress);
      const config = configSchema.parse({ http: { drainSeconds: 1 }, ...settings });
      writeFileSync(configFile, `${JSON.stringify(config, null, 2)}\n`);
      if (options.earlierMain !== undefined) {
        // An earlier build refuses settings that it does not know, so it gets only those that are not defaults.
        starting.build = { main: options.earlierMain, configFile: join(folder, "earlier.json") };
        writeFileSync(starting.build.configFile, JSON.stringify(settings));
      }
      await createAll(config);
      const all = servers as StackServers;
      const stack = new ClusterStack(folder, config, configFile, all, processes, clock, env, starting);
      if (options.processes !== false) await stack.startProcesses(options.onStarted ?? (() => undefined));
      return stack;
    } catch (error) {
      await stopAll(servers);
      await removeKeptFolder(folder);
      throw error;
    }
  }

  private async startProcesses(onStarted: (name: string, tookMs: number) => void): Promise<void> {
    const { serves, archivers, pool, ports } = this.processes;
    for (const each of [...serves, ...archivers, pool]) {
      const startedAt = performance.now();
      await each.start();
      onStarted(each.id, performance.now() - startedAt);
    }
    if (ports.length === 1) return;
    this.nginx = await Nginx.start(join(this.folder, "nginx"), ports);
    this.processes.serveUrl = this.nginx.url;
  }

  /**
   * Submits the streaming job as `viewmill pipeline stream --runner flink` does; resolves with Flink's id when the job
   * runs.
   */
  async submit(changes: Partial<Config["job"]> = {}, savepointPath?: string): Promise<string> {
    const config = { ...this.config, job: { ...this.config.job, ...changes } };
    return (await submitStreamJob(config, savepointPath)).jobId;
  }

  get flink(): FlinkRest {
    return new FlinkRest(this.config.flink.restUrl);
  }

  async stop(): Promise<void> {
    const { serves, archivers, pool } = this.processes;
    await Promise.all([...serves, ...archivers, pool].map((each) => each.kill()));
    await this.nginx?.stop();
    await stopAll(this.servers);
    await removeKeptFolder(this.folder);
  }
}

async function startServers(options: StackOptions, servers: StackServers, clock: ProcessClock): Promise<void> {
  const start = async <Name extends keyof StackServers>(
    name: Name,
    begin: () => Promise<NonNullable<StackServers[Name]>>,
  ): Promise<NonNullable<StackServers[Name]>> => {
    const startedAt = performance.now();
    const started = await begin();
    servers[name] = started;
    options.onStarted?.(name, performance.now() - startedAt);
    return started;
  };
  const flink = async () => {
    const { master, jobConfigFolder } = await start("flink", () => startFlinkCluster(options.flink));
    await start("jobServer", () => startJobServer({ flinkMaster: master, configFolder: jobConfigFolder }));
  };
  const all = [
    flink(),
    start("expansion", () => startExpansionService()),
    start("bigtable", () => startBigtableEmulator()),
    start("gcs", () => startGcsEmulator({ backend: "filesystem" })),
    options.log === "kafka"
      ? start("kafka", () => startKafka(kafkaOptions(options, clock)))
      : start("pubsub", () => startPubsubEmulator()),
  ];
  // All starts settle before a failure is reported, so that every started process is known and can be stopped.
  for (const outcome of await Promise.allSettled(all)) if (outcome.status === "rejected") throw outcome.reason;
}

const kafkaOptions = ({ fast = false, secure = false, ownClock }: StackOptions, clock: ProcessClock): KafkaOptions => ({
  fast,
  secure,
  ...(ownClock === true ? { clock } : {}),
});

async function stopAll(servers: Partial<StackServers>): Promise<void> {
  await Promise.all(Object.values(servers).map((server) => server?.stop()));
}

/** Returns the settings of a deployment that are not defaults. */
function stackSettings(options: StackOptions, servers: StackServers, folder: string, workerPool: string) {
  const { config = {} } = options;
  return {
    data: join(folder, "data"),
    logLevel: "info",
    ...config,
    log: {
      kind: options.log,
      kafka: kafkaConfig(servers.kafka),
      pubsub: { endpoint: servers.pubsub?.host ?? "", restEndpoint: servers.pubsub?.restUrl ?? "" },
      ...config.log,
    },
    archive: { kind: "gcs", maxPortionAgeMs: 1_000, ...config.archive },
    gcs: { bucket: "viewmill", endpoint: servers.gcs.endpoint, ...config.gcs },
    counters: { kind: "bigtable", endpoint: servers.bigtableProxy.address, ...config.counters },
    deadLetters: { kind: "gcs", ...config.deadLetters },
    claims: { kind: "gcs", ...config.claims },
    job: { graceMs: 2_000, lateFiringMs: 3_000, ...config.job },
    flink: {
      jobServer: servers.jobServer.endpoint,
      restUrl: servers.flink.restUrl,
      expansionService: servers.expansion.endpoint,
      workerPool,
      maxBundleMs: 200,
      ...config.flink,
    },
  };
}

function kafkaConfig(kafka: KafkaServer | undefined): Partial<Config["log"]["kafka"]> {
  const brokers = kafka?.bootstrap ?? "127.0.0.1:1";
  if (kafka?.access === undefined) return { brokers };
  const { caFile, passwordFiles } = kafka.access;
  const user = { username: "viewmill", passwordFile: passwordFiles.viewmill };
  return { brokers, ssl: true, caFile, sasl: "scram-sha-512", ...user };
}

async function createAll(config: Config): Promise<void> {
  await createPlaces(config, { partitions: PARTITIONS });
  await createBucket(config.gcs.endpoint, config.project, config.gcs.bucket);
}

const PARTITIONS = 4;
