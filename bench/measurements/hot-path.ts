// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from "node:crypto";
import type { MinuteCounts } from "../../domain/columns/minute-counts";
import { Pane } from "../../domain/columns/pane";
import { firePane } from "../../domain/columns/pane-counts";
import { PaneNames } from "../../domain/columns/pane-names";
import { RowPartitioner } from "../../domain/columns/row-partitioner";
import { readMessage } from "../../transforms/read-message";
import { type CountsDigest, cellsOf, digestOf } from "../data/counts-digest";
import { readFrames } from "../data/data-files";
import type { Bench, Measurement } from "../measurement";
import { atLeast, type Figure, figure } from "../report";
import { defineTask, timed } from "../task";
import { countFromBatches, countFromJson } from "./naive-count";

/** The number of batches that the embedded stream takes in one pass. */
const BATCHES_A_BUNDLE = 2_000;

interface HotPathParameters {
  frames: string;
  /** The counts are not hashed: another run's were. */
  unchecked?: boolean;
}

/** Computes the counting graph step by step in one loop, without Beam and without a store. */
export const hotPath = defineTask(__filename, "hot-path", async ({ frames, unchecked }: HotPathParameters) => {
  const seed = new Uint32Array(new Uint8Array(randomBytes(32)).buffer);
  const panes = new Map<number, Pane>();
  let counts: MinuteCounts[] = [];
  const { wallS, cpuS } = await timed(() => {
    const names = new PaneNames(seed);
    const bundle = new RowPartitioner(1, Number.POSITIVE_INFINITY, undefined, names);
    let batches = 0;
    const endBundle = () => {
      for (const { minute, batches } of bundle.finish()) {
        const pane = paneOf(panes, minute, seed, names);
        for (const rows of batches) pane.addRows(rows, minute);
      }
    };
    for (const frame of readFrames(frames)) {
      const { columns, receivedAtMs } = readMessage(frame, undefined);
      bundle.add(columns, receivedAtMs);
      if (++batches % BATCHES_A_BUNDLE === 0) endBundle();
    }
    endBundle();
    counts = [...panes].flatMap(([minute, pane]) =>
      [...firePane(pane, minute, 1, true)].flatMap(({ chunks }) => chunks),
    );
  });
  return { digest: unchecked === true ? undefined : digestOf(cellsOf(counts)), wallS, cpuS };
});

function paneOf(panes: Map<number, Pane>, minute: number, seed: Uint32Array, names: PaneNames): Pane {
  let pane = panes.get(minute);
  if (pane === undefined) {
    pane = new Pane(seed, names);
    panes.set(minute, pane);
  }
  return pane;
}

export const measurement: Measurement = {
  name: "hot-path",
  title: "Hot path: decode, validate, blocks, panes, counts; no Beam, no store",
  async run(bench: Bench) {
    const { events } = bench.parameters;
    const frames = await bench.file("frames");
    const ours = await bench.task(hotPath, { frames });
    const valued = await bench.task(hotPath, { frames: await bench.file("frames", { ...bench.data, valueShare: 1 }) });
    const naive = await bench.task(countFromBatches, { frames });
    const json = await bench.task(countFromJson, { ndjson: await bench.file("ndjson") });
    const perCpu = (cpuS: number) => events / cpuS;
    const baselines = {
      "JavaScript Map/Set over the same batches": perCpu(naive.result.cpuS),
      "JavaScript Map/Set over NDJSON": perCpu(json.result.cpuS),
    };
    const memory = { "JavaScript Map/Set": mebibytes(naive.usage.peakRssBytes) };
    const figures: Figure[] = [
      figure("hot-path/events-per-cpu-s", "events per CPU-second", "events/CPU-s", perCpu(ours.result.cpuS), {
        goal: atLeast(1_500_000),
        baselines,
      }),
      figure("hot-path/events-per-s", "events per second", "events/s", events / ours.result.wallS, {
        goal: atLeast(1_500_000),
      }),
      figure(
        "hot-path/events-per-cpu-s-valued",
        "events per CPU-second, every event with a value",
        "events/CPU-s",
        perCpu(valued.result.cpuS),
      ),
      figure("hot-path/peak-rss", "peak memory", "MiB", mebibytes(ours.usage.peakRssBytes), { baselines: memory }),
    ];
    const digests: Record<string, CountsDigest | undefined> = {
      viewmill: ours.result.digest,
      naiveBatches: naive.result.digest,
      naiveJson: json.result.digest,
    };
    return { figures, facts: { digests } };
  },
};

export const mebibytes = (bytes: number): number => bytes / 2 ** 20;
