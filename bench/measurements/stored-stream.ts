// SPDX-License-Identifier: Apache-2.0
/**
 * A data folder that the embedded stream has counted, and the passes that do it, in this process. The measurements of
 * the stream and of audits share it.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { countByMinute } from "../../domain/columns/event-columns";
import { DAY_MS } from "../../domain/rules/time";
import { provideResource } from "../../engine";
import { DirectoryArchive } from "../../io/directory/archive";
import { decodeBatch } from "../../io/formats/avro/batch";
import { ThreadedCounterStore } from "../../io/sqlite/counter-writer";
import { SqliteDeadLetters } from "../../io/sqlite/dead-letters";
import { SqliteEventLog } from "../../io/sqlite/event-log";
import { SqliteLedger } from "../../io/sqlite/ledger";
import { DeferredRanges } from "../../pipelines/embedded/deferred-ranges";
import { EmbeddedPaneCache } from "../../pipelines/embedded/pane-cache";
import { type PassDependencies, type PassOptions, runPass, runSlice } from "../../pipelines/embedded/pass";
import { RESOURCES } from "../../transforms/resource-names";

const RETAINED_IDS = 6_000_000;
const APPENDS_IN_FLIGHT = 64;

/** The embedded stream's defaults. */
const PASS: PassOptions = {
  writer: "stream",
  maxEntries: 2_000,
  maxBytes: 64 << 20,
  maxMinutes: 128,
  maxRecountEvents: 250_000,
  // The events are of a day in the past: to a live stream no minute is final when its events come.
  finalAfterMs: 30 * DAY_MS,
  counting: {
    dedupePartitions: 1,
    videoShards: 1,
    allowedLatenessMs: -1,
    followCorrections: true,
    paneCache: RESOURCES.paneCache,
  },
};

interface StoredStream {
  deps: PassDependencies & { log: SqliteEventLog; counters: ThreadedCounterStore };
  append(payloads: Iterable<Buffer>): Promise<void>;
  /** Pass after pass until the log has nothing new. */
  count(): Promise<{ passes: number; events: number; recounted: number }>;
}

/** Opens the data folder as `serve` and its stream process do. */
export async function openStream(folder: string): Promise<StoredStream> {
  mkdirSync(folder, { recursive: true });
  const log = await SqliteEventLog.open({ folder });
  const deps = {
    log,
    archive: new DirectoryArchive({ folder: join(folder, "archive") }),
    counters: new ThreadedCounterStore({ folder }),
    ledger: new SqliteLedger({ folder }),
    deadLetters: new SqliteDeadLetters({ folder }),
    panes: new EmbeddedPaneCache(RETAINED_IDS),
    deferredRanges: new DeferredRanges(),
  };
  provideResource(RESOURCES.archive, deps.archive);
  provideResource(RESOURCES.counterStore, deps.counters);
  provideResource(RESOURCES.ledger, deps.ledger);
  provideResource(RESOURCES.deadLetters, deps.deadLetters);
  provideResource(RESOURCES.paneCache, deps.panes);
  return {
    deps,
    append: (payloads) => appendAll(log, payloads),
    count: async () => {
      const done = { passes: 0, events: 0, recounted: 0 };
      const next = async () => (await runPass(deps, PASS)) ?? runSlice(deps, PASS);
      for (let pass = await next(); pass !== undefined; pass = await next()) {
        done.passes++;
        done.events += pass.events;
        done.recounted += pass.recounted;
      }
      return done;
    },
  };
}

async function appendAll(log: SqliteEventLog, payloads: Iterable<Buffer>): Promise<void> {
  const inFlight: Promise<unknown>[] = [];
  for (const payload of payloads) {
    const { columns } = decodeBatch(payload);
    inFlight.push(log.append({ payload, events: columns.count, acceptedByMinute: countByMinute(columns) }));
    if (inFlight.length >= APPENDS_IN_FLIGHT) await inFlight.shift();
  }
  await Promise.all(inFlight);
}
