// SPDX-License-Identifier: Apache-2.0
import { rmSync } from "node:fs";
import type { Bench, Measurement } from "../measurement";
import { atLeast, type Figure, figure } from "../report";
import { audit } from "./audit";
import { directGraph } from "./direct";
import { count, ndjsonSource, writeParquet } from "./duckdb";
import { hotPath } from "./hot-path";
import { countLog, fillLog } from "./stream";

/** Each part of Viewmill beside the form of DuckDB that does as much, per CPU-second, on the same events. */
export const measurement: Measurement = {
  name: "beside-duckdb",
  title: "Beside DuckDB on the same events: hot path, direct runner, embedded stream, audit",
  async run(bench: Bench) {
    const { events } = bench.parameters;
    const { data } = bench;
    const frames = await bench.file("frames");
    const parquetFile = `${bench.newFolder()}.parquet`;
    await bench.task(writeParquet, { source: ndjsonSource(await bench.file("ndjson")), path: parquetFile });
    const source = `read_parquet('${parquetFile}')`;
    const database = `${bench.newFolder()}.duckdb`;
    const perCpu = ({ result }: { result: { cpuS: number } }) => events / result.cpuS;

    const inMemory = await bench.task(count, { source });
    const hot = await bench.task(hotPath, { frames });
    const direct = await bench.task(directGraph, { frames, data, store: bench.newFolder() });
    const inFile = await bench.task(count, { source, database });
    const folder = bench.newFolder();
    await bench.task(fillLog, { frames, folder });
    const stream = await bench.task(countLog, { folder });
    const audited = await bench.task(audit, { folder });
    for (const file of [parquetFile, database]) rmSync(file, { force: true });
    if (audited.result.outcome !== "equal") throw new Error(`the audit found: ${JSON.stringify(audited.result)}`);

    const [memory, file] = [perCpu(inMemory), perCpu(inFile)];
    const beside = (name: string, title: string, ours: number, peer: string, its: number, goal: number): Figure[] => [
      figure(`beside-duckdb/${name}`, `${title}: events per CPU-second`, "events/CPU-s", ours, {
        baselines: { [peer]: its },
      }),
      figure(`beside-duckdb/${name}-ratio`, `${title}, beside ${peer}`, "x", ours / its, { goal: atLeast(goal) }),
    ];
    const figures = [
      ...beside("hot-path", "hot path", perCpu(hot), "DuckDB in memory", memory, 1.5),
      ...beside("direct", "direct runner into the store, all levels", perCpu(direct), "DuckDB into a file", file, 1),
      ...beside("stream", "embedded stream with archive", perCpu(stream), "DuckDB into a file", file, 0.6),
      ...beside("audit", "strong audit, everything compared", perCpu(audited), "DuckDB into a file", file, 0.5),
    ];
    const digests = {
      hotPath: hot.result.digest,
      direct: direct.result.digest,
      duckdb: inMemory.result.digest,
      duckdbStored: inFile.result.digest,
    };
    return { figures, facts: { digests, audit: audited.result } };
  },
};
