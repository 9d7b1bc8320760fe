// SPDX-License-Identifier: Apache-2.0
import { join } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import pino from "pino";
import { portOption, wholeNumber } from "../arguments/whole-number";
import { resolveConfig } from "../config/resolve";
import type { Config } from "../config/schema";
import { MAX_OLD_SPACE_MB, MAX_SEMI_SPACE_MB, workerNodeArgs } from "../programs/worker-node-args";

interface PoolFlags {
  listen: string;
  healthPort: number;
  maxWorkers: number;
  maxOldSpaceMb: number;
  maxSemiSpaceMb: number;
}

export function register(program: Command): void {
  program
    .command("worker-pool")
    .description(
      "serve the workers of streaming jobs: one process each, started when the cluster asks (beside every TaskManager)",
    )
    .option("--listen <host:port>", "where TaskManagers reach it (default: flink.workerPool)")
    .option("--health-port <port>", "GET /healthz, 0 for any", portOption, 0)
    .option("--max-workers <n>", "at most this many at once", wholeNumber(1, 10_000), 64)
    .option("--max-old-space-mb <n>", "JavaScript heap of a worker", wholeNumber(64, 1 << 20), MAX_OLD_SPACE_MB)
    .option(
      "--max-semi-space-mb <n>",
      "half of its young generation, which takes up to three of them",
      wholeNumber(1, 1 << 10),
      MAX_SEMI_SPACE_MB,
    )
    .option("--data <dir>", "data folder of the deployment")
    .option("--config <file>", "configuration file")
    .action(async (flags: PoolFlags, command: Command) => serve(resolveConfig(command), flags));
}

async function serve(config: Config, flags: PoolFlags): Promise<void> {
  const { WorkerPool } = await import("../../engine/worker-pool.js");
  const [host, port] = address(flags.listen ?? config.flink.workerPool);
  const log = pino({ level: config.logLevel }, pino.destination(2));
  const pool = await WorkerPool.start({
    host,
    port,
    httpPort: flags.healthPort,
    maxWorkers: flags.maxWorkers,
    workerModule: join(__dirname, "..", "programs", "worker-resources.js"),
    workerSettings: JSON.stringify(config),
    nodeArgs: workerNodeArgs(flags),
    log,
  });
  let stopping = false;
  const stop = () => {
    if (stopping) return;
    stopping = true;
    pool.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  process.stdout.write(`viewmill worker pool on ${pool.address}, health on ${pool.httpUrl}/healthz\n`);
}

function address(text: string): [string, number] {
  const at = text.lastIndexOf(":");
  if (at <= 0) throw new InvalidArgumentError("host:port is wanted");
  return [text.slice(0, at), portOption(text.slice(at + 1))];
}
