// SPDX-License-Identifier: Apache-2.0
/**
 * A standalone Flink session cluster: a JobManager and TaskManagers, each a process that can be killed and brought
 * back, and ZooKeeper (the one inside Flink's own jars) so that jobs outlive the JobManager. Beam's jars are on the
 * class path of all, so that a job brings none.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { beamClassPath, beamRecipe } from "./beam-jars";
import { installed } from "./cache";
import {
  clusterConfig,
  type FlinkOptions,
  jobConfig,
  taskManagerMemory,
  yamlOf,
  zookeeperConfig,
} from "./flink-config";
import { freePort } from "./free-port";
import { getJson } from "./http-answers";
import { FAST_JVM, SMALL_JVM } from "./java";
import { javaServer } from "./java-server";
import { endAll, inNewFolder, type Killable, type Server, type ServerProcess } from "./server-process";

export type { FlinkOptions } from "./flink-config";

export interface FlinkCluster extends Server {
  restUrl: string;
  /** The JobManager's, for Flink's own processes. */
  rpcAddress: string;
  /** For the job server's `flinkMaster`. */
  master: string;
  /** For the job server's `configFolder`: checkpoints, state and restarts as on the cluster. */
  jobConfigFolder: string;
  checkpointFolder: string;
  jobManagers: Killable[];
  /** `id` is the one of `GET /taskmanagers`, the same after a restart. */
  taskManagers: (Killable & { readonly id: string; readonly logFile: string })[];
}

const JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint";
const TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner";
const ZOOKEEPER = "org.apache.flink.shaded.zookeeper3.org.apache.zookeeper.server.ZooKeeperServerMain";
const ANSWER_MS = 5_000;

export async function startFlinkCluster(options: FlinkOptions = {}): Promise<FlinkCluster> {
  const install = await installed(beamRecipe);
  return inNewFolder("flink", async (folder, started) => {
    const zookeeperPort = options.highAvailability === false ? undefined : await freePort();
    const folders = {
      checkpoints: options.checkpointFolder ?? join(folder, "checkpoints"),
      savepoints: join(folder, "savepoints"),
    };
    const jobs = jobConfig(options, folders);
    const jobConfigFolder = writeConfig(join(folder, "job-config"), jobs);
    const places: Place[] = [];
    for (let n = 1; n <= (options.jobManagers ?? 1); n++) {
      const own = join(folder, `jobmanager-${n}`);
      const ports = { rest: await freePort(), rpc: await freePort(), zookeeper: zookeeperPort };
      const config = { ...clusterConfig(options, ports, folder, own), ...jobs };
      const configFolder = writeConfig(own, config);
      places.push({ install, folder, configFolder, rpcPort: ports.rpc, restUrl: `http://127.0.0.1:${ports.rest}` });
    }
    // TaskManagers ask ZooKeeper who leads, and any JobManager answers for the one that does.
    const place = places[0]!;
    const zookeeper = zookeeperPort === undefined ? [] : [zookeeperProcess(place, zookeeperPort)];
    const heapMb = options.jobManagerMemoryMb ?? 768;
    const jobManagers = places.map((each, index) => jobManagerProcess(each, index + 1, heapMb));
    const numbers = Array.from({ length: options.taskManagers ?? 2 }, (_, index) => index + 1);
    const taskManagers = numbers.map((number) => taskManagerProcess(place, number, options));
    const all = [...zookeeper, ...jobManagers, ...taskManagers];
    started.push(...all);
    const starting = await Promise.allSettled(all.map((each) => each.start()));
    for (const each of starting) if (each.status === "rejected") throw each.reason;
    return {
      name: "flink",
      folder,
      restUrl: place.restUrl,
      rpcAddress: `127.0.0.1:${place.rpcPort}`,
      master: new URL(place.restUrl).host,
      jobConfigFolder,
      checkpointFolder: folders.checkpoints,
      jobManagers,
      taskManagers,
      get pids() {
        return all.flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
      },
      stop: () => endAll(all, folder),
    };
  });
}

/** The settings of one JobManager, and of the TaskManagers that start by its configuration. */
interface Place {
  install: string;
  folder: string;
  configFolder: string;
  rpcPort: number;
  restUrl: string;
}

function writeConfig(folder: string, config: Parameters<typeof yamlOf>[0]): string {
  mkdirSync(folder);
  writeFileSync(join(folder, "config.yaml"), yamlOf(config));
  return folder;
}

function zookeeperProcess({ install, folder }: Place, port: number): ServerProcess {
  const config = join(folder, "zookeeper.cfg");
  writeFileSync(config, zookeeperConfig(port, folder));
  return javaServer({
    name: "zookeeper",
    folder,
    classPath: beamClassPath(install),
    mainClass: ZOOKEEPER,
    args: [config],
    heapMb: 64,
    jvmArgs: SMALL_JVM,
    logLevel: "warn",
    answers: () => zookeeperAnswers(port),
  });
}

function jobManagerProcess(
  { install, folder, configFolder, restUrl }: Place,
  number: number,
  heapMb: number,
): ServerProcess {
  return javaServer({
    name: `jobmanager-${number}`,
    folder,
    classPath: beamClassPath(install),
    mainClass: JOB_MANAGER,
    args: ["--configDir", configFolder],
    heapMb,
    jvmArgs: SMALL_JVM,
    archive: { name: "jobmanager", wanted: "org/apache/beam/" },
    // 503 until it leads.
    answers: async () => (await overview(restUrl)).taskmanagers >= 0,
  });
}

function taskManagerProcess(
  { install, folder, configFolder, restUrl }: Place,
  number: number,
  options: FlinkOptions,
): ServerProcess {
  const id = `taskmanager-${number}`;
  const memory = taskManagerMemory(options.taskManagerMemoryMb ?? 1536, options.managedMemoryMb ?? 256);
  const files = join(folder, id);
  let rpcPort = 0;
  const args = async (): Promise<string[]> => {
    rpcPort = await freePort();
    // The next process has no use for the files of a killed one: state comes from the checkpoint.
    rmSync(files, { recursive: true, force: true });
    mkdirSync(files);
    const own = { "taskmanager.resource-id": id, "taskmanager.rpc.port": rpcPort, "io.tmp.dirs": files };
    const properties = Object.entries({ ...memory.properties, ...own }).flatMap(([key, value]) => [
      "-D",
      `${key}=${value}`,
    ]);
    return ["--configDir", configFolder, ...properties];
  };
  return javaServer({
    name: id,
    folder,
    classPath: beamClassPath(install),
    mainClass: TASK_MANAGER,
    args,
    heapMb: memory.heapMb,
    jvmArgs: [
      `-XX:MaxDirectMemorySize=${memory.directMb}m`,
      `-XX:MaxMetaspaceSize=${memory.metaspaceMb}m`,
      ...(options.fast === true ? FAST_JVM : SMALL_JVM),
    ],
    archive: { name: "taskmanager", wanted: "/ExecutableStageDoFnOperator" },
    // The JobManager may still list the killed one under this id: the port is of this start only.
    answers: async () =>
      (await taskManagers(restUrl)).some((each) => each.id === id && each.path.includes(`:${rpcPort}/`)),
  });
}

const overview = async (restUrl: string): Promise<{ taskmanagers: number }> =>
  (await getJson(`${restUrl}/overview`)) as { taskmanagers: number };

async function taskManagers(restUrl: string): Promise<{ id: string; path: string }[]> {
  const answer = (await getJson(`${restUrl}/taskmanagers`)) as { taskmanagers: { id: string; path: string }[] };
  return answer.taskmanagers;
}

/** True when the cluster has so many TaskManagers, or more. */
export const flinkAnswers = async (restUrl: string, atLeast = 1): Promise<boolean> =>
  (await overview(restUrl)).taskmanagers >= atLeast;

function zookeeperAnswers(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect({ port, host: "127.0.0.1", timeout: ANSWER_MS }, () => socket.write("srvr"));
    socket.on("timeout", () => socket.destroy(new Error(`ZooKeeper said nothing for ${ANSWER_MS} ms`)));
    socket.on("data", (bytes) => {
      text += bytes.toString();
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(text.includes("Mode: standalone")));
  });
}
