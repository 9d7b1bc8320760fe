// SPDX-License-Identifier: Apache-2.0
/**
 * The same answers from Redis, whose counters are kept by hand, and from DuckDB over Parquet. The measurement of
 * answers asks them.
 */
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createClient } from "@redis/client";
import { MINUTES_A_DAY } from "../../domain/rules/time";
import type { VideoCount } from "../../io/ports";
import { debianProgram } from "../../servers";
import { HOURLY_DAYS, LASTING_VIDEOS, MONTH_DAYS, YEAR_DAYS } from "../data/year-of-cells";
import { defineTask, timed } from "../task";
import { type LatencySummary, summaryOf } from "./latencies";

interface Asked {
  parquet: string;
  endMinute: number;
  rounds: number;
  limit: number;
}

/** Lengths of the rankings, minutes. */
const RANKED = { "top-hour": 60, "top-day": MINUTES_A_DAY, "top-month": MONTH_DAYS * MINUTES_A_DAY } as const;

async function measured(rounds: number, ask: (round: number) => Promise<unknown>) {
  const latenciesMs: number[] = [];
  const { cpuS } = await timed(async () => {
    for (let round = 0; round < rounds; round++) {
      const startedMs = performance.now();
      await ask(round);
      latenciesMs.push(performance.now() - startedMs);
    }
  });
  return { latency: summaryOf(latenciesMs), cpuMs: (cpuS * 1_000) / rounds };
}

type AnsweredKinds = Record<string, { latency: LatencySummary; cpuMs: number }>;

async function connect() {
  const { DuckDBInstance } = await import("@duckdb/node-api");
  return (await DuckDBInstance.create(":memory:")).connect();
}

const topOf = (source: string, { endMinute, limit }: Asked, minutes: number) =>
  `SELECT video, sum(count)::DOUBLE AS count FROM ${source} WHERE minute >= ${endMinute - minutes} AND minute < ${endMinute}
   GROUP BY video ORDER BY count DESC, video LIMIT ${limit}`;

/** Parquet sorted by video and minute, as roll-ups are. */
export const duckdbAnswers = defineTask(__filename, "duckdb-answers", async (asked: Asked & { csv: string }) => {
  const { csv, parquet, endMinute, rounds } = asked;
  const connection = await connect();
  const columns = "{video: 'VARCHAR', minute: 'BIGINT', count: 'BIGINT'}";
  await connection.run(
    `COPY (SELECT * FROM read_csv('${csv}', header = false, columns = ${columns}) ORDER BY video, minute) TO '${parquet}' (FORMAT parquet)`,
  );
  const source = `read_parquet('${parquet}')`;
  const query = async (sql: string) => (await connection.runAndReadAll(sql)).getRows();
  const series = (minutes: number, width: number) => (round: number) =>
    query(`SELECT minute // ${width} AS start, sum(count) FROM ${source}
      WHERE video = 'video-${round % LASTING_VIDEOS}' AND minute >= ${endMinute - minutes} AND minute < ${endMinute} GROUP BY start`);
  const answered: AnsweredKinds = {
    total: await measured(rounds, (round) =>
      query(`SELECT sum(count) FROM ${source} WHERE video = 'video-${(round * 7_919) % 10_000}'`),
    ),
    hour: await measured(rounds, series(60, 1)),
    quarter: await measured(rounds, series(HOURLY_DAYS * MINUTES_A_DAY, 60)),
    year: await measured(rounds, series(YEAR_DAYS * MINUTES_A_DAY, MINUTES_A_DAY)),
  };
  const tops: Record<string, VideoCount[]> = {};
  for (const [name, minutes] of Object.entries(RANKED)) {
    answered[name] = await measured(Math.ceil(rounds / 10), async () => {
      const rows = await query(topOf(source, asked, minutes));
      tops[name] = rows.map(([videoId, count]) => ({ videoId: String(videoId), count: Number(count) }));
    });
  }
  return { answered, tops };
});

/** A hash of totals and a sorted set for each ranking: what a counter in Redis keeps for exactly these questions. */
export const redisAnswers = defineTask(
  __filename,
  "redis-answers",
  async ({ folder, ...asked }: Asked & { folder: string }) => {
    mkdirSync(folder, { recursive: true });
    const socket = `${folder}/redis.sock`;
    const flags = ["--port", "0", "--unixsocket", socket, "--dir", folder, "--save", ""];
    const redis = spawn(await debianProgram("redis-server"), flags, { stdio: "ignore" });
    process.once("exit", () => redis.kill("SIGKILL"));
    const client = clientOf(socket);
    await client.connect();
    await fillRedis(client, asked);
    const answered: AnsweredKinds = {
      total: await measured(asked.rounds * 20, (round) => client.hGet("totals", `video-${(round * 7_919) % 10_000}`)),
    };
    for (const name of Object.keys(RANKED))
      answered[name] = await measured(asked.rounds, () =>
        client.zRangeWithScores(name, 0, asked.limit - 1, { REV: true }),
      );
    client.destroy();
    redis.kill();
    return { answered };
  },
);

/** Connects again until the server has its socket. */
function clientOf(path: string) {
  const client = createClient({ socket: { path, tls: false, reconnectStrategy: 50 } });
  client.on("error", () => undefined);
  return client;
}

const ROWS_AT_ONCE = 1_000;

async function fillRedis(client: ReturnType<typeof clientOf>, asked: Asked): Promise<void> {
  const connection = await connect();
  const source = `read_parquet('${asked.parquet}')`;
  const fill = async (sql: string, write: (rows: [string, number][]) => Promise<unknown>) => {
    const rows = (await connection.runAndReadAll(sql)).getRows() as [string, number][];
    for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) await write(rows.slice(from, from + ROWS_AT_ONCE));
  };
  await fill(`SELECT video, sum(count)::DOUBLE FROM ${source} GROUP BY video`, (rows) =>
    client.hSet("totals", Object.fromEntries(rows.map(([video, count]) => [video, String(count)]))),
  );
  for (const [name, minutes] of Object.entries(RANKED))
    await fill(topOf(source, { ...asked, limit: 1e9 }, minutes), (rows) =>
      client.zAdd(
        name,
        rows.map(([value, score]) => ({ value, score })),
      ),
    );
}
