// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { MinuteCounts } from "../../domain/columns/minute-counts";
import { minuteOf } from "../../domain/event";
import { DAY_MS, HOUR_MS } from "../../domain/rules/time";
import { SqliteCounterStore } from "../../io/sqlite/counter-store";
import type { DataParameters } from "../data/data-files";
import { readFrames } from "../data/data-files";
import type { Bench, Measurement } from "../measurement";
import { below, type Figure, figure } from "../report";
import { defineTask, timed } from "../task";
import { audit } from "./audit";
import { directGraph } from "./direct";
import { mebibytes } from "./hot-path";
import { openStream } from "./stored-stream";

const HISTORY_VIDEOS = 2_000;
const READS = 2_000;

/** One minute of each of `days` days, with every video in it: a day, an hour and a total of each. */
function historyDay(startMs: number): MinuteCounts {
  const numbers = () => new Float64Array(HISTORY_VIDEOS);
  return {
    minute: minuteOf(startMs),
    videos: Array.from({ length: HISTORY_VIDEOS }, (_, video) => `video-${video}`),
    types: ["VIEW"],
    videoIndex: Uint32Array.from({ length: HISTORY_VIDEOS }, (_, video) => video),
    typeIndex: new Uint32Array(HISTORY_VIDEOS),
    counts: numbers().fill(3),
    valued: numbers(),
    sumHigh: numbers(),
    sumLow: numbers(),
    lastMsInMinute: new Uint16Array(HISTORY_VIDEOS),
  };
}

interface HistoryParameters {
  folder: string;
  days: number;
  startMs: number;
}

const writeHistory = defineTask(__filename, "write-history", async ({ folder, days, startMs }: HistoryParameters) => {
  mkdirSync(folder, { recursive: true });
  const counters = new SqliteCounterStore({ folder });
  for (let day = days; day > 0; day--) await counters.apply([historyDay(startMs - day * DAY_MS)]);
  await counters.close();
});

/** A pass over new events, and reads of what has a history. */
const passAndReads = defineTask(
  __filename,
  "pass-and-reads",
  async ({ folder, frames, startMs }: { folder: string; frames: string; startMs: number }) => {
    const stream = await openStream(folder);
    await stream.append(readFrames(frames));
    const pass = await timed(() => stream.count());
    const { counters } = stream.deps;
    const read = async (ask: (video: string) => Promise<unknown>) => {
      const { cpuS } = await timed(async () => {
        for (let n = 0; n < READS; n++) await ask(`video-${n % HISTORY_VIDEOS}`);
      });
      return (cpuS * 1e6) / READS;
    };
    return {
      passS: pass.cpuS,
      totalUs: await read((video) => counters.totals(video)),
      hourUs: await read((video) => counters.read(video, "VIEW", startMs - HOUR_MS, startMs, "minute")),
      fileBytes: statSync(join(folder, "counters.sqlite")).size,
    };
  },
);

interface Grown {
  name: string;
  title: string;
  unit: string;
  small: number;
  large: number;
  goal?: number;
}

function grown({ name, title, unit, small, large, goal }: Grown, times = 10): Figure[] {
  const ratio = large / small;
  const exponent = Math.log(ratio) / Math.log(times);
  return [
    figure(`growth/${name}`, title, unit, large, { baselines: { [`a ${times}th of it`]: small } }),
    figure(`growth/${name}-exponent`, `${title}: exponent`, "", exponent),
    figure(`growth/${name}-ratio`, `${title}: ratio`, "x", ratio, goal === undefined ? {} : { goal: below(goal) }),
  ];
}

async function counted(bench: Bench, data: DataParameters) {
  const { result, usage } = await bench.task(directGraph, {
    frames: await bench.file("frames", data),
    data,
    store: bench.newFolder(),
  });
  return { cpuS: result.cpuS, rss: mebibytes(usage.peakRssBytes) };
}

async function withHistory(bench: Bench, days: number) {
  const folder = bench.newFolder();
  const data = { ...bench.data, events: bench.parameters.growthEvents / 10, videos: HISTORY_VIDEOS, minutes: 1 };
  await bench.task(writeHistory, { folder, days, startMs: data.startMs });
  const frames = await bench.file("frames", data);
  const { result } = await bench.task(passAndReads, { folder, frames, startMs: data.startMs });
  const fromMs = Math.floor(data.startMs / HOUR_MS) * HOUR_MS;
  const { result: audited } = await bench.task(audit, { folder, fromMs, toMs: fromMs + HOUR_MS });
  if (audited.outcome !== "equal" || audited.cellsCompared === 0)
    throw new Error(`the audit of the hour should be equal: ${JSON.stringify(audited)}`);
  const { result: whole } = await bench.task(audit, { folder });
  return { ...result, auditS: audited.cpuS, wholeAuditS: whole.cpuS };
}

type OfHistory = Awaited<ReturnType<typeof withHistory>>;

function historyFigures(short: OfHistory, long: OfHistory): Figure[] {
  return [
    ...grown({
      name: "history-pass",
      title: "CPU of a pass, history x10",
      unit: "s",
      small: short.passS,
      large: long.passS,
      goal: 1.1,
    }),
    ...grown({
      name: "history-audit",
      title: "CPU of an audit of its hour, history x10",
      unit: "s",
      small: short.auditS,
      large: long.auditS,
      goal: 1.1,
    }),
    ...grown({
      name: "history-whole-audit",
      title: "CPU of an audit of everything, history x10",
      unit: "s",
      small: short.wholeAuditS,
      large: long.wholeAuditS,
      goal: 10.5,
    }),
    ...grown({
      name: "history-total",
      title: "CPU of a total, history x10",
      unit: "us",
      small: short.totalUs,
      large: long.totalUs,
      goal: 1.1,
    }),
    ...grown({
      name: "history-hour",
      title: "CPU of 60 minutes, history x10",
      unit: "us",
      small: short.hourUs,
      large: long.hourUs,
      goal: 1.1,
    }),
    ...grown({
      name: "history-file",
      title: "file size, history x10",
      unit: "MiB",
      small: mebibytes(short.fileBytes),
      large: mebibytes(long.fileBytes),
    }),
  ];
}

/** Ten times the events, the videos, the history, one after the other: what each costs then. */
export const measurement: Measurement = {
  name: "growth",
  title: "Growth: ten times the events, the videos, the days of history",
  onlyByName: true,
  async run(bench: Bench) {
    const { growthEvents, growthDays, videos } = bench.parameters;
    const data = { ...bench.data, events: growthEvents };
    const large = await counted(bench, data);
    // A tenth of the time with it: events a minute stay what they are.
    const fewEvents = await counted(bench, { ...data, events: growthEvents / 10, minutes: data.minutes / 10 });
    const fewVideos = await counted(bench, { ...data, videos: videos / 10 });
    const short = await withHistory(bench, growthDays / 10);
    const long = await withHistory(bench, growthDays);
    const figures = [
      ...grown({
        name: "events-cpu",
        title: "CPU, events x10",
        unit: "s",
        small: fewEvents.cpuS,
        large: large.cpuS,
        goal: 10.5,
      }),
      ...grown({
        name: "events-rss",
        title: "peak memory, events x10",
        unit: "MiB",
        small: fewEvents.rss,
        large: large.rss,
      }),
      ...grown({ name: "videos-cpu", title: "CPU, videos x10", unit: "s", small: fewVideos.cpuS, large: large.cpuS }),
      ...grown({
        name: "videos-rss",
        title: "peak memory, videos x10",
        unit: "MiB",
        small: fewVideos.rss,
        large: large.rss,
      }),
      ...historyFigures(short, long),
    ];
    return { figures, facts: { short, long } };
  },
};
