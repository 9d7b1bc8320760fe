// SPDX-License-Identifier: Apache-2.0
/**
 * The embedded counter store alone, beside a row per cell: what a minute cell with all of its levels costs, and what
 * reads take.
 */
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { MinuteCounts } from "../../domain/columns/minute-counts";
import { SqliteCounterStore } from "../../io/sqlite/counter-store";
import { type CellLoad, cellLoad } from "../data/cell-loads";
import { RowStore } from "../data/row-store";
import type { Bench, Measurement } from "../measurement";
import { atLeast, below, type Figure, figure } from "../report";
import { defineTask } from "../task";
import { beside, inTurn, medianFigure } from "../turns";

type Load = "bulk" | "steady" | "live";
/** CPU microseconds a cell, and how many times as much a row a cell takes. */
const GOALS: Record<Load, { us: number; times?: number }> = {
  bulk: { us: 3, times: 4 },
  steady: { us: 4.5, times: 4 },
  live: { us: 10 },
};

interface WriteResult {
  cells: number;
  minuteCells: number;
  cpuS: number;
  bytes: number;
  /** Totals of all videos: the same for every store. */
  counted: number;
  reads: { totalMs: number[]; hourMs: number[] };
}

interface Written {
  apply(pass: MinuteCounts): Promise<unknown>;
  totals(video: string): Promise<number>;
  hour(video: string, fromMinute: number): Promise<unknown>;
  close(): Promise<void>;
}

function packed(folder: string): Written {
  const store = new SqliteCounterStore({ folder });
  const [minute, hour] = [60_000, 60];
  return {
    apply: (pass) => store.apply([pass]),
    totals: async (video) => [...(await store.totals(video)).values()].reduce((sum, { count }) => sum + count, 0),
    hour: (video, from) => store.read(video, "VIEW", from * minute, (from + hour) * minute, "minute"),
    close: () => store.close(),
  };
}

function rowACell(folder: string): Written {
  const store = new RowStore(folder);
  return {
    apply: async (pass) => store.apply([pass]),
    totals: async (video) => [...store.totals(video).values()].reduce((sum, count) => sum + count, 0),
    hour: async (video, from) => store.minutes(video, "VIEW", from, from + 60),
    close: async () => store.close(),
  };
}

const STORES = { packed, rowACell } as const;

/**
 * Passes are made and counted before: only `apply` and `close`, which writes the last of the WAL, are timed. What the
 * passes cost to make, and the garbage of it, is no part of a store.
 */
const write = defineTask(
  __filename,
  "store-write",
  async ({ store: kind, folder, load }: { store: keyof typeof STORES; folder: string; load: CellLoad }) => {
    mkdirSync(folder, { recursive: true });
    const store = STORES[kind](folder);
    const result: WriteResult = {
      cells: 0,
      minuteCells: 0,
      cpuS: 0,
      bytes: 0,
      counted: 0,
      reads: { totalMs: [], hourMs: [] },
    };
    const timed = async (work: () => Promise<unknown>) => {
      const before = process.cpuUsage();
      await work();
      const { user, system } = process.cpuUsage(before);
      result.cpuS += (user + system) / 1e6;
    };
    const passes = [...cellLoad(load)];
    const videos = new Set(passes.flatMap((pass) => pass.videos));
    result.cells = passes.reduce((sum, pass) => sum + pass.counts.length, 0);
    result.minuteCells = minuteCellsOf(passes);
    const lastMinute = passes.at(-1)!.minute;
    for (const pass of passes) await timed(() => store.apply(pass));
    for (const video of videos) {
      const counted = await store.totals(video);
      result.counted += counted;
    }
    await readTimes(store, [...videos], lastMinute - 59, result);
    await timed(() => store.close());
    const file = kind === "packed" ? "counters.sqlite" : "rows.sqlite";
    result.bytes = statSync(join(folder, file)).size;
    return result;
  },
);

/** Cells of different minutes, videos and types. */
function minuteCellsOf(passes: readonly MinuteCounts[]): number {
  let cells = 0;
  let minute = Number.NaN;
  const known = new Set<number>();
  for (const pass of passes) {
    if (pass.minute !== minute) known.clear();
    minute = pass.minute;
    const before = known.size;
    for (let row = 0; row < pass.counts.length; row++) {
      const video = pass.named!.numbers[pass.videoIndex[row]!]!;
      known.add(video * pass.types.length + pass.typeIndex[row]!);
    }
    cells += known.size - before;
  }
  return cells;
}

const READS = 2_000;

async function readTimes(store: Written, videos: string[], fromMinute: number, { reads }: WriteResult): Promise<void> {
  for (let n = 0; n < READS; n++) {
    const video = videos[Math.floor((n * videos.length) / READS)]!;
    const start = performance.now();
    await store.totals(video);
    reads.totalMs.push(performance.now() - start);
    const next = performance.now();
    await store.hour(video, fromMinute);
    reads.hourMs.push(performance.now() - next);
  }
}

function loads(quick: boolean, videos: number, seed: number): Record<Load, CellLoad> {
  const scale = quick ? 0.01 : 1;
  const of = (minutes: number, passesAMinute: number, eventsAPass: number): CellLoad => ({
    ...{ minutes, passesAMinute, eventsAPass: Math.ceil(eventsAPass * scale), videos, seed },
  });
  return { bulk: of(12, 1, 200_000), steady: of(12, 3, 60_000), live: of(2, 40, 8_000) };
}

export const measurement: Measurement = {
  name: "store",
  title: "The embedded counter store, all levels, fsync and WAL counted in; a row a cell in turn with it",
  async run(bench: Bench) {
    const { quick, videos, seed, turns } = bench.parameters;
    const figures: Figure[] = [];
    const facts: Record<string, unknown> = {};
    for (const [name, load] of Object.entries(loads(quick, videos, seed)) as [Load, CellLoad][]) {
      const run = (store: keyof typeof STORES) => async () =>
        (await bench.task(write, { store, folder: bench.newFolder(), load })).result;
      const { rows, ours } = await inTurn(turns, { rows: run("rowACell"), ours: run("packed") });
      const [{ cells, minuteCells, counted }] = ours as [WriteResult];
      const wrong = [...rows, ...ours].find((result) => result.counted !== counted);
      if (wrong !== undefined) throw new Error(`${name}: one store counted ${counted}, another ${wrong.counted}`);
      figures.push(...figuresOf(name, ours, rows));
      facts[name] = { cells, minuteCells, counted };
    }
    return { figures, facts };
  },
};

function figuresOf(name: Load, ours: readonly WriteResult[], rows: readonly WriteResult[]): Figure[] {
  const { us, times } = GOALS[name];
  const cell = (rounds: readonly WriteResult[]) => rounds.map(({ cpuS, cells }) => (cpuS * 1e6) / cells);
  const [cpu, rowCpu] = [cell(ours), cell(rows)];
  const bytes = ([first]: readonly WriteResult[]) => first!.bytes / first!.minuteCells;
  const figures = [
    medianFigure(`store/cpu-us-a-cell-${name}`, `CPU a cell written, ${name}`, "us", cpu, { goal: below(us) }),
    medianFigure(`store/cpu-us-a-row-${name}`, `the same, a row a cell, ${name}`, "us", rowCpu),
    medianFigure(
      `store/row-beside-${name}`,
      `a row a cell beside ours, ${name}`,
      "x",
      beside(rowCpu, cpu),
      times === undefined ? {} : { goal: atLeast(times) },
    ),
    figure(`store/bytes-a-cell-${name}`, `bytes of the file a minute cell, ${name}`, "B", bytes(ours), {
      baselines: { "a row a cell": bytes(rows) },
    }),
  ];
  for (const [read, title] of [
    ["totalMs", "a video's totals"],
    ["hourMs", "60 minutes of a video"],
  ] as const) {
    for (const [part, share] of [
      ["p50", 0.5],
      ["p99", 0.99],
    ] as const) {
      const of = (rounds: readonly WriteResult[]) => {
        const sorted = rounds.flatMap(({ reads }) => reads[read]).toSorted((a, b) => a - b);
        return sorted[Math.floor(sorted.length * share)]!;
      };
      figures.push(
        figure(`store/${read}-${part}-${name}`, `${title}, ${part}, ${name}`, "ms", of(ours), {
          baselines: { "a row a cell": of(rows) },
        }),
      );
    }
  }
  return figures;
}
