// SPDX-License-Identifier: Apache-2.0
import { DAY_MS, HOUR_MS } from "../../domain/rules/time";
import { sfc32 } from "../../domain/seeded-random";
import { videoPicker } from "../data/event-source";
import { defineTask } from "../task";
import { HttpConnection } from "./http-connection";
import { type LatencySummary, pauseUntil, summaryOf } from "./latencies";

const READERS = 16;

interface Asked {
  url: string;
  videos: number;
  seed: number;
  readsPerSecond: number;
  seconds: number;
}

/**
 * Mixed reads on schedule: of ten, six totals, two of 60 minutes, one of the hours of a week, one of a top. A latency
 * counts from when the read was due, so that a stall is not hidden by the reads it held up.
 */
export const probeAnswers = defineTask(__filename, "probe-answers", async (asked: Asked): Promise<LatencySummary> => {
  const { url, videos, seed, readsPerSecond, seconds } = asked;
  const video = videoPicker({ spread: "zipf", videos }, sfc32(seed));
  const latenciesMs: number[] = [];
  const startedMs = performance.now();
  let next = 0;
  const work = async () => {
    const connection = await HttpConnection.open(url);
    for (let at = next++; at < readsPerSecond * seconds; at = next++) {
      const dueMs = startedMs + (at * 1_000) / readsPerSecond;
      await pauseUntil(dueMs);
      const { status, body } = await connection.get(pathOf(at % 10, video()));
      if (status !== 200) throw new Error(`a read was answered ${status}: ${body}`);
      latenciesMs.push(performance.now() - dueMs);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: READERS }, work));
  return summaryOf(latenciesMs);
});

function pathOf(kind: number, video: number): string {
  if (kind < 6) return `/v1/videos/video-${video}`;
  const end = Math.ceil(Date.now() / HOUR_MS) * HOUR_MS;
  const range = (lengthMs: number) =>
    `eventType=VIEW&start=${new Date(end - lengthMs).toISOString()}&end=${new Date(end).toISOString()}`;
  if (kind < 8) return `/v1/videos/video-${video}/counts?${range(HOUR_MS)}&granularity=minute`;
  if (kind < 9) return `/v1/videos/video-${video}/counts?${range(7 * DAY_MS)}&granularity=hour`;
  return `/v1/top?${range(DAY_MS)}`;
}
