// SPDX-License-Identifier: Apache-2.0
/**
 * The process of the embedded stream: a child of `serve`, so that counting never slows ingest and reads, and can crash
 * alone. Its settings are the first argument (JSON). It reports each pass to its parent and ends when the parent does.
 */

import { NO_LATENESS } from "../../domain/rules/lateness";
import { MINUTE_MS } from "../../domain/rules/time";
import { provideResource } from "../../engine";
import { splitLedger } from "../../io/cluster/split-ledger";
import { waitForLock } from "../../io/sqlite/data-folder";
import { SqliteLedger } from "../../io/sqlite/ledger";
import { SqliteLogReader } from "../../io/sqlite/log-reader";
import { DeferredRanges } from "../../pipelines/embedded/deferred-ranges";
import { EmbeddedPaneCache } from "../../pipelines/embedded/pane-cache";
import type { PassResult } from "../../pipelines/embedded/pass";
import { runStream, type StreamOptions } from "../../pipelines/embedded/stream";
import { RESOURCES } from "../../transforms/resource-names";
import { collectGarbage } from "../collect-garbage";
import type { Settings } from "../config/schema";
import { type DeploymentSections, openDeployment } from "../deployment/deployment";
import type { StreamIdentity } from "../deployment/stream-identity";
import { commandLine } from "../environment";
import { runBelowRequests } from "./below-requests";

export interface StreamProcessSettings {
  config: DeploymentSections & Settings<"stream">;
  identity: StreamIdentity;
}

/** The reports of the process to its parent. */
export type StreamReport =
  | { kind: "started"; position: number }
  | { kind: "waiting"; reason: string; waitMs: number }
  | {
      kind: "pass";
      position: number;
      events: number;
      minutes: number;
      recounted: number;
      left: PassResult["left"];
      tookMs: number;
    };

const LOCK_DEADLINE_MS = MINUTE_MS;
const POLL_INTERVAL_MS = 100;
/**
 * The number of events, about a second's work, at which a run stops that counts more than one minute again from the
 * archive.
 */
const MAX_RECOUNT_EVENTS = 250_000;
const PIPELINE_LOCK = "pipeline";

async function main({ config, identity }: StreamProcessSettings): Promise<void> {
  runBelowRequests();
  const stop = new AbortController();
  process.on("disconnect", () => stop.abort());
  process.on("SIGTERM", () => stop.abort());
  process.on("SIGINT", () => {});
  const folder = config.data;
  // A stream whose parent was killed may still be finishing its pass. Two at once would be safe, but wasteful.
  await waitForLock(folder, PIPELINE_LOCK, { deadlineMs: LOCK_DEADLINE_MS, signal: stop.signal });
  const deployment = await openDeployment(config, "threaded");
  const { archive, counters, deadLetters } = deployment;
  const checkpoints = new SqliteLedger({ folder });
  const ledger = config.counters.kind === "sqlite" ? checkpoints : splitLedger(checkpoints, deployment.ledger);
  const panes = new EmbeddedPaneCache(config.stream.maxRetainedIds);
  provideResource(RESOURCES.archive, archive);
  provideResource(RESOURCES.counterStore, counters);
  provideResource(RESOURCES.ledger, ledger);
  provideResource(RESOURCES.deadLetters, deadLetters);
  provideResource(RESOURCES.paneCache, panes);
  report({ kind: "started", position: await ledger.countedThrough() });
  const log = new SqliteLogReader({ folder });
  collectGarbage();
  await runStream(
    { log, archive, ledger, deadLetters, panes, deferredRanges: new DeferredRanges() },
    streamOptions(config, identity),
    stop.signal,
    {
      onPass: (result, tookMs) => report({ kind: "pass", ...result, tookMs }),
      onWait: (error, waitMs) => report({ kind: "waiting", reason: error.message, waitMs }),
    },
  );
  await Promise.all([deployment.close(), checkpoints.close(), log.close()]);
}

function streamOptions(
  { stream, lateness }: Settings<"lateness" | "stream">,
  { writer, videoShards }: StreamIdentity,
): StreamOptions {
  return {
    writer,
    maxEntries: stream.maxPassEntries,
    maxBytes: stream.maxPassBytes,
    maxMinutes: stream.maxPassMinutes,
    maxRecountEvents: MAX_RECOUNT_EVENTS,
    minPassIntervalMs: stream.minPassIntervalMs,
    maxCpuShare: stream.maxCpuShare,
    pollIntervalMs: POLL_INTERVAL_MS,
    finalAfterMs: lateness.finalAfterMinutes * MINUTE_MS,
    counting: {
      dedupePartitions: stream.dedupePartitions,
      videoShards,
      allowedLatenessMs: NO_LATENESS,
      followCorrections: true,
      paneCache: RESOURCES.paneCache,
    },
  };
}

function report(message: StreamReport): void {
  if (process.connected) process.send?.(message);
}

if (require.main === module) {
  main(JSON.parse(commandLine()[2] ?? "{}") as StreamProcessSettings).then(
    () => process.exit(0),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
      process.exit(1);
    },
  );
}
