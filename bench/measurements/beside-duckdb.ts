// SPDX-License-Identifier: Apache-2.0
import { cpSync } from "node:fs";
import type { Bench, Measurement } from "../measurement";
import { atLeast, type Figure } from "../report";
import { beside, inTurn, medianFigure } from "../turns";
import { audit } from "./audit";
import { directGraph } from "./direct";
import { count, ndjsonSource, writeParquet } from "./duckdb";
import { hotPath } from "./hot-path";
import { countLog, fillLog } from "./stream";

/** Counts the log of `filled` in a copy of it. */
async function countedCopy(bench: Bench, filled: string) {
  const folder = bench.newFolder();
  cpSync(filled, folder, { recursive: true });
  return { folder, ...(await bench.task(countLog, { folder })) };
}

async function audited(bench: Bench, folder: string) {
  const done = await bench.task(audit, { folder });
  if (done.result.outcome !== "equal") throw new Error(`the audit found: ${JSON.stringify(done.result)}`);
  return done;
}

interface Prepared {
  frames: string;
  parquet: string;
  /** A data folder whose log has the events, none of them counted. */
  filled: string;
}

/** The same events in all forms, side by side: nothing is measured yet. */
async function prepared(bench: Bench): Promise<Prepared> {
  const [parquet, filled] = [`${bench.newFolder()}.parquet`, bench.newFolder()];
  const [frames, ndjson] = await Promise.all([bench.file("frames"), bench.file("ndjson")]);
  await Promise.all([
    bench.task(writeParquet, { source: ndjsonSource(ndjson), path: parquet }),
    bench.task(fillLog, { frames, folder: filled }),
  ]);
  return { frames, parquet, filled };
}

/** Every part of ours runs directly before or behind the form of DuckDB that it is compared with. */
async function takeTurns(bench: Bench, { frames, parquet, filled }: Prepared) {
  const { data } = bench;
  const { turns } = bench.parameters;
  const source = `read_parquet('${parquet}')`;
  // Hashing the counts takes seconds and is no part of a figure, so that only the first round is checked.
  const check = (round: number) => ({ unchecked: round > 0 });
  const intoFile = (round: number) =>
    bench.task(count, { source, database: `${bench.newFolder()}.duckdb`, ...check(round) });
  const memory = await inTurn(turns, {
    duckdb: (round) => bench.task(count, { source, ...check(round) }),
    hot: (round) => bench.task(hotPath, { frames, ...check(round) }),
  });
  const stored = await inTurn(turns, {
    direct: (round) => bench.task(directGraph, { frames, data, store: bench.newFolder(), ...check(round) }),
    duckdb: intoFile,
    stream: () => countedCopy(bench, filled),
  });
  const checked = await inTurn(turns, {
    duckdb: () => intoFile(turns),
    audit: (round) => audited(bench, stored.stream[round]!.folder),
  });
  return { memory, stored, checked };
}

/** Each part of Viewmill beside the form of DuckDB that does as much, per CPU-second, on the same events. */
export const measurement: Measurement = {
  name: "beside-duckdb",
  title: "Beside DuckDB on the same events, in turn: hot path, direct runner, embedded stream, audit",
  async run(bench: Bench) {
    const { events } = bench.parameters;
    const { memory, stored, checked } = await takeTurns(bench, await prepared(bench));

    const perCpu = (runs: readonly { result: { cpuS: number } }[]) => runs.map(({ result }) => events / result.cpuS);
    const speed = (name: string, title: string, rounds: readonly number[]) =>
      medianFigure(`beside-duckdb/${name}`, `${title}: events per CPU-second`, "events/CPU-s", rounds);
    const part = (name: string, title: string, ours: readonly number[], its: readonly number[], goal: number) => [
      speed(name, title, ours),
      medianFigure(`beside-duckdb/${name}-ratio`, `${title}, beside DuckDB`, "x", beside(ours, its), {
        goal: atLeast(goal),
      }),
    ];
    const [inMemory, intoFile, again] = [perCpu(memory.duckdb), perCpu(stored.duckdb), perCpu(checked.duckdb)];
    const figures: Figure[] = [
      speed("duckdb-memory", "DuckDB in memory", inMemory),
      ...part("hot-path", "hot path", perCpu(memory.hot), inMemory, 1.5),
      speed("duckdb-file", "DuckDB into a file", [...intoFile, ...again]),
      ...part("direct", "direct runner into the store, all levels", perCpu(stored.direct), intoFile, 1),
      ...part("stream", "embedded stream with archive", perCpu(stored.stream), intoFile, 0.6),
      ...part("audit", "strong audit, everything compared", perCpu(checked.audit), again, 0.5),
    ];
    const digests = {
      hotPath: memory.hot[0]?.result.digest,
      direct: stored.direct[0]?.result.digest,
      duckdb: memory.duckdb[0]?.result.digest,
      duckdbStored: stored.duckdb[0]?.result.digest,
    };
    return { figures, facts: { digests, audits: checked.audit.map(({ result }) => result) } };
  },
};
