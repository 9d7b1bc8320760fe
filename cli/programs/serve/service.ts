// SPDX-License-Identifier: Apache-2.0
import type { Server } from "node:http";
import express from "express";
import helmet from "helmet";
import type { FolderLock } from "../../../io/sqlite/data-folder";
import { ServiceAlerts } from "../alerts/service-alerts";
import { ingestOf, queryOf } from "./apis";
import { constantFields, frontListener } from "./front";
import { listen, listenForOperations, serviceListener } from "./listeners";
import { openServiceParts, type ServiceOptions, type ServiceParts, type ServiceSections } from "./service-parts";

const DRAIN_DEADLINE_MS = 15_000;

type IngestSide = Awaited<ReturnType<typeof ingestOf>>;
type QuerySide = ReturnType<typeof queryOf>;

/**
 * A running service, built from its stores to its listeners, and closed in the opposite order. `viewmill serve` runs
 * one.
 */
export class Service {
  private constructor(
    readonly url: string,
    private readonly running: {
      parts: ServiceParts;
      alerts: ServiceAlerts | undefined;
      ingest: IngestSide;
      servers: readonly Server[];
      stopping: AbortController;
      stopListener: () => void;
      lock: FolderLock | undefined;
    },
  ) {}

  /**
   * Opens the stores, builds both sides of the HTTP interface over them, and listens. What works beside the requests
   * begins last: the side of the log (on one machine with the process that counts), the canary and the alerts. Resolves
   * when requests are answered.
   */
  static async start(
    config: ServiceSections,
    { lock, ...options }: ServiceOptions & { lock: FolderLock | undefined },
  ): Promise<Service> {
    const { logger } = options;
    const parts = await openServiceParts(config, options);
    const alerts = alertsOf(parts);
    const ingest = await ingestOf(parts);
    const stopping = new AbortController();
    const query = queryOf(parts, ingest, stopping.signal);
    const { app, front } = applicationOf(parts, ingest, query);

    const { server, scheme, stop: stopListener } = serviceListener(config, front, logger);
    const url = await listen(server, config.http.host, config.http.port, scheme);
    const ofOperations = await listenForOperations(config, parts.operations.listener(app));
    if (ofOperations !== undefined) logger.info({ url: ofOperations.url }, "operating endpoints listen");

    parts.logSide.begin();
    parts.canary.begin(url);
    await alerts?.begin();
    const servers = [server, ...(ofOperations === undefined ? [] : [ofOperations.server])];
    return new Service(url, { parts, alerts, ingest, servers, stopping, stopListener, lock });
  }

  /**
   * Stops in order: readiness falls, new requests are refused, running requests are answered, the pass under way
   * finishes, the stores close.
   */
  async stop(): Promise<void> {
    const { parts, alerts, ingest, servers, stopping, stopListener, lock } = this.running;
    await parts.drain.begin();
    stopping.abort();
    const closed = Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
    const deadline = setTimeout(() => {
      for (const server of servers) server.closeAllConnections();
    }, DRAIN_DEADLINE_MS);
    await ingest.drain();
    for (const server of servers) server.closeIdleConnections();
    await closed;
    clearTimeout(deadline);
    await parts.logSide.stop();
    stopListener();
    await parts.canary.stop();
    await alerts?.stop();
    await parts.alertStore?.close();
    await parts.access.close();
    await Promise.all([
      parts.reader.close(),
      parts.deployment.close(),
      parts.catalog?.close(),
      parts.sharedAnswers?.close(),
    ]);
    lock?.release();
  }
}

function alertsOf(parts: ServiceParts): ServiceAlerts | undefined {
  const { config, logger, registry, deployment, reader, catalog, canary, alertStore } = parts;
  if (alertStore === undefined) return undefined;
  const { ledger, progress, deadLetters } = deployment;
  const stores = { counters: reader, ledger, progress, deadLetters, ...(catalog && { catalog }) };
  const sources = { ...stores, canaryRound: () => canary.last, clock: Date.now };
  return new ServiceAlerts({ settings: config.alerts, store: alertStore, sources, logger, registry });
}

/** Returns Express behind a front that answers the most frequent routes without it. */
function applicationOf({ access: { admission }, drain }: ServiceParts, ingest: IngestSide, query: QuerySide) {
  const secured = helmet();
  const app = express();
  app.disable("x-powered-by");
  app.use((request, response, next) => {
    if (!admission.crossOrigin(request, response)) next();
  });
  app.use(ingest.router);
  app.use(secured);
  app.use(query.router);
  const reads = { reads: query.hotReads, secured: constantFields(secured) };
  return { app, front: drain.before(frontListener({ admission, ingest, ...reads, app })) };
}
