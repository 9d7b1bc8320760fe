// SPDX-License-Identifier: Apache-2.0
/**
 * The top of an hour, a day and a month on the Bigtable emulator. Cells and ranking index are written as rows, because
 * a million videos through the store would take an hour. The emulator looks at every row of a range for each page, so
 * that a scan of a million rows takes it half an hour; the scan is measured with few videos alone (`--quick`).
 */
import { DAY_MS, HOUR_MS } from "../../domain/rules/time";
import { cellMutations } from "../../io/bigtable/cells";
import type { BigtableConfig } from "../../io/bigtable/config";
import { BigtableConnection } from "../../io/bigtable/connection";
import { BigtableCounterStore } from "../../io/bigtable/counter-store";
import { type RankedFamily, type RankMove, rankRows } from "../../io/bigtable/rank-rows";
import type { RowMutation } from "../../io/bigtable/requests";
import {
  DAY_FAMILY,
  HOUR_FAMILY,
  hourText,
  MONTH_FAMILY,
  summaryRowKey,
  TOTAL_FAMILY,
} from "../../io/bigtable/row-keys";
import { mutateRows } from "../../io/bigtable/rows";
import { createTables } from "../../io/bigtable/tables";
import type { VideoCount } from "../../io/ports";
import { startBigtableEmulator } from "../../servers/bigtable-emulator";
import { type LatencySummary, summaryOf } from "../load/latencies";
import type { Bench, Measurement } from "../measurement";
import { below, figure } from "../report";
import { defineTask, timed } from "../task";

const GOAL_MS = 50;
/** Two months of cells; the last 30 days are asked for. */
const DAYS = 60;
const MONTH_DAYS = 30;
const END_MS = Date.UTC(2026, 10, 29);
const LIMIT = 10;
/** The most watched video has about these many events in a day and in an hour; the next ones a half, a third... */
const OF_A_DAY = 100_000;
const OF_AN_HOUR = 10_000;
const ROWS_AT_ONCE = 20_000;
const MAX_SCANNED = 50_000;

interface Load {
  config: BigtableConfig;
  videos: number;
  rounds: number;
}

/** The counts of a video: of the last hour, of the last day, and of the days before with any. */
function countsOf(video: number, videos: number): { hour: number; days: Map<number, number> } {
  const rank = (video * 7_919) % videos;
  const varied = (n: number) =>
    0.5 + ((Math.imul(video + 1, 0x9e3779b1) ^ Math.imul(n + 1, 0x85ebca6b)) >>> 0) / 2 ** 32;
  const days = new Map<number, number>();
  for (let day = 0; day < DAYS; day++) {
    const count = Math.floor((OF_A_DAY / (rank + 1)) * varied(day));
    if (count > 0 || day === DAYS - 1) days.set(day, Math.max(1, count));
  }
  return { hour: Math.max(1, Math.floor((OF_AN_HOUR / (rank + 1)) * varied(DAYS))), days };
}

const dayName = (day: number): string => hourText((END_MS - (DAYS - day) * DAY_MS) / HOUR_MS).slice(0, 8);

interface Filled {
  row: RowMutation;
  entries: RowMutation[];
}

function filled(video: number, videos: number): Filled {
  const { hour, days } = countsOf(video, videos);
  const videoId = `video-${video}`;
  const months = new Map<string, number>();
  let total = 0;
  for (const [day, count] of days) {
    const month = dayName(day).slice(0, 6);
    months.set(month, (months.get(month) ?? 0) + count);
    total += count;
  }
  const move = (family: RankedFamily, time: string, count: number): RankMove => {
    return { family, name: `${time}:VIEW`, countBefore: 0, count };
  };
  const moves = [
    move(HOUR_FAMILY, hourText(END_MS / HOUR_MS - 1), hour),
    ...[...days].map(([day, count]) => move(DAY_FAMILY, dayName(day), count)),
    ...[...months].map(([month, count]) => move(MONTH_FAMILY, month, count)),
  ];
  const mutations = moves.flatMap(({ family, name, count }) => cellMutations(family, name, cellOf(count)));
  mutations.push(...cellMutations(TOTAL_FAMILY, "VIEW", cellOf(total)));
  return { row: { key: summaryRowKey(videoId), mutations }, entries: rankRows(videoId, moves).entries };
}

const cellOf = (count: number) => ({ version: count, count, sum: 0n, valued: 0, revision: 0, lastMs: END_MS - 1 });

const fill = defineTask(__filename, "bigtable-top-fill", async ({ config, videos }: Load) => {
  const connection = new BigtableConnection(config);
  const { summaries } = connection.tables;
  let entries = 0;
  for (let from = 0; from < videos; from += ROWS_AT_ONCE) {
    const all = Array.from({ length: Math.min(ROWS_AT_ONCE, videos - from) }, (_, n) => filled(from + n, videos));
    const rows = all.map(({ row }) => row);
    const ranked = all.flatMap((one) => one.entries);
    await mutateRows(connection, summaries, rows);
    await mutateRows(connection, summaries, ranked);
    entries += ranked.length;
  }
  await connection.close();
  return { entries };
});

function sorted(counts: Float64Array): VideoCount[] {
  const order = Uint32Array.from(counts, (_, video) => video).sort((a, b) => counts[b]! - counts[a]!);
  return Array.from(order.subarray(0, 1_000), (video) => ({ videoId: `video-${video}`, count: counts[video]! }))
    .sort((a, b) => b.count - a.count || (a.videoId < b.videoId ? -1 : 1))
    .slice(0, LIMIT);
}

/** The full sort. */
function expectedTops(videos: number): Record<string, VideoCount[]> {
  const counts = [new Float64Array(videos), new Float64Array(videos), new Float64Array(videos)];
  for (let video = 0; video < videos; video++) {
    const { hour, days } = countsOf(video, videos);
    counts[0]![video] = hour;
    counts[1]![video] = days.get(DAYS - 1)!;
    for (const [day, count] of days) if (day >= DAYS - MONTH_DAYS) counts[2]![video] = counts[2]![video]! + count;
  }
  return { hour: sorted(counts[0]!), day: sorted(counts[1]!), month: sorted(counts[2]!) };
}

const LENGTHS_MS: Record<string, number> = { hour: HOUR_MS, day: DAY_MS, month: MONTH_DAYS * DAY_MS };

const ask = defineTask(__filename, "bigtable-top-ask", async ({ config, videos, rounds }: Load) => {
  const store = new BigtableCounterStore(config);
  const expected = expectedTops(videos);
  const found: Record<string, LatencySummary> = {};
  for (const [name, lengthMs] of Object.entries(LENGTHS_MS)) {
    const latenciesMs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const startedMs = performance.now();
      const top = await store.top("VIEW", END_MS - lengthMs, END_MS, LIMIT);
      latenciesMs.push(performance.now() - startedMs);
      if (JSON.stringify(top) !== JSON.stringify(expected[name]))
        throw new Error(`${name}: ${JSON.stringify(top)} is not ${JSON.stringify(expected[name])}`);
    }
    found[name] = summaryOf(latenciesMs);
  }
  // Such a long answer reads every cell, as each ranking did before there was an index.
  const scan = async () =>
    (await timed(() => store.top("VIEW", END_MS - MONTH_DAYS * DAY_MS, END_MS, 1_001))).wallS * 1_000;
  const everyCellMs = videos > MAX_SCANNED ? undefined : await scan();
  await store.close();
  return { found, everyCellMs };
});

export const measurement: Measurement = {
  name: "bigtable-top",
  onlyByName: true,
  title: "Rankings on the Bigtable emulator",
  async run(bench: Bench) {
    const emulator = await startBigtableEmulator();
    try {
      const config = { projectId: "bench", instanceId: "bench", emulatorHost: emulator.host };
      await createTables(config);
      const { quick, rankedVideos } = bench.parameters;
      const load = { config, videos: rankedVideos, rounds: quick ? 20 : 300 };
      const { result: filled } = await bench.task(fill, load);
      const { result } = await bench.task(ask, load);
      const ofVideos = `over ${rankedVideos.toLocaleString("en-US")} videos`;
      const figures = [
        ...Object.entries(result.found).flatMap(([name, { p50Ms, p99Ms }]) => [
          figure(`bigtable-top/${name}-p50`, `top 10 of one ${name} ${ofVideos}, p50`, "ms", p50Ms),
          figure(`bigtable-top/${name}-p99`, "the same, p99", "ms", p99Ms, { goal: below(GOAL_MS) }),
        ]),
        ...(result.everyCellMs === undefined
          ? []
          : [figure("bigtable-top/every-cell", "the month by reading every cell", "ms", result.everyCellMs)]),
      ];
      return { figures, facts: { ...filled, ...result } };
    } finally {
      await emulator.stop();
    }
  },
};
