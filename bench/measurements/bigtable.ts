// SPDX-License-Identifier: Apache-2.0
import type { MinuteCounts } from "../../domain/columns/minute-counts";
import { MINUTE_MS } from "../../domain/rules/time";
import type { BigtableConfig } from "../../io/bigtable/config";
import { BigtableCounterStore } from "../../io/bigtable/counter-store";
import { BigtableLedger } from "../../io/bigtable/ledger";
import { createTables } from "../../io/bigtable/tables";
import { startBigtableEmulator } from "../../servers/bigtable-emulator";
import { summaryOf } from "../load/latencies";
import type { Bench, Measurement } from "../measurement";
import { atLeast, below, figure } from "../report";
import { defineTask, timed } from "../task";
import { mebibytes } from "./hot-path";

const APPLY_GOAL = 3_000;
const READ_GOAL_MS = 10;
const HOURS_GOAL_MS = 40;
const CALLS_A_MINUTE = 8;
const HOURS = 30 * 24;
const VIDEOS_WITH_HISTORY = 20;
const FIRST_MINUTE = Date.UTC(2026, 10, 21, 10) / MINUTE_MS;

interface Load {
  config: BigtableConfig;
  videos: number;
  minutes: number;
  reads: number;
}

/** Returns the cells of a pane for a shard of videos: one cell each. */
function minuteOf(minute: number, fromVideo: number, toVideo: number): MinuteCounts {
  const cells = toVideo - fromVideo;
  return {
    minute,
    videos: Array.from({ length: cells }, (_, n) => `video-${fromVideo + n}`),
    types: ["VIEW"],
    videoIndex: Uint32Array.from({ length: cells }, (_, n) => n),
    typeIndex: new Uint32Array(cells),
    counts: new Float64Array(cells).fill(50),
    sumHigh: new Float64Array(cells),
    sumLow: new Float64Array(cells).fill(30_000),
    valued: new Float64Array(cells).fill(50),
    lastMsInMinute: new Uint16Array(cells).fill(59_000),
    received: new Float64Array(cells).fill(52),
  };
}

const write = defineTask(__filename, "bigtable-write", async ({ config, videos, minutes }: Load) => {
  const store = new BigtableCounterStore(config);
  const share = Math.ceil(videos / CALLS_A_MINUTE);
  // The first minute reads every row once: it is measured apart.
  const minute = async (n: number) => {
    const calls = Array.from({ length: CALLS_A_MINUTE }, (_, call) =>
      store.apply([minuteOf(FIRST_MINUTE + n, call * share, Math.min(videos, (call + 1) * share))]),
    );
    await Promise.all(calls);
  };
  const cold = await timed(() => minute(0));
  const warm = await timed(async () => {
    for (let n = 1; n < minutes; n++) await minute(n);
  });
  const history = Array.from({ length: HOURS }, (_, n) => minuteOf(FIRST_MINUTE - n * 60, 0, VIDEOS_WITH_HISTORY));
  await store.apply(history);
  await store.close();
  return { cold, warm };
});

const read = defineTask(__filename, "bigtable-read", async ({ config, videos, reads }: Load) => {
  const store = new BigtableCounterStore(config);
  const ledger = new BigtableLedger(config);
  const latencies = async (requests: number, one: (n: number) => Promise<unknown>) => {
    const taken: number[] = [];
    for (let n = 0; n < requests + 20; n++) {
      const start = performance.now();
      await one(n);
      if (n >= 20) taken.push(performance.now() - start);
    }
    return summaryOf(taken);
  };
  const video = (n: number) => `video-${(n * 7) % videos}`;
  const at = FIRST_MINUTE * MINUTE_MS;
  const hour = 3_600_000;
  await fillLedger(ledger);
  const result = {
    total: await latencies(reads, (n) => store.totals(video(n))),
    minutes: await latencies(reads, (n) => store.read(video(n), "VIEW", at - hour / 2, at + hour / 2, "minute")),
    hours: await latencies(reads / 4, (n) =>
      store.read(`video-${n % VIDEOS_WITH_HISTORY}`, "VIEW", at - (HOURS - 1) * hour, at + hour, "hour"),
    ),
    top: await latencies(reads / 20, () => store.top("VIEW", at, at + hour, 10)),
    ledger: await latencies(reads / 4, () => ledger.books(FIRST_MINUTE - 60, FIRST_MINUTE)),
    audited: await latencies(reads / 4, () => ledger.auditedCounts(FIRST_MINUTE - HOURS * 60, FIRST_MINUTE, 60)),
  };
  await Promise.all([store.close(), ledger.close()]);
  return result;
});

/** An hour with 16 parts a minute, and a month of hours that are audited. */
async function fillLedger(ledger: BigtableLedger): Promise<void> {
  const rows = Array.from({ length: 60 * 16 }, (_, n) => ({
    minute: FIRST_MINUTE - 1 - (n % 60),
    part: Math.floor(n / 60),
    received: 1_000,
    counted: 950,
    duplicate: 50,
    late: 0,
    reusedIds: 0,
  }));
  const objects = Array.from({ length: 60 }, (_, n) => ({
    name: `object-${n}.avro`,
    minute: FIRST_MINUTE - 60 + n,
    events: 16_000,
    sizeBytes: 300_000,
  }));
  await ledger.writeRows(rows);
  await ledger.addObjects(
    objects,
    objects.map(({ minute }) => minute),
  );
  const toMinute = FIRST_MINUTE - 60;
  await ledger.markAudited({ fromMinute: toMinute - HOURS * 60, toMinute, sequences: new Map(), except: [] });
}

export const measurement: Measurement = {
  name: "bigtable",
  onlyByName: true,
  title: "Counters and ledger on the Bigtable emulator",
  async run(bench: Bench) {
    const emulator = await startBigtableEmulator();
    try {
      const config = { projectId: "bench", instanceId: "bench", emulatorHost: emulator.host };
      await createTables(config);
      const { quick } = bench.parameters;
      const load = { config, videos: quick ? 200 : 3_000, minutes: quick ? 3 : 20, reads: quick ? 40 : 1_000 };
      const written = await bench.task(write, load);
      const { result } = await bench.task(read, load);
      const { cold, warm } = written.result;
      const warmCells = load.videos * (load.minutes - 1);
      const title = "video-minutes applied with all levels, one process";
      const figures = [
        figure("bigtable/applied-per-s", title, "cells/s", warmCells / warm.wallS, { goal: atLeast(APPLY_GOAL) }),
        figure("bigtable/applied-per-cpu-s", `${title}, per its CPU second`, "cells/s", warmCells / warm.cpuS),
        figure("bigtable/first-applied-per-s", `${title}, rows not known`, "cells/s", load.videos / cold.wallS),
        figure("bigtable/total-p99", "totals of a video, p99", "ms", result.total.p99Ms, { goal: below(READ_GOAL_MS) }),
        figure("bigtable/minutes-p99", "60 minutes, p99", "ms", result.minutes.p99Ms, { goal: below(READ_GOAL_MS) }),
        figure("bigtable/hours-p99", "30 days of hours, p99", "ms", result.hours.p99Ms, { goal: below(HOURS_GOAL_MS) }),
        figure("bigtable/top-p50", `top of an hour of ${load.videos} videos, p50`, "ms", result.top.p50Ms),
        figure("bigtable/ledger-p99", "ledger of 60 minutes, p99", "ms", result.ledger.p99Ms),
        figure("bigtable/audited-p99", "audited minutes of 720 hours, p99", "ms", result.audited.p99Ms),
        figure("bigtable/writer-rss", "peak memory of the writer", "MiB", mebibytes(written.usage.peakRssBytes)),
      ];
      return { figures, facts: { ...written.result, ...result } };
    } finally {
      await emulator.stop();
    }
  },
};
