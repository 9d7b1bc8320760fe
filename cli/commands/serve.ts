// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import pino from "pino";
import { portOption } from "../arguments/whole-number";
import { collectGarbage } from "../collect-garbage";
import { effectiveConfigFile } from "../config/effective-config";
import { resolveConfig } from "../config/resolve";
import type { Config } from "../config/schema";
import { usesDataFolder } from "../deployment/deployment";
import { Service } from "../programs/serve/service";
import { removeServiceUrl, writeServiceUrl } from "../reading/service-url";

export function register(program: Command): void {
  program
    .command("serve", { isDefault: false })
    .description("run the service: ingest and query API, and with the embedded log the stream pipeline")
    .option("--data <dir>", "data folder (default ./data)")
    .option("--config <file>", "YAML or JSON configuration")
    .option("--host <host>", "address to listen on (default 127.0.0.1)")
    .option("--port <port>", "port to listen on, 0 for any (default 8080)", portOption)
    .option("--insecure", "listen beyond loopback without keys, for whoever reaches the port")
    .option("--log-level <level>", "fatal, error, warn, info, debug, trace, silent")
    .action(async (_flags, command: Command) => serve(resolveConfig(command)));
}

async function serve(config: Config): Promise<void> {
  const logger = pino({ level: config.logLevel }, pino.destination(2));
  // One service at a time owns the data folder, whichever part of the deployment is in it.
  const lock = usesDataFolder(config)
    ? (await import("../../io/sqlite/data-folder.js")).openDataFolder(config.data)
    : undefined;
  const service = await Service.start(config, { logger, lock, configFile: () => effectiveConfigFile(config) });
  collectGarbage();
  if (lock !== undefined) writeServiceUrl(config.data, service.url);
  let stopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) return;
    stopping = true;
    logger.info({ signal }, "stopping");
    if (lock !== undefined) removeServiceUrl(config.data);
    service.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ err: error }, "stopping failed");
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  process.stdout.write(`viewmill listening on ${service.url}\n`);
}
