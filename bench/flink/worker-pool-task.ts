// SPDX-License-Identifier: Apache-2.0
import { join } from "node:path";
import pino from "pino";
import type { Settings } from "../../cli/config/schema";
import type { WorkerSections } from "../../cli/deployment/worker-sections";
import { MAX_OLD_SPACE_MB, MAX_SEMI_SPACE_MB, workerNodeArgs } from "../../cli/programs/worker-node-args";
import { WorkerPool } from "../../engine/worker-pool";
import { defineTask } from "../task";

interface PoolParameters {
  config: WorkerSections & Settings<"flink">;
  /** Flags of Node for every worker. */
  nodeArgs: readonly string[];
}

const MAX_WORKERS = 16;
const WORKER_NODE_ARGS = workerNodeArgs({ maxOldSpaceMb: MAX_OLD_SPACE_MB, maxSemiSpaceMb: MAX_SEMI_SPACE_MB });
const WORKER_MODULE = join(__dirname, "..", "..", "cli", "programs", "worker-resources.js");

/**
 * Runs the same as `viewmill worker-pool`, with extra Node flags for its workers, until it is stopped. The Flink
 * measurements use it.
 */
export const workerPool = defineTask(
  __filename,
  "worker-pool",
  async ({ config, nodeArgs }: PoolParameters, context) => {
    const [host = "", port] = config.flink.workerPool.split(":");
    const pool = await WorkerPool.start({
      host,
      port: Number(port),
      httpPort: 0,
      maxWorkers: MAX_WORKERS,
      workerModule: WORKER_MODULE,
      workerSettings: JSON.stringify(config),
      nodeArgs: [...WORKER_NODE_ARGS, ...nodeArgs],
      log: pino({ level: "warn" }, pino.destination(2)),
    });
    context.ready(pool.address);
    await context.stopped;
    await pool.close();
  },
);
