// SPDX-License-Identifier: Apache-2.0
/**
 * The program of one worker, forked by the pool. Its settings are in the first message. It answers "connected", then
 * "alive" every second as long as its event loop turns. It ends with its control channel (exit code 0), on SIGTERM
 * after the bundles under way (0), on any error (1), and when the pool is gone, whatever killed the pool (3).
 * worker-pool.ts starts it.
 */
import { routeConsole, workerLog } from "./worker-log";
import { runWorker, type WorkerSettings } from "./worker-session";

const connectedMessage = "connected";
const aliveMessage = "alive";
export const aliveEveryMs = 1_000;

function main(): void {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop.abort());
  process.once("disconnect", () => process.exit(3));
  process.once("message", (message) => {
    const settings = message as WorkerSettings;
    const log = workerLog({ workerId: settings.workerId });
    routeConsole(log);
    const fail = (error: unknown) => {
      log.fatal({ err: error }, "worker failed");
      process.exit(1);
    };
    process.on("uncaughtException", fail);
    process.on("unhandledRejection", fail);
    const connected = () => {
      process.send?.(connectedMessage);
      setInterval(() => process.send?.(aliveMessage), aliveEveryMs);
    };
    runWorker(settings, { log, connected, stop: stop.signal }).then(() => process.exit(0), fail);
  });
}

if (require.main === module) main();
