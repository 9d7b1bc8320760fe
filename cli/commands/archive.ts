// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from "node:crypto";
import type { Command } from "commander";
import pino, { type Logger } from "pino";
import { Counter, collectDefaultMetrics, Registry } from "prom-client";
import { LowWatermark } from "../../io/cluster/low-watermark";
import { resolveReference } from "../../io/formats/claim-check/resolve-reference";
import type { ClaimStore, LogMessage } from "../../io/ports";
import type { ArchivedPortion, PayloadOf } from "../../pipelines/archiver/archive-portion";
import { type ArchiverOptions, runArchiver } from "../../pipelines/archiver/archiver";
import { throughOutages } from "../../pipelines/archiver/through-outages";
import { portOption } from "../arguments/whole-number";
import { resolveConfig } from "../config/resolve";
import type { Config, Settings } from "../config/schema";
import { messageRules, openDeployment } from "../deployment/deployment";
import { openClaims } from "../deployment/open-claims";
import { knownEventTypes } from "../deployment/open-event-types";
import { openSubscription } from "../deployment/open-log";
import { metricsListener } from "../programs/metrics-listener";

const PORTIONS_IN_FLIGHT = 2;
const PROGRESS_INTERVAL_MS = 1_000;
const OUTAGE_PAUSE_MS = 1_000;
const GROUP_LEASE_MS = 30_000;
/**
 * The lease is twice the time for which Pub/Sub keeps the messages of a dead reader (io/pubsub/log-subscription.ts).
 */
const READER_LEASE_MS = 120_000;

export function register(program: Command): void {
  program
    .command("archive")
    .description("the archiver: from the log's topic to the archive; several may run")
    .option("--health-port <port>", "GET /healthz and /metrics on http.host, 0 for any", portOption, 0)
    .option("--data <dir>", "data folder of the deployment")
    .option("--config <file>", "configuration file")
    .action(async ({ healthPort }: { healthPort: number }, command: Command) =>
      archive(resolveConfig(command), healthPort),
    );
}

async function archive(config: Config, healthPort: number): Promise<void> {
  const logger = pino({ level: config.logLevel }, pino.destination(2));
  const stop = new AbortController();
  process.on("SIGTERM", () => stop.abort());
  process.on("SIGINT", () => stop.abort());
  const metrics = new ArchiverMetrics();
  const subscription = await openSubscription(config, logger, (messages) => metrics.skipped(messages));
  const deployment = await openDeployment(config);
  const claims = await openClaims(config);
  const server = await metricsListener(metrics.registry, config, healthPort);
  process.stdout.write(`viewmill archiver reads ${config.log.topic}, health on ${server.url}/healthz\n`);
  try {
    const dependencies = {
      subscription,
      archive: deployment.archive,
      ledger: deployment.ledger,
      payloadOf: payloadOf(claims, logger),
      rules: messageRules(config),
      eventTypes: knownEventTypes(deployment, config),
      clock: Date.now,
      reader: archiveReader(config),
      watermark: new LowWatermark(deployment.ledger, Date.now),
    };
    const archived = (portion: ArchivedPortion) => {
      metrics.archived(portion);
      logger.debug(portion, "portion archived");
    };
    await throughOutages(() => runArchiver(dependencies, archiverOptions(config), stop.signal, archived), {
      stop: stop.signal,
      pauseMs: OUTAGE_PAUSE_MS,
      onOutage: (error) => logger.error({ err: error }, "a log or store does not answer: the archiver tries again"),
    });
  } finally {
    server.close();
    await subscription.close();
    await deployment.close();
  }
}

function archiverOptions({ archive }: Settings<"archive">): ArchiverOptions {
  return {
    maxPortionMessages: archive.maxPortionMessages,
    maxPortionBytes: archive.maxPortionBytes,
    maxPortionAgeMs: archive.maxPortionAgeMs,
    portionsInFlight: PORTIONS_IN_FLIGHT,
    progressIntervalMs: PROGRESS_INTERVAL_MS,
  };
}

/**
 * Returns the name under which this archiver writes its progress mark. On Kafka the position of the whole group is
 * known, so all archivers share one mark. On Pub/Sub nobody knows which messages other readers hold, so each archiver
 * writes its own; the mark of a dead archiver holds the low watermark until Pub/Sub has given its messages to others.
 */
function archiveReader({ log }: Settings<"log">): { name: string; leaseMs: number } {
  if (log.kind === "kafka") return { name: log.kafka.archiveGroup, leaseMs: GROUP_LEASE_MS };
  return { name: `${log.pubsub.archiveSubscription}-${randomUUID()}`, leaseMs: READER_LEASE_MS };
}

/**
 * Resolves a message that refers to a claim. Where the claim is missing, the stream makes the dead letter. The archiver
 * skips the message, and the books show the gap.
 */
function payloadOf(claims: ClaimStore, logger: Logger): PayloadOf {
  return async ({ id, payload }: LogMessage) => {
    const resolved = await resolveReference(payload, claims);
    if (resolved.kind === "payload") return resolved.payload;
    logger.error({ message: id, reason: resolved.reason, detail: resolved.detail }, "a batch cannot be archived");
    return undefined;
  };
}

class ArchiverMetrics {
  readonly registry = new Registry();
  readonly #messages = this.counter("viewmill_archived_messages_total", "Messages of the log that were archived");
  readonly #events = this.counter("viewmill_archived_events_total", "Events written to the archive");
  readonly #objects = this.counter("viewmill_archived_objects_total", "Objects written to the archive");
  readonly #undecodable = this.counter("viewmill_archive_undecodable_total", "Messages that cannot be read as events");
  readonly #leftOut = this.counter("viewmill_archive_left_out_total", "Events that break the contract, not archived");
  readonly #undeclared = this.counter(
    "viewmill_archived_direct_messages_total",
    "Messages of direct producers: they did not come through the write API",
  );

  readonly #skipped = this.counter(
    "viewmill_archive_skipped_messages_total",
    "Messages that left the log (retention, deleted records) before they were archived: lost, and their minutes unbalanced",
  );

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  private counter(name: string, help: string): Counter {
    return new Counter({ name, help, registers: [this.registry] });
  }

  skipped(messages: number): void {
    this.#skipped.inc(messages);
  }

  archived({ messages, events, objects, undecodable, leftOut, undeclared }: ArchivedPortion): void {
    this.#messages.inc(messages);
    this.#events.inc(events);
    this.#objects.inc(objects);
    this.#undecodable.inc(undecodable);
    this.#leftOut.inc(leftOut);
    this.#undeclared.inc(undeclared);
  }
}
