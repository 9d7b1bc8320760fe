// SPDX-License-Identifier: Apache-2.0
/**
 * Configuration of the Flink cluster: what is Flink's only, apart from starting it. flink-cluster.ts writes it before
 * it starts a process.
 */

export interface FlinkOptions {
  /** Default 2. */
  taskManagers?: number;
  /** Default 2. */
  slotsPerTaskManager?: number;
  /** The folder of checkpoints; default a folder that is removed with the cluster. */
  checkpointFolder?: string;
  /** Default true; false keeps state on the heap. */
  rocksdb?: boolean;
  /** All of a TaskManager's process, about; default 1536. */
  taskManagerMemoryMb?: number;
  /** The part for RocksDB; default 256. */
  managedMemoryMb?: number;
  /** Heap; default 768. */
  jobManagerMemoryMb?: number;
  /**
   * A TaskManager that is silent so long is given up; one that was killed is noticed sooner, by refused connections.
   * Default 20 s.
   */
  heartbeatTimeoutMs?: number;
  /**
   * For jobs whose own code is Java; default false: TaskManagers that carry bytes to workers are better off with quick
   * compilation (docs/decisions/0007-cluster.md).
   */
  fast?: boolean;
  /** Default 1. One of several leads, and the others stand by, which takes high availability. */
  jobManagers?: number;
  /** Whether jobs outlive a JobManager that is killed, which takes a ZooKeeper. Default true. */
  highAvailability?: boolean;
  /** Further keys of config.yaml, over the ones set here. */
  config?: Readonly<Record<string, string | number | boolean>>;
}

interface FlinkPorts {
  rest: number;
  rpc: number;
  /** Undefined: jobs end with their JobManager. */
  zookeeper: number | undefined;
}

type Config = Record<string, string | number | boolean>;

/**
 * The options with which jobs are built, on the cluster and where they are submitted. A failing job restarts for as
 * long as it fails, with growing pauses; checkpoints give up after a minute.
 */
export function jobConfig(options: FlinkOptions, folders: { checkpoints: string; savepoints: string }): Config {
  return {
    "state.backend.type": (options.rocksdb ?? true) ? "rocksdb" : "hashmap",
    "state.backend.incremental": options.rocksdb ?? true,
    // Panes are packed columns, written once and read once: rewriting them level by level and compressing them cost
    // more than they saved (docs/decisions/0007-cluster.md).
    "state.backend.rocksdb.compaction.style": "UNIVERSAL",
    "state.backend.rocksdb.compression.per.level": "NO_COMPRESSION",
    "state.checkpoint-storage": "filesystem",
    "state.checkpoints.dir": `file://${folders.checkpoints}`,
    "state.savepoints.dir": `file://${folders.savepoints}`,
    "state.checkpoints.num-retained": 2,
    "execution.checkpointing.timeout": "60 s",
    "execution.checkpointing.tolerable-failed-checkpoints": 1000,
    "restart-strategy.type": "exponential-delay",
    "restart-strategy.exponential-delay.initial-backoff": "500 ms",
    "restart-strategy.exponential-delay.backoff-multiplier": 1.5,
    "restart-strategy.exponential-delay.max-backoff": "5 s",
    "restart-strategy.exponential-delay.reset-backoff-threshold": "60 s",
    "restart-strategy.exponential-delay.jitter-factor": 0.1,
    "classloader.resolve-order": "parent-first",
    ...options.config,
  };
}

/**
 * The cluster's own: addresses, high availability, how soon the loss of a process is noticed. `ports` are those of one
 * JobManager, and `own` is its folder.
 */
export function clusterConfig(options: FlinkOptions, ports: FlinkPorts, folder: string, own: string): Config {
  return {
    "jobmanager.rpc.address": "127.0.0.1",
    "jobmanager.rpc.port": ports.rpc,
    "jobmanager.bind-host": "127.0.0.1",
    "rest.address": "127.0.0.1",
    "rest.bind-address": "127.0.0.1",
    "rest.port": ports.rest,
    "rest.bind-port": ports.rest,
    "taskmanager.host": "127.0.0.1",
    "taskmanager.bind-host": "127.0.0.1",
    "taskmanager.numberOfTaskSlots": options.slotsPerTaskManager ?? 2,
    "cluster.evenly-spread-out-slots": true,
    ...(ports.zookeeper === undefined ? {} : highAvailability(ports.rpc, ports.zookeeper, folder)),
    "heartbeat.interval": 2000,
    "heartbeat.timeout": options.heartbeatTimeoutMs ?? 20_000,
    "web.tmpdir": `${own}/web`,
    "blob.storage.directory": `${own}/blobs`,
  };
}

/** Without it a JobManager that was killed comes back without its jobs. */
const highAvailability = (rpcPort: number, zookeeperPort: number, folder: string): Config => ({
  "high-availability.type": "zookeeper",
  "high-availability.zookeeper.quorum": `127.0.0.1:${zookeeperPort}`,
  "high-availability.zookeeper.client.session-timeout": SESSION_TIMEOUT_MS,
  "high-availability.zookeeper.client.tolerate-suspended-connections": true,
  "high-availability.storageDir": `file://${folder}/high-availability`,
  "high-availability.cluster-id": "/viewmill",
  "high-availability.jobmanager.port": rpcPort,
});

/** How long ZooKeeper waits for a killed JobManager before another may lead. */
const SESSION_TIMEOUT_MS = 10_000;

export function zookeeperConfig(port: number, folder: string): string {
  return `tickTime=500
maxSessionTimeout=${4 * SESSION_TIMEOUT_MS}
dataDir=${folder}/zookeeper
clientPort=${port}
clientPortAddress=127.0.0.1
maxClientCnxns=0
admin.enableServer=false
4lw.commands.whitelist=srvr
forceSync=no
`;
}

/** Parts of a TaskManager that are the same at any size, in MiB. */
const METASPACE_MB = 192;
const NETWORK_MB = 64;
const OFF_HEAP_MB = 128;
const FRAMEWORK_MB = 128;
const OVERHEAD_MB = 128;
const MIN_TASK_HEAP_MB = 128;

interface TaskManagerMemory {
  heapMb: number;
  directMb: number;
  metaspaceMb: number;
  /** As `-D key=value` of TaskManagerRunner, which wants every part named when no script of Flink's computes them. */
  properties: Config;
}

export function taskManagerMemory(totalMb: number, managedMb: number): TaskManagerMemory {
  const fixedMb = METASPACE_MB + NETWORK_MB + 2 * OFF_HEAP_MB + FRAMEWORK_MB + OVERHEAD_MB;
  const taskHeapMb = totalMb - managedMb - fixedMb;
  if (taskHeapMb < MIN_TASK_HEAP_MB)
    throw new RangeError(
      `a TaskManager of ${totalMb} MiB with ${managedMb} MiB for RocksDB leaves ${taskHeapMb} MiB of heap`,
    );
  return {
    heapMb: taskHeapMb + FRAMEWORK_MB,
    directMb: NETWORK_MB + 2 * OFF_HEAP_MB,
    metaspaceMb: METASPACE_MB,
    properties: {
      "taskmanager.cpu.cores": 2,
      "taskmanager.memory.task.heap.size": `${taskHeapMb}m`,
      "taskmanager.memory.task.off-heap.size": `${OFF_HEAP_MB}m`,
      "taskmanager.memory.framework.heap.size": `${FRAMEWORK_MB}m`,
      "taskmanager.memory.framework.off-heap.size": `${OFF_HEAP_MB}m`,
      "taskmanager.memory.network.min": `${NETWORK_MB}m`,
      "taskmanager.memory.network.max": `${NETWORK_MB}m`,
      "taskmanager.memory.managed.size": `${managedMb}m`,
      "taskmanager.memory.jvm-metaspace.size": `${METASPACE_MB}m`,
      "taskmanager.memory.jvm-overhead.min": `${OVERHEAD_MB}m`,
      "taskmanager.memory.jvm-overhead.max": `${OVERHEAD_MB}m`,
    },
  };
}

/** config.yaml with flat keys. */
export const yamlOf = (config: Config): string =>
  Object.entries(config)
    .map(([key, value]) => `${key}: ${typeof value === "string" ? JSON.stringify(value) : value}\n`)
    .join("");
