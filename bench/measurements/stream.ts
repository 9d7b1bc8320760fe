// SPDX-License-Identifier: Apache-2.0
import { readFrames } from "../data/data-files";
import type { Bench, Measurement } from "../measurement";
import { below, figure } from "../report";
import { defineTask, timed } from "../task";
import { mebibytes } from "./hot-path";
import { openStream } from "./stored-stream";

interface StreamParameters {
  frames: string;
  folder: string;
}

export const fillLog = defineTask(__filename, "fill-log", async ({ frames, folder }: StreamParameters) => {
  const stream = await openStream(folder);
  await stream.append(readFrames(frames));
});

/** The embedded stream over a log that waits for it. */
export const countLog = defineTask(__filename, "count-log", async ({ folder }: { folder: string }) => {
  const stream = await openStream(folder);
  const { value, wallS, cpuS } = await timed(() => stream.count());
  return { ...value, wallS, cpuS };
});

/**
 * One more batch for minutes that an earlier process counted: nothing of them is in memory, so they are counted whole
 * from the archive.
 */
const recount = defineTask(__filename, "recount", async ({ frames, folder }: StreamParameters) => {
  const stream = await openStream(folder);
  await stream.append(readFrames(frames));
  const { value, wallS, cpuS } = await timed(() => stream.count());
  return { ...value, wallS, cpuS };
});

const HEAVY_GOAL_MIB = 1e9 / 2 ** 20;

async function heavyMinute(bench: Bench) {
  const { heavyMinuteEvents, batchEvents, seed } = bench.parameters;
  const minute = { ...bench.data, minutes: 1 };
  const frames = await bench.file("frames", { ...minute, events: heavyMinuteEvents, seed: seed + 5 });
  const more = await bench.file("frames", { ...minute, events: batchEvents, seed: seed + 6 });
  const folder = bench.newFolder();
  await bench.task(fillLog, { frames, folder });
  const { result: first } = await bench.task(countLog, { folder });
  const { result, usage } = await bench.task(recount, { frames: more, folder });
  const title = `recount of a minute of ${heavyMinuteEvents.toLocaleString("en-US")} events`;
  const figures = [
    figure("stream/heavy-minute-peak-rss", `${title}: peak memory`, "MiB", mebibytes(usage.peakRssBytes), {
      goal: below(HEAVY_GOAL_MIB),
    }),
    figure("stream/heavy-minute", `${title}: time`, "s", result.wallS),
  ];
  return { figures, facts: { first, recount: result } };
}

export const measurement: Measurement = {
  name: "stream",
  title: "Embedded stream: log to archive to SQLite, and a heavy minute counted again from the archive",
  async run(bench: Bench) {
    const events = Math.ceil(bench.parameters.events / 2);
    const frames = await bench.file("frames", { ...bench.data, events });
    const folder = bench.newFolder();
    await bench.task(fillLog, { frames, folder });
    const { result, usage } = await bench.task(countLog, { folder });
    const heavy = await heavyMinute(bench);
    const figures = [
      figure("stream/events-per-s", "passes over a waiting log: events per second", "events/s", events / result.wallS),
      figure(
        "stream/events-per-cpu-s",
        "passes over a waiting log: events per CPU-second",
        "events/CPU-s",
        events / result.cpuS,
      ),
      figure("stream/peak-rss", "passes over a waiting log: peak memory", "MiB", mebibytes(usage.peakRssBytes)),
      ...heavy.figures,
    ];
    return { figures, facts: { passes: result, heavy: heavy.facts } };
  },
};
