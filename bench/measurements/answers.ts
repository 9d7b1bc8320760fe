// SPDX-License-Identifier: Apache-2.0
/** Answers of the embedded store over a year of counts, beside Redis with the same counters and DuckDB over Parquet. */

import { once } from "node:events";
import { createWriteStream, mkdirSync, rmSync } from "node:fs";
import { MINUTE_MS, MINUTES_A_DAY } from "../../domain/rules/time";
import { BATCH_CONTENT_TYPE } from "../../intake/take-batch";
import type { VideoCount } from "../../io/ports";
import { SqliteCounterStore } from "../../io/sqlite/counter-store";
import { SqliteCounterReader } from "../../io/sqlite/reader-thread";
import {
  type CountedMinute,
  csvLines,
  HOURLY_DAYS,
  LASTING_VIDEOS,
  MONTH_DAYS,
  minuteCounts,
  YEAR_DAYS,
  type YearLoad,
  yearOfCells,
} from "../data/year-of-cells";
import { duckdbAnswers, redisAnswers } from "../load/answer-peers";
import { type LatencySummary, summaryOf } from "../load/latencies";
import { probeAnswers } from "../load/probe-answers";
import { sendBodies } from "../load/send-bodies";
import { auditedAtStart, processTree, startService } from "../load/service";
import { readTotals } from "../load/single-events";
import type { Bench, Measurement } from "../measurement";
import { atLeast, below, type Figure, figure } from "../report";
import { defineTask, timed } from "../task";

const READS = 2_000;
const RANKINGS = 100;
const LIMIT = 10;
const MINUTES_AT_ONCE = 24;
const HOT_P99_MS = 10;
const TOP_P99_MS = 20;
const READS_A_CORE_SECOND = 20_000;

export interface Answered {
  latency: LatencySummary;
  cpuMs: number;
}

interface Kind {
  name: string;
  title: string;
  rounds: number;
  goalMs: number;
  ask(reader: SqliteCounterReader, round: number, endMs: number): Promise<unknown>;
}

const DAY_MS = MINUTES_A_DAY * MINUTE_MS;
const lasting = (round: number): string => `video-${round % LASTING_VIDEOS}`;
const top = (name: string, title: string, lengthMs: number): Kind => ({
  name,
  title,
  rounds: RANKINGS,
  goalMs: TOP_P99_MS,
  ask: (reader, _round, endMs) => reader.top("VIEW", endMs - lengthMs, endMs, LIMIT),
});

const KINDS: readonly Kind[] = [
  {
    name: "total",
    title: "total of a video",
    rounds: READS,
    goalMs: HOT_P99_MS,
    ask: (reader, round) => reader.totals(`video-${(round * 7_919) % 10_000}`),
  },
  {
    name: "hour",
    title: "60 minutes of a video",
    rounds: READS,
    goalMs: HOT_P99_MS,
    ask: (reader, round, endMs) => reader.read(lasting(round), "VIEW", endMs - 60 * MINUTE_MS, endMs, "minute"),
  },
  {
    name: "quarter",
    title: `${HOURLY_DAYS} days of hours of a video`,
    rounds: READS / 10,
    goalMs: HOT_P99_MS,
    ask: (reader, round, endMs) => reader.read(lasting(round), "VIEW", endMs - HOURLY_DAYS * DAY_MS, endMs, "hour"),
  },
  {
    name: "year",
    title: "a year of days of a video",
    rounds: READS / 10,
    goalMs: HOT_P99_MS,
    ask: (reader, round, endMs) => reader.read(lasting(round), "VIEW", endMs - YEAR_DAYS * DAY_MS, endMs, "day"),
  },
  top("top-hour", "top 10 of an hour", 60 * MINUTE_MS),
  top("top-day", "top 10 of a day", DAY_MS),
  top("top-month", "top 10 of a month", MONTH_DAYS * DAY_MS),
];

/** The store, and the same cells as CSV. */
const fill = defineTask(
  __filename,
  "answers-fill",
  async ({ folder, csv, load }: { folder: string; csv: string; load: YearLoad }) => {
    mkdirSync(folder, { recursive: true });
    const store = new SqliteCounterStore({ folder });
    const file = createWriteStream(csv);
    let cells = 0;
    let waiting: CountedMinute[] = [];
    const flush = async () => {
      await store.apply(waiting.map(minuteCounts));
      waiting = [];
    };
    for (const minute of yearOfCells(load)) {
      cells += minute.counts.size;
      waiting.push(minute);
      if (!file.write(csvLines(minute))) await once(file, "drain");
      if (waiting.length >= MINUTES_AT_ONCE) await flush();
    }
    await flush();
    file.end();
    await once(file, "close");
    await store.close();
    return { cells };
  },
);

const ask = defineTask(__filename, "answers-ask", async ({ folder, endMs }: { folder: string; endMs: number }) => {
  const reader = new SqliteCounterReader({ folder });
  const answered: Record<string, Answered> = {};
  const tops: Record<string, readonly VideoCount[]> = {};
  for (const { name, rounds, ask: question } of KINDS) {
    const latenciesMs: number[] = [];
    const { cpuS } = await timed(async () => {
      for (let round = 0; round < rounds; round++) {
        const startedMs = performance.now();
        const answer = await question(reader, round, endMs);
        latenciesMs.push(performance.now() - startedMs);
        if (name.startsWith("top")) tops[name] = answer as readonly VideoCount[];
      }
    });
    answered[name] = { latency: summaryOf(latenciesMs), cpuMs: (cpuS * 1_000) / rounds };
  }
  await reader.close();
  return { answered, tops };
});

/** Reads of a service over the same store: one total for everybody, then mixed reads while events come in. */
async function served(bench: Bench, folder: string, videos: number) {
  const { mixedReadsPerSecond, mixedEventsPerSecond, mixedSeconds, singleRequests, batchEvents, seed } =
    bench.parameters;
  const service = await startService(folder);
  try {
    const { waitedMs } = await auditedAtStart(service.url);
    const cpuS = () => processTree(service.pid)[0]?.cpuS ?? Number.NaN;
    const before = cpuS();
    await bench.task(readTotals, {
      ...{ url: service.url, leadIn: 0, requests: singleRequests },
      ...{ connections: 64, videos: 1 },
    });
    const oneTotal = singleRequests / (cpuS() - before);
    const seconds = WARM_UP_SECONDS + mixedSeconds;
    const events = mixedEventsPerSecond * seconds;
    const data = { ...bench.data, events, minutes: seconds / 60, startMs: Date.now() + 2_000, seed: seed + 9 };
    const bodies = await bench.file("frames", data);
    const asked = { url: service.url, videos, seed };
    const probed = async () => {
      await bench.task(probeAnswers, { ...asked, readsPerSecond: mixedReadsPerSecond / 4, seconds: WARM_UP_SECONDS });
      const busy = cpuS();
      const reads = await bench.task(probeAnswers, {
        ...asked,
        readsPerSecond: mixedReadsPerSecond,
        seconds: mixedSeconds,
      });
      return { ...reads.result, cores: (cpuS() - busy) / mixedSeconds };
    };
    const [mixed, load] = await Promise.all([
      probed(),
      bench.task(sendBodies, {
        url: service.url,
        bodies,
        headers: { "Content-Type": BATCH_CONTENT_TYPE },
        connections: 4,
        bodiesPerSecond: mixedEventsPerSecond / batchEvents,
      }),
    ]);
    return {
      oneTotal,
      mixed,
      auditsAtStartMs: waitedMs,
      eventsPerSecond: load.result.acceptedEvents / load.result.wallS,
    };
  } finally {
    await service.stop();
  }
}

/** The reads begin at a quarter of their rate: a goal of hot reads is not one of a service that has just started. */
const WARM_UP_SECONDS = 10;

type Peers = Record<string, Record<string, Answered>>;

function figuresOf(answered: Record<string, Answered>, peers: Peers): Figure[] {
  return KINDS.flatMap(({ name, title, goalMs }) => {
    const beside = (of: (each: Answered) => number) =>
      Object.fromEntries(
        Object.entries(peers).flatMap(([peer, its]) => (its[name] === undefined ? [] : [[peer, of(its[name])]])),
      );
    const { latency, cpuMs } = answered[name]!;
    return [
      figure(`answers/${name}-p50`, `${title}, p50`, "ms", latency.p50Ms, {
        baselines: beside((each) => each.latency.p50Ms),
      }),
      figure(`answers/${name}-p99`, `${title}, p99`, "ms", latency.p99Ms, {
        goal: below(goalMs),
        baselines: beside((each) => each.latency.p99Ms),
      }),
      figure(`answers/${name}-cpu`, `${title}, CPU`, "ms", cpuMs),
    ];
  });
}

/** Throws where two systems rank differently. */
function assertEqual(ours: Record<string, readonly VideoCount[]>, theirs: Record<string, readonly VideoCount[]>): void {
  for (const [name, videos] of Object.entries(ours)) {
    if (JSON.stringify(videos) !== JSON.stringify(theirs[name]))
      throw new Error(`${name}: ${JSON.stringify(videos)} is not ${JSON.stringify(theirs[name])}`);
  }
}

export const measurement: Measurement = {
  name: "answers",
  title: "Answers over a year of counts, beside Redis and DuckDB over Parquet",
  onlyByName: true,
  async run(bench: Bench) {
    const { rankedVideos, rankedCellsAnHour, seed, mixedEventsPerSecond } = bench.parameters;
    const [folder, csv, parquet] = [bench.newFolder(), `${bench.newFolder()}.csv`, `${bench.newFolder()}.parquet`];
    const endMs = Math.floor(Date.now() / DAY_MS) * DAY_MS;
    const load = { videos: rankedVideos, cellsAnHour: rankedCellsAnHour, seed, endMinute: endMs / MINUTE_MS };
    const { result: filled } = await bench.task(fill, { folder, csv, load });
    const ours = await bench.task(ask, { folder, endMs });
    const asked = { endMinute: load.endMinute, rounds: RANKINGS, limit: LIMIT };
    const duck = await bench.task(duckdbAnswers, { ...asked, csv, parquet });
    const redis = await bench.task(redisAnswers, { ...asked, parquet, folder: bench.newFolder() });
    rmSync(csv);
    rmSync(parquet);
    assertEqual(ours.result.tops, duck.result.tops);
    const { oneTotal, mixed, auditsAtStartMs, eventsPerSecond } = await served(bench, folder, rankedVideos);
    const figures = [
      ...figuresOf(ours.result.answered, { Redis: redis.result.answered, "DuckDB over Parquet": duck.result.answered }),
      figure(
        "answers/one-total",
        "reads of one total that everybody asks for, a CPU-second of the process that answers",
        "reads/CPU-s",
        oneTotal,
        {
          goal: atLeast(READS_A_CORE_SECOND),
        },
      ),
      figure(
        "answers/mixed-p50",
        `mixed reads while ${mixedEventsPerSecond.toLocaleString("en-US")} events/s come in, p50`,
        "ms",
        mixed.p50Ms,
        { goal: below(1) },
      ),
      figure("answers/mixed-p99", "the same, p99", "ms", mixed.p99Ms, { goal: below(HOT_P99_MS) }),
      figure("answers/mixed-cores", "processor of the process that answers meanwhile", "cores", mixed.cores),
      figure("answers/mixed-events", "events taken meanwhile", "events/s", eventsPerSecond),
    ];
    return { figures, facts: { cells: filled.cells, tops: ours.result.tops, mixed, auditsAtStartMs } };
  },
};
