// SPDX-License-Identifier: Apache-2.0
import { mkdirSync } from "node:fs";
import type { MinuteCounts } from "../../domain/columns/minute-counts";
import { minuteOf } from "../../domain/event";
import { FromResource, generate, provideResource, runDirect, withdrawResource } from "../../engine";
import { ThreadedCounterStore } from "../../io/sqlite/counter-writer";
import { SqliteDeadLetters } from "../../io/sqlite/dead-letters";
import { SqliteLedger } from "../../io/sqlite/ledger";
import { countingGraph } from "../../pipelines/counting-graph";
import { EmbeddedPaneCache } from "../../pipelines/embedded/pane-cache";
import type { BatchMessage, Message } from "../../transforms/elements";
import { RESOURCES } from "../../transforms/resource-names";
import { type CountsDigest, cellsOf, digestOf } from "../data/counts-digest";
import { type DataParameters, readFrames } from "../data/data-files";
import type { Bench, Measurement } from "../measurement";
import { atLeast, type Figure, figure } from "../report";
import { defineTask, type Timed, timed } from "../task";
import { mebibytes } from "./hot-path";
import { countFromBatches } from "./naive-count";

const MESSAGES = "bench/messages";
/** The embedded stream's defaults. */
const BATCHES_A_RUN = 2_000;
const RETAINED_IDS = 6_000_000;

interface DirectParameters {
  frames: string;
  data: DataParameters;
  /** The folder of SQLite's files; absent: the last transform drops the counts. */
  store?: string;
  /** The counts are not hashed: another run's were. */
  unchecked?: boolean;
}

interface DirectResult {
  wallS: number;
  cpuS: number;
  digest: CountsDigest | undefined;
}

/**
 * The counting graph on the direct runner, run after run over some 1,000,000 events each, with open panes kept as the
 * embedded stream keeps them.
 */
export const directGraph = defineTask(
  __filename,
  "direct",
  async ({ frames, data, store, unchecked }: DirectParameters): Promise<DirectResult> => {
    provideResource(RESOURCES.paneCache, new EmbeddedPaneCache(RETAINED_IDS));
    if (store === undefined) {
      provideResource(RESOURCES.counterStore, { apply: async () => ({ written: 0, unchanged: 0 }) });
      provideResource(RESOURCES.ledger, { writeRows: async () => undefined });
      return { ...times(await timed(() => runGraphs(frames))), digest: undefined };
    }
    mkdirSync(store, { recursive: true });
    const counters = new ThreadedCounterStore({ folder: store });
    provideResource(RESOURCES.counterStore, counters);
    provideResource(RESOURCES.ledger, new SqliteLedger({ folder: store }));
    provideResource(RESOURCES.deadLetters, new SqliteDeadLetters({ folder: store }));
    const taken = times(await timed(() => runGraphs(frames)));
    if (unchecked === true) return { ...taken, digest: undefined };
    const first = minuteOf(data.startMs);
    return { ...taken, digest: await storedDigest(counters, first, first + data.minutes) };
  },
);

const times = ({ wallS, cpuS }: Timed<unknown>) => ({ wallS, cpuS });

async function runGraphs(frames: string): Promise<void> {
  const source = readFrames(frames);
  for (;;) {
    const messages: BatchMessage[] = [];
    while (messages.length < BATCHES_A_RUN) {
      const next = source.next();
      if (next.done === true) break;
      messages.push({ kind: "batch", payload: next.value });
    }
    if (messages.length === 0) return;
    provideResource(MESSAGES, messages);
    try {
      await runDirect((root) => {
        const all = generate(root, "Messages", new FromResource<Message>(MESSAGES));
        countingGraph(all, {
          dedupePartitions: 1,
          videoShards: 1,
          allowedLatenessMs: -1,
          followCorrections: true,
          paneCache: RESOURCES.paneCache,
          writtenCells: "",
          inProcess: true,
        });
      });
    } finally {
      withdrawResource(MESSAGES);
    }
  }
}

export async function storedDigest(
  counters: ThreadedCounterStore,
  fromMinute: number,
  toMinute: number,
): Promise<CountsDigest> {
  const stored: MinuteCounts[] = [];
  for await (const minute of counters.minuteCells(fromMinute, toMinute)) stored.push(minute);
  return digestOf(cellsOf(stored));
}

export const measurement: Measurement = {
  name: "direct",
  title: "Direct runner: the counting graph from batches to SQLite, minute, hour, day and total",
  async run(bench: Bench) {
    const { events } = bench.parameters;
    const { data } = bench;
    const frames = await bench.file("frames");
    const stored = await bench.task(directGraph, { frames, data, store: bench.newFolder() });
    const discarded = await bench.task(directGraph, { frames, data });
    const naive = await bench.task(countFromBatches, { frames });
    const figures: Figure[] = [
      figure("direct/events-per-s", "events per second, ending in SQLite", "events/s", events / stored.result.wallS, {
        goal: atLeast(400_000),
        baselines: { "JavaScript Map/Set, memory only": events / naive.result.wallS },
      }),
      figure(
        "direct/events-per-cpu-s",
        "events per CPU-second, ending in SQLite",
        "events/CPU-s",
        events / stored.result.cpuS,
        { baselines: { "JavaScript Map/Set, memory only": events / naive.result.cpuS } },
      ),
      figure(
        "direct/events-per-s-no-store",
        "events per second, counts thrown away at the last transform",
        "events/s",
        events / discarded.result.wallS,
      ),
      figure("direct/store-s", "seconds that SQLite adds", "s", stored.result.wallS - discarded.result.wallS),
      figure(
        "direct/cells-per-s",
        "minute cells a second that SQLite adds",
        "cells/s",
        cellsPerSecond(stored.result, discarded.result),
      ),
      figure("direct/peak-rss", "peak memory", "MiB", mebibytes(stored.usage.peakRssBytes)),
    ];
    return { figures, facts: { digests: { viewmill: stored.result.digest, naiveBatches: naive.result.digest } } };
  },
};

function cellsPerSecond(stored: DirectResult, discarded: DirectResult): number {
  return (stored.digest?.cells ?? 0) / Math.max(1e-9, stored.wallS - discarded.wallS);
}
