// SPDX-License-Identifier: Apache-2.0
/** The two sides of the HTTP interface, built from a service's parts. `Service` mounts them behind its listeners. */
import { createIngestRouter, type IngestApi } from "../../../ingest-api/ingest-router";
import type { DeadLetter } from "../../../io/ports";
import { AnswerCache, createQueryApi, sharedAudits, sharedFreshness } from "../../../query-api";
import type { QueryApi } from "../../../query-api/query-router";
import { intakeLimits, rawRetentionMs } from "../../deployment/deployment";
import { knownEventTypes } from "../../deployment/open-event-types";
import { replayPayload } from "../../sending/replay-payload";
import { answersOf, type Check, storeChecks } from "./readiness";
import { finalAfterMs, type ServiceParts } from "./service-parts";

/** The largest age of the completeness, and of the audits, that a read states. */
const FRESHNESS_KEPT_MS = 20;
/** How long one look at the stores' versions serves reads, which then state the time of that look. */
const VERSIONS_KEPT_MS = 20;
/** How long an answer is shared with others who ask the same: a fraction of the shortest max-age. */
const ANSWER_KEPT_MS = 250;

export async function ingestOf({ config, logger, registry, deployment, access, logSide }: ServiceParts) {
  const { maxInFlightBytes, maxInFlightRequests } = config.http;
  return createIngestRouter({
    log: logSide.log,
    recentStamps: await logSide.recentStamps(),
    ...(logSide.receiptStamps === undefined ? {} : { receiptStamps: logSide.receiptStamps }),
    deadLetters: deployment.deadLetters,
    eventTypes: knownEventTypes(deployment, config),
    admission: access.admission,
    clock: Date.now,
    logger,
    registry,
    limits: {
      ...intakeLimits(config),
      maxInFlightBytes,
      maxInFlightRequests,
      rawRetentionMs: rawRetentionMs(config),
    },
  });
}

/** Builds the read API. `stopping` ends the event streams that readers hold open. */
export function queryOf(parts: ServiceParts, ingest: Pick<IngestApi, "again">, stopping: AbortSignal): QueryApi {
  const { config, logger, registry, deployment, access, operations, reader, catalog, logSide } = parts;
  const { alertStore, sharedAnswers } = parts;
  const { deadLetters, ledger, progress } = deployment;
  const checks = checksOf(parts);
  return createQueryApi({
    counters: reader,
    versionsKeptMs: VERSIONS_KEPT_MS,
    ...(config.http.sharedAnswerBytes > 0 && {
      answers: new AnswerCache({
        maxBytes: config.http.sharedAnswerBytes,
        keptMs: ANSWER_KEPT_MS,
        ...(sharedAnswers && { shared: sharedAnswers }),
      }),
    }),
    ...(catalog && { catalog }),
    ledger: {
      auditedCounts: sharedAudits(ledger, FRESHNESS_KEPT_MS),
      audits: (...asked) => ledger.audits(...asked),
      books: (...asked) => ledger.books(...asked),
    },
    progress: sharedFreshness(progress, FRESHNESS_KEPT_MS),
    gauges: logSide.gauges,
    deadLetters,
    replay: { letters: deadLetters, again: (letter) => replayLetter(letter, ingest) },
    admission: access.admission,
    accessKeys: access.store,
    ...(alertStore && { alerts: alertStore, alertRules: config.alerts.rules }),
    operations,
    clock: Date.now,
    logger,
    registry,
    readiness: async () => {
      const [stores, ofLog] = await Promise.all([answersOf(checks), logSide.readiness()]);
      return [...stores, ...ofLog];
    },
    stopping,
    finalAfterMs: finalAfterMs(config),
    rawRetentionMs: rawRetentionMs(config),
  });
}

/** Sends a letter as `viewmill dead-letters replay` does, without HTTP. */
async function replayLetter(letter: DeadLetter, ingest: Pick<IngestApi, "again">): Promise<string | undefined> {
  const payload = replayPayload(letter, []);
  return payload.ok ? ingest.again(Buffer.from(payload.bytes), letter.contentType) : payload.detail;
}

function checksOf({ deployment, reader, logSide, canary, drain }: ServiceParts): Check[] {
  return [
    { name: "log", required: true, look: () => logSide.log.ping().then(() => "event log") },
    { name: "counters", required: true, look: () => reader.totals("-").then(() => "counter store") },
    ...storeChecks(deployment, Date.now),
    ...logSide.checks,
    ...canary.checks,
    drain.check,
  ];
}
