import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import express from "express";
import helmet from "helmet";
import pino, { type Logger } from "pino";
import { Registry } from "prom-client";
import { createIngestRouter } from "../ingest-api/ingest-router";
import { DirectoryArchive } from "../io/directory/archive";
import { type FolderLock, openDataFolder } from "../io/sqlite/data-folder";
import { SqliteDeadLetters } from "../io/sqlite/dead-letters";
import { SqliteEventLog } from "../io/sqlite/event-log";
import { SqliteLogProgress } from "../io/sqlite/log-progress";
import { SqliteCounterReader } from "../io/sqlite/reader-thread";
import { SqliteStreamState } from "../io/sqlite/stream-state";
import { createQueryRouter } from "../query-api";
import { AuditSchedule } from "./audit-schedule";
import { resolveConfig } from "./config";
import type { Config } from "./config-schema";
import { embeddedGauges } from "./log-gauges";
import { removeServiceUrl, writeServiceUrl } from "./service-url";
import { streamIdentity } from "./stream-identity";
import type { StreamProcessSettings, StreamReport } from "./stream-process";
import { Supervisor } from "./supervisor";

/** The service cannot start; one clear line. */
export class ServeError extends Error {
  override readonly name = "ServeError";
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** A request must have arrived whole by then: a slow sender holds a place of those in flight. */
const REQUEST_TIMEOUT_MS = 60_000;
const DRAIN_DEADLINE_MS = 15_000;
/** A stream that finishes no pass for this long while the log has entries is reported as not ready. */
const STALLED_AFTER_MS = 30_000;

export function register(program: Command): void {
  program
    .command("serve", { isDefault: false })
    .description("run the embedded service: ingest, stream pipeline, query API")
    .option("--data <dir>", "data folder (default ./data)")
    .option("--config <file>", "YAML or JSON configuration")
    .option("--host <host>", "address to listen on (default 127.0.0.1)")
    .option("--port <port>", "port to listen on, 0 for any (default 8080)", port)
    .option("--log-level <level>", "fatal, error, warn, info, debug, trace, silent")
    .action(async (_flags, command: Command) => serve(resolveConfig(command)));
}

async function serve(config: Config): Promise<void> {
  const logger = pino({ level: config.logLevel }, pino.destination(2));
  const lock = openDataFolder(config.data);
  const service = await EmbeddedService.start(config, logger, lock);
  writeServiceUrl(config.data, service.url);
  process.stdout.write(`viewmill listening on ${service.url}\n`);
  let stopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) return;
    stopping = true;
    logger.info({ signal }, "stopping");
    removeServiceUrl(config.data);
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
}

class EmbeddedService {
  private constructor(
    readonly url: string,
    private readonly parts: {
      server: Server;
      ingest: { drain(): Promise<void> };
      stream: Supervisor;
      audits: AuditSchedule;
      log: SqliteEventLog;
      deadLetters: SqliteDeadLetters;
      reader: SqliteCounterReader;
      lock: FolderLock;
    },
  ) {}

  static async start(config: Config, logger: Logger, lock: FolderLock): Promise<EmbeddedService> {
    const folder = config.data;
    const log = await SqliteEventLog.open({ folder, maxBacklogBytes: config.log.maxBacklogBytes });
    const deadLetters = new SqliteDeadLetters({ folder, maxBytes: config.deadLetters.maxBytes });
    const reader = new SqliteCounterReader({ folder });
    const state = new SqliteStreamState({ folder });
    const registry = new Registry();
    const progress: Progress = { passedAt: performance.now(), restarts: 0 };
    const stream = new Supervisor({
      name: "stream",
      modulePath: join(__dirname, "stream-process.js"),
      args: [JSON.stringify(streamSettings(config))],
      logger,
      onMessage: (message) => {
        const report = message as StreamReport;
        if (report.kind === "pass")
          Object.assign(progress, { passedAt: performance.now(), restarts: stream.status.restarts });
        onReport(report, log, logger);
      },
    });
    const finalAfterMs = config.lateness.finalAfterMinutes * MINUTE_MS;
    const archive = new DirectoryArchive({ folder: join(folder, "archive") });
    const audits = new AuditSchedule({ config, archive, state, logger, clock: Date.now, finalAfterMs });
    const ingest = createIngestRouter({
      log,
      recentStamps: await log.recentStamps(Date.now()),
      deadLetters,
      clock: Date.now,
      logger,
      registry,
      limits: ingestLimits(config),
    });
    const readiness = async () => [
      { name: "log", ok: await answers(() => log.head()), detail: "event log" },
      { name: "counters", ok: await answers(() => state.checkpoint()), detail: "counter store" },
      streamReadiness(stream, progress, await log.firstAfter(await state.checkpoint())),
    ];
    const app = express();
    app.disable("x-powered-by");
    app.use(ingest.router);
    app.use(helmet());
    app.use(
      createQueryRouter({
        counters: reader,
        state,
        progress: new SqliteLogProgress(log, state),
        gauges: embeddedGauges(log, state, Date.now),
        deadLetters,
        clock: Date.now,
        logger,
        registry,
        readiness,
        finalAfterMs,
      }),
    );
    const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, app);
    const url = await listen(server, config.http.host, config.http.port);
    stream.start();
    audits.start();
    return new EmbeddedService(url, { server, ingest, stream, audits, log, deadLetters, reader, lock });
  }

  /** No new requests, the running ones answered, the pass under way finished, the stores closed. */
  async stop(): Promise<void> {
    const { server, ingest, stream, audits, log, deadLetters, reader, lock } = this.parts;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    const deadline = setTimeout(() => server.closeAllConnections(), DRAIN_DEADLINE_MS);
    await ingest.drain();
    server.closeIdleConnections();
    await closed;
    clearTimeout(deadline);
    await Promise.all([stream.stop(), audits.stop()]);
    await Promise.all([log.close(), deadLetters.close(), reader.close()]);
    lock.release();
  }
}

/** The last pass that finished. A process that only starts, to fail at the same step again, makes none. */
interface Progress {
  passedAt: number;
  /** Restarts of the stream by then. */
  restarts: number;
}

function onReport(report: StreamReport, log: SqliteEventLog, logger: Logger): void {
  if (report.kind === "pass") logger.debug(report, "pass");
  log.trim(report.position).catch((error: unknown) => logger.warn({ err: error }, "the log could not be trimmed"));
}

function streamReadiness(stream: Supervisor, progress: Progress, next: { appendedAtMs: number } | undefined) {
  const { running, restarts, lastExit } = stream.status;
  const waiting = next !== undefined;
  const failing = waiting && restarts > progress.restarts;
  const stalled =
    waiting &&
    performance.now() - progress.passedAt > STALLED_AFTER_MS &&
    Date.now() - next.appendedAtMs > STALLED_AFTER_MS;
  const detail = [
    running ? "running" : "restarting",
    `${restarts} restarts`,
    ...(lastExit === undefined ? [] : [`last exit: ${lastExit}`]),
    ...(failing ? ["no pass finished since"] : []),
    ...(stalled ? ["no pass finished lately"] : []),
  ].join(", ");
  return { name: "stream", ok: running && !stalled && !failing, detail };
}

async function answers(question: () => Promise<unknown>): Promise<boolean> {
  try {
    await question();
    return true;
  } catch {
    return false;
  }
}

function ingestLimits(config: Config) {
  const { maxBodyBytes, maxEvents, maxEventBytes, maxInFlightBytes, maxInFlightRequests } = config.http;
  return {
    maxBodyBytes,
    maxEvents,
    maxEventBytes,
    maxInFlightBytes,
    maxInFlightRequests,
    rawRetentionMs: config.retention.rawDays * DAY_MS,
  };
}

function streamSettings(config: Config): StreamProcessSettings {
  return { folder: config.data, ...config.stream, ...streamIdentity(config) };
}

function listen(server: Server, host: string, portNumber: number): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const why = error.code === "EADDRINUSE" ? "the port is in use" : error.message;
      reject(new ServeError(`cannot listen on ${host}:${portNumber}: ${why}`));
    });
    server.listen(portNumber, host, () => {
      const { port: actual } = server.address() as AddressInfo;
      resolve(`http://${host.includes(":") ? `[${host}]` : host}:${actual}`);
    });
  });
}

function port(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0 || number > 65_535)
    throw new InvalidArgumentError("a port is 0 to 65535");
  return number;
}
