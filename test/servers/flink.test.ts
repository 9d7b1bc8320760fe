// SPDX-License-Identifier: Apache-2.0
/**
 * The cluster survives the end of any of its parts: a job resumes from its last checkpoint. Jobs of the job server
 * bring no jars.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Pipeline } from "apache-beam/proto/beam_runner_api";
import { JobService } from "../../engine/job-service";
import { type FlinkCluster, startFlinkCluster, startJobServer } from "../../servers";
import { beamRecipe } from "../../servers/beam-jars";
import { installFolder, ROOT, runTool } from "../../servers/cache";
import { getJson } from "../../servers/http-answers";
import { SMALL_JVM } from "../../servers/java";
import { isAlive, until } from "./processes";
import { COLD_START_MS, describeWithServers } from "./with-servers";

const RECOVERY_MS = 180_000;

interface Checkpoints {
  counts: { completed: number; restored: number };
  latest: { restored: { id: number } | null; completed: { id: number } | null };
}

class Job {
  constructor(
    private readonly cluster: FlinkCluster,
    private readonly id: string,
  ) {}

  /** Compiles test/servers/CountingJob.java and submits it. */
  static async submit(cluster: FlinkCluster, folder: string): Promise<Job> {
    const classes = join(folder, "classes");
    mkdirSync(classes);
    const source = join(ROOT, "test", "servers", "CountingJob.java");
    const small = SMALL_JVM.map((flag) => `-J${flag}`);
    await runTool("javac", [...small, "-cp", join(installFolder(beamRecipe), "lib", "*"), "-d", classes, source], {
      cwd: folder,
    });
    const jar = join(folder, "counting.jar");
    await runTool("jar", ["cf", jar, "-C", classes, "."], { cwd: folder });
    const [host, port] = cluster.master.split(":");
    const classPath = [jar, join(installFolder(beamRecipe), "lib", "*")].join(":");
    const args = ["-XX:-UsePerfData", ...SMALL_JVM, "-cp", classPath, "CountingJob", host!, port!, jar];
    const { stdout, stderr } = spawnSync("java", args, { cwd: folder, encoding: "utf8", timeout: RECOVERY_MS });
    const id = /^[0-9a-f]{32}$/m.exec(stdout)?.[0];
    if (id === undefined) throw new Error(`the job was not submitted: ${stdout}${stderr}`);
    return new Job(cluster, id);
  }

  async checkpoints(): Promise<Checkpoints> {
    return (await getJson(`${this.cluster.restUrl}/jobs/${this.id}/checkpoints`)) as Checkpoints;
  }

  /** Asks again for as long as the JobManager does not listen. Its slots are free afterwards. */
  async cancel(): Promise<void> {
    const url = `${this.cluster.restUrl}/jobs/${this.id}`;
    const cancelled = async () => {
      await fetch(`${url}?mode=cancel`, { method: "PATCH" });
      return ((await getJson(url)) as { state: string }).state === "CANCELED";
    };
    await until("it is cancelled", () => cancelled().catch(() => false), RECOVERY_MS);
  }

  async running(): Promise<boolean> {
    const job = (await getJson(`${this.cluster.restUrl}/jobs/${this.id}`)) as { vertices: { status: string }[] };
    return job.vertices.length > 0 && job.vertices.every(({ status }) => status === "RUNNING");
  }

  /** Runs, and has checkpointed since `after`; gives the number of its last checkpoint. */
  async progressed(after = 0): Promise<number> {
    let last = 0;
    const more = async () => {
      last = (await this.checkpoints()).latest.completed?.id ?? 0;
      return last > after && (await this.running());
    };
    await until(`a checkpoint after ${after}`, () => more().catch(() => false), RECOVERY_MS);
    return last;
  }
}

describeWithServers("a Flink cluster", ["flink", "job-server"], () => {
  let folder: string;
  let cluster: FlinkCluster;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "viewmill-counting-"));
    cluster = await startFlinkCluster();
  }, COLD_START_MS);
  afterAll(async () => {
    await cluster?.stop();
    rmSync(folder, { recursive: true });
  });

  test(
    "a job goes on from its checkpoint after kill -9 of a TaskManager, and of the JobManager",
    async () => {
      const job = await Job.submit(cluster, folder);
      const first = await job.progressed();
      const [taskManager] = cluster.taskManagers;
      await taskManager!.kill();
      await taskManager!.restart();
      const second = await job.progressed(first);
      expect((await job.checkpoints()).latest.restored?.id).toBeGreaterThanOrEqual(first);
      await cluster.jobManagers[0]!.kill();
      await cluster.jobManagers[0]!.restart();
      await job.progressed(second);
      // A new JobManager counts its own restores only.
      expect((await job.checkpoints()).latest.restored?.id).toBeGreaterThanOrEqual(second);
      await job.cancel();
    },
    COLD_START_MS,
  );

  test(
    "a pipeline through the job server ends well and brings no jars",
    async () => {
      const server = await startJobServer({ flinkMaster: cluster.master, configFolder: cluster.jobConfigFolder });
      const jobs = new JobService(server.endpoint);
      let largest = 0;
      try {
        await jobs.submit(impulse(), "impulse", { parallelism: 1 });
        // Flink's word: the job service wants metrics, which nothing without a worker has, before it says that a job is
        // done.
        const finished = async () => {
          // Looked at all the while: what a job brought is deleted after its end.
          largest = Math.max(largest, ...blobFolders(cluster).map(largestFile));
          return hasFinished(cluster);
        };
        await until("it is finished", finished, RECOVERY_MS);
      } finally {
        jobs.close();
        await server.stop();
      }
      expect(largest).toBeLessThan(1_000_000);
    },
    COLD_START_MS,
  );

  test("nothing is left of it", async () => {
    const { pids } = cluster;
    expect(pids).toHaveLength(4);
    await cluster.stop();
    expect(pids.filter(isAlive)).toEqual([]);
    expect(() => readdirSync(cluster.folder)).toThrow();
  });
});

async function hasFinished(cluster: FlinkCluster): Promise<boolean> {
  const { jobs } = (await getJson(`${cluster.restUrl}/jobs`)) as { jobs: { status: string }[] };
  return jobs.some(({ status }) => status === "FINISHED");
}

/** The folders in which JobManagers keep what jobs bring. */
const blobFolders = ({ folder }: FlinkCluster): string[] =>
  readdirSync(folder)
    .filter((name) => name.startsWith("jobmanager-") && !name.endsWith(".log"))
    .map((name) => join(folder, name, "blobs"));

/** Bytes of the largest file below the folder; files may come and go meanwhile. */
const largestFile = (folder: string): number =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => statSync(join(folder, name), { throwIfNoEntry: false }))
    .reduce((largest, file) => (file?.isFile() ? Math.max(largest, file.size) : largest), 0);

/** The smallest pipeline: one Impulse, which the runner does by itself, without a worker. */
function impulse(): Pipeline {
  const protos = require("apache-beam/proto/beam_runner_api") as typeof import("apache-beam/proto/beam_runner_api");
  const spec = (urn: string) => ({ urn, payload: new Uint8Array() });
  return protos.Pipeline.create({
    rootTransformIds: ["impulse"],
    components: {
      transforms: {
        impulse: { uniqueName: "Impulse", spec: spec("beam:transform:impulse:v1"), outputs: { out: "one" } },
      },
      pcollections: { one: { uniqueName: "one", coderId: "bytes", isBounded: 2, windowingStrategyId: "global" } },
      coders: {
        bytes: { spec: spec("beam:coder:bytes:v1"), componentCoderIds: [] },
        window: { spec: spec("beam:coder:global_window:v1"), componentCoderIds: [] },
      },
      windowingStrategies: {
        global: {
          windowFn: spec("beam:window_fn:global_windows:v1"),
          mergeStatus: 1,
          windowCoderId: "window",
          trigger: { trigger: { oneofKind: "default", default: {} } },
          accumulationMode: 1,
          outputTime: 1,
          closingBehavior: 1,
          onTimeBehavior: 1,
        },
      },
    },
  });
}
