// SPDX-License-Identifier: Apache-2.0
import { rmSync } from "node:fs";
import { type CountedCell, digestOf } from "../data/counts-digest";
import type { Bench, Measurement } from "../measurement";
import { figure } from "../report";
import { defineTask, timed } from "../task";
import { directGraph } from "./direct";
import { mebibytes } from "./hot-path";

interface DuckParameters {
  /** A SQL table function over the events' file. */
  source: string;
  /** Database file for all granularities; absent: the minutes, in memory. */
  database?: string;
  /** The counts are not hashed: another run's were. */
  unchecked?: boolean;
}

const EVENT_COLUMNS =
  "{eventId: 'VARCHAR', videoId: 'VARCHAR', eventType: 'VARCHAR', eventTime: 'BIGINT', value: 'BIGINT'}";

const minuteCells = (source: string) => `
CREATE TABLE minute_cells AS
SELECT videoId, eventType, minute, count(*) AS count, sum(value) AS sum, max(lastMs) AS lastMs FROM (
  SELECT eventId, videoId, eventType, eventTime // 60000 AS minute, max(coalesce(value, 0)) AS value, max(eventTime) AS lastMs
  FROM ${source} GROUP BY ALL
) GROUP BY ALL`;

const derivedCells = (table: string, from: string, start: string) => `
CREATE TABLE ${table} AS
SELECT videoId, eventType, ${start}, sum(count) AS count, sum(sum) AS sum, max(lastMs) AS lastMs FROM ${from} GROUP BY ALL`;

async function connect(database: string) {
  const { DuckDBInstance } = await import("@duckdb/node-api");
  return (await DuckDBInstance.create(database)).connect();
}

/** The same job in SQL: duplicates out, counts and sums per (video, type, minute), and what is derived from them. */
export const count = defineTask(__filename, "duckdb", async ({ source, database, unchecked }: DuckParameters) => {
  const connection = await connect(database ?? ":memory:");
  const { wallS, cpuS } = await timed(async () => {
    await connection.run(minuteCells(source));
    if (database === undefined) return;
    await connection.run(derivedCells("hour_cells", "minute_cells", "minute // 60 AS hour"));
    await connection.run(derivedCells("day_cells", "hour_cells", "hour // 24 AS day"));
    await connection.run(derivedCells("total_cells", "day_cells", "0 AS total"));
    await connection.run("CHECKPOINT");
  });
  if (unchecked === true) return { digest: undefined, wallS, cpuS };
  const rows = await connection.runAndReadAll(
    "SELECT videoId, eventType, minute::DOUBLE, count::DOUBLE, sum::VARCHAR FROM minute_cells",
  );
  return { digest: digestOf(cells(rows.getRows())), wallS, cpuS };
});

function* cells(rows: unknown[][]): Generator<CountedCell> {
  for (const [videoId, eventType, minute, number, sum] of rows) {
    yield {
      videoId: String(videoId),
      eventType: String(eventType),
      minute: Number(minute),
      count: Number(number),
      sum: BigInt(String(sum)),
    };
  }
}

export const writeParquet = defineTask(
  __filename,
  "duckdb-parquet",
  async ({ source, path }: { source: string; path: string }) => {
    const connection = await connect(":memory:");
    await connection.run(`COPY (SELECT * FROM ${source}) TO '${path}' (FORMAT parquet)`);
  },
);

export const ndjsonSource = (file: string): string =>
  `read_json('${file}', format = 'newline_delimited', columns = ${EVENT_COLUMNS})`;

export const measurement: Measurement = {
  name: "duckdb",
  title: "DuckDB: the same job on the same events, beside the direct runner",
  async run(bench: Bench) {
    const { events } = bench.parameters;
    const { data } = bench;
    const json = ndjsonSource(await bench.file("ndjson"));
    const parquetFile = `${bench.newFolder()}.parquet`;
    await bench.task(writeParquet, { source: json, path: parquetFile });
    const parquet = `read_parquet('${parquetFile}')`;
    const ours = await bench.task(directGraph, {
      frames: await bench.file("frames"),
      data,
      store: bench.newFolder(),
    });
    const database = `${bench.newFolder()}.duckdb`;
    const stored = await bench.task(count, { source: parquet, database });
    const fromParquet = await bench.task(count, { source: parquet });
    const fromJson = await bench.task(count, { source: json });
    for (const file of [parquetFile, database]) rmSync(file, { force: true });
    const wall = { "Viewmill, direct runner to SQLite": events / ours.result.wallS };
    const cpu = { "Viewmill, direct runner to SQLite": events / ours.result.cpuS };
    const systems = [
      ["json", "NDJSON, minutes in memory", fromJson],
      ["parquet", "Parquet, minutes in memory", fromParquet],
      ["parquet-stored", "Parquet, all levels in a database file", stored],
    ] as const;
    const figures = systems.flatMap(([name, title, { result, usage }]) => [
      figure(`duckdb/${name}-events-per-s`, `${title}: events per second`, "events/s", events / result.wallS, {
        baselines: wall,
      }),
      figure(
        `duckdb/${name}-events-per-cpu-s`,
        `${title}: events per CPU-second`,
        "events/CPU-s",
        events / result.cpuS,
        {
          baselines: cpu,
        },
      ),
      figure(`duckdb/${name}-peak-rss`, `${title}: peak memory`, "MiB", mebibytes(usage.peakRssBytes)),
    ]);
    const digests = {
      viewmill: ours.result.digest,
      duckdbJson: fromJson.result.digest,
      duckdbParquet: fromParquet.result.digest,
      duckdbStored: stored.result.digest,
    };
    return { figures, facts: { digests } };
  },
};
