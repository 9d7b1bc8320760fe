import type { Server } from "node:http";
import type { Command } from "commander";
import express from "express";
import helmet from "helmet";
import pino, { type Logger } from "pino";
import { Registry } from "prom-client";
import { DAY_MS, MINUTE_MS } from "../../domain/rules/time";
import { createIngestRouter } from "../../ingest-api/ingest-router";
import type { FolderLock } from "../../io/sqlite/data-folder";
import { createQueryApi, sharedFreshness } from "../../query-api";
import { portOption } from "../arguments/whole-number";
import { resolveConfig } from "../config/load";
import type { Config } from "../config/schema";
import { intakeLimits, openDeployment, rawRetentionMs, usesDataFolder } from "../deployment/deployment";
import { hasCatalog, openCatalog } from "../deployment/open-catalog";
import { openReader } from "../deployment/open-counters";
import { knownEventTypes } from "../deployment/open-event-types";
import { ServiceCanary } from "../programs/canary/service-canary";
import { EmbeddedCounting } from "../programs/serve/embedded-counting";
import { constantHeaders, frontListener } from "../programs/serve/front";
import { listen, listenForOperations, OperationsSide, serviceListener } from "../programs/serve/listeners";
import type { LogSide } from "../programs/serve/log-side";
import { openAdmission } from "../programs/serve/open-admission";
import { answersOf, type Check, storeChecks } from "../programs/serve/readiness";
import { SharedLog } from "../programs/serve/shared-log";
import { removeServiceUrl, writeServiceUrl } from "../reading/service-url";

const DRAIN_DEADLINE_MS = 15_000;
/** How old the completeness that a read tells may be. */
const FRESHNESS_KEPT_MS = 20;

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
  // Whatever of the deployment is in the data folder, one service at a time owns it.
  const lock = usesDataFolder(config)
    ? (await import("../../io/sqlite/data-folder.js")).openDataFolder(config.data)
    : undefined;
  const service = await Service.start(config, logger, lock);
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

class Service {
  private constructor(
    readonly url: string,
    private readonly parts: {
      servers: readonly Server[];
      ingest: { drain(): Promise<void> };
      stopping: AbortController;
      logSide: LogSide;
      close: () => Promise<void>;
      lock: FolderLock | undefined;
    },
  ) {}

  static async start(config: Config, logger: Logger, lock: FolderLock | undefined): Promise<Service> {
    const registry = new Registry();
    const deployment = await openDeployment(config);
    const access = await openAdmission(config, logger);
    const { admission } = access;
    const operations = new OperationsSide(config);
    const reader = await openReader(config, deployment.counters);
    const catalog = hasCatalog(config) ? await openCatalog(config) : undefined;
    const { deadLetters, ledger, progress, archive } = deployment;
    const embedded = config.log.kind === "embedded";
    const finalAfterMs = config.lateness.finalAfterMinutes * MINUTE_MS;
    const logSide: LogSide = embedded
      ? await EmbeddedCounting.start({ config, logger, archive, ledger, finalAfterMs })
      : await SharedLog.open(config, logger, ledger, progress);
    const ingest = createIngestRouter({
      log: logSide.log,
      recentStamps: await logSide.recentStamps(),
      ...(logSide.receiptStamps === undefined ? {} : { receiptStamps: logSide.receiptStamps }),
      deadLetters,
      eventTypes: knownEventTypes(deployment),
      admission,
      clock: Date.now,
      logger,
      registry,
      limits: ingestLimits(config),
    });
    const stopping = new AbortController();
    const checks: Check[] = [
      { name: "log", required: true, look: () => logSide.log.ping().then(() => "event log") },
      { name: "counters", required: true, look: () => reader.totals("-").then(() => "counter store") },
      ...storeChecks(deployment, Date.now),
      ...logSide.checks,
    ];
    const canary = new ServiceCanary(config, logger, registry, access.ownKey);
    checks.push(...canary.checks);
    const query = createQueryApi({
      counters: reader,
      ...(catalog && { catalog }),
      ledger,
      progress: sharedFreshness(progress, FRESHNESS_KEPT_MS),
      gauges: logSide.gauges,
      deadLetters,
      admission,
      accessKeys: access.store,
      operations,
      clock: Date.now,
      logger,
      registry,
      readiness: async () => {
        const [stores, ofLog] = await Promise.all([answersOf(checks), logSide.readiness()]);
        return [...stores, ...ofLog];
      },
      stopping: stopping.signal,
      finalAfterMs,
      rawRetentionMs: rawRetentionMs(config),
    });
    const secured = helmet();
    const app = express();
    app.disable("x-powered-by");
    app.use((request, response, next) => {
      if (!admission.crossOrigin(request, response)) next();
    });
    app.use(ingest.router);
    app.use(secured);
    app.use(query.router);
    const reads = { reads: query.hotReads, secured: constantHeaders(secured) };
    const front = frontListener({ admission, ingest, ...reads, app });
    const { server, scheme, stop: stopListener } = serviceListener(config, front, logger);
    const url = await listen(server, config.http.host, config.http.port, scheme);
    const ofOperations = await listenForOperations(config, operations.listener(app));
    if (ofOperations !== undefined) logger.info({ url: ofOperations.url }, "operating endpoints listen");
    logSide.begin();
    canary.begin(url);
    const close = async () => {
      stopListener();
      await canary.stop();
      await access.close();
      await Promise.all([reader.close(), deployment.close(), catalog?.close()]);
    };
    const servers = [server, ...(ofOperations === undefined ? [] : [ofOperations.server])];
    return new Service(url, { servers, ingest, stopping, logSide, close, lock });
  }

  /** No new requests, the running ones answered, the pass under way finished, the stores closed. */
  async stop(): Promise<void> {
    const { servers, ingest, stopping, logSide, close, lock } = this.parts;
    stopping.abort();
    const closed = Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
    const deadline = setTimeout(() => {
      for (const server of servers) server.closeAllConnections();
    }, DRAIN_DEADLINE_MS);
    await ingest.drain();
    for (const server of servers) server.closeIdleConnections();
    await closed;
    clearTimeout(deadline);
    await logSide.stop();
    await close();
    lock?.release();
  }
}

function ingestLimits(config: Config) {
  const { maxInFlightBytes, maxInFlightRequests } = config.http;
  return {
    ...intakeLimits(config),
    maxInFlightBytes,
    maxInFlightRequests,
    rawRetentionMs: config.retention.rawDays * DAY_MS,
  };
}
