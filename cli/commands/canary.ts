// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import pino from "pino";
import { Registry } from "prom-client";
import { MINUTE_MS } from "../../domain/rules/time";
import { portOption, positiveInteger } from "../arguments/whole-number";
import { resolveConfig } from "../config/resolve";
import { Canary } from "../programs/canary/canary";
import type { Round } from "../programs/canary/round";
import { metricsListener } from "../programs/metrics-listener";
import { serviceAddress, withServiceOptions } from "../reading/service-url";

interface Flags {
  once?: boolean;
  deadline: number;
  name: string;
  healthPort: number;
  json?: boolean;
}

export function register(program: Command): void {
  const command = program
    .command("canary")
    .description("the weak audit: sends known events each minute, reads them back at each level, exports metrics");
  withServiceOptions(command)
    .option("--once", "one round; exit 0 where every level says what was sent, else 3")
    .option("--deadline <seconds>", "a round that is not counted by then has failed", positiveInteger, 180)
    .option("--name <name>", "of this canary; several of one deployment have different names", "canary")
    .option("--health-port <port>", "GET /healthz and /metrics on http.host, 0 for any", portOption, 0)
    .option("--json", "print a line of JSON a round")
    .action((flags: Flags, asked: Command) => canary(flags, asked));
}

async function canary(flags: Flags, command: Command): Promise<void> {
  if (!/^[A-Za-z0-9-]{1,40}$/.test(flags.name)) command.error("error: --name is 1 to 40 letters, digits and -");
  const config = resolveConfig(command);
  const logger = pino({ level: config.logLevel }, pino.destination(2));
  const registry = new Registry();
  const { url, headers } = serviceAddress(command);
  const target = { url, headers, name: flags.name, deadlineMs: flags.deadline * 1000 };
  const onRound = (round: Round) =>
    process.stdout.write(flags.json === true ? `${JSON.stringify(round)}\n` : shown(round));
  const watch = new Canary({ target, clock: Date.now, logger, registry, onRound });
  if (flags.once === true) {
    const { outcome } = await watch.round();
    process.exitCode = outcome === "ok" ? 0 : 3;
    return;
  }
  const server = await metricsListener(registry, config, flags.healthPort);
  process.stdout.write(`viewmill canary sends to ${url}, health on ${server.url}/healthz\n`);
  watch.start();
  const stop = () => {
    server.close();
    watch.stop().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
}

const shown = ({ minute, outcome, seconds, detail }: Round): string =>
  `${new Date(minute * MINUTE_MS).toISOString()}  ${outcome.padEnd(8)}  ${seconds.toFixed(1)} s  ${detail}\n`;
