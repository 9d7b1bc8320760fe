// SPDX-License-Identifier: Apache-2.0
import { MINUTE_MS } from "../../domain/rules/time";
import { sfc32 } from "../../domain/seeded-random";
import { videoPicker } from "../data/event-source";
import { defineTask } from "../task";
import { HttpConnection } from "./http-connection";
import { type LatencySummary, pauseUntil, summaryOf } from "./latencies";

const READERS = 4;

interface ReadParameters {
  url: string;
  videos: number;
  seed: number;
  readsPerSecond: number;
  seconds: number;
}

interface ReadResult {
  video: LatencySummary;
  counts: LatencySummary;
  /** HTTP statuses seen; all should be 200. */
  statuses: Record<string, number>;
}

/**
 * Reads on schedule: in turns a video's totals and its counts of the last 60 minutes, videos by the same Zipf law as
 * the events. A latency counts from when the read was due, so that a stall is not hidden by the reads it held up.
 */
export const probeReads = defineTask(
  __filename,
  "probe-reads",
  async (parameters: ReadParameters): Promise<ReadResult> => {
    const { url, videos, seed, readsPerSecond, seconds } = parameters;
    const video = videoPicker({ spread: "zipf", videos }, sfc32(seed));
    const latenciesMs = { video: [] as number[], counts: [] as number[] };
    const statuses: Record<string, number> = {};
    const startedMs = performance.now();
    let next = 0;
    const work = async () => {
      const connection = await HttpConnection.open(url);
      for (let at = next++; at < readsPerSecond * seconds; at = next++) {
        const dueMs = startedMs + (at * 1_000) / readsPerSecond;
        await pauseUntil(dueMs);
        const kind = at % 2 === 0 ? "video" : "counts";
        const { status } = await connection.get(pathOf(kind, video()));
        latenciesMs[kind].push(performance.now() - dueMs);
        statuses[status] = (statuses[status] ?? 0) + 1;
      }
      connection.close();
    };
    await Promise.all(Array.from({ length: READERS }, work));
    return { video: summaryOf(latenciesMs.video), counts: summaryOf(latenciesMs.counts), statuses };
  },
);

function pathOf(kind: "video" | "counts", video: number): string {
  if (kind === "video") return `/v1/videos/video-${video}`;
  const end = Math.ceil(Date.now() / MINUTE_MS) * MINUTE_MS;
  const range = `start=${new Date(end - 3_600_000).toISOString()}&end=${new Date(end).toISOString()}`;
  return `/v1/videos/video-${video}/counts?eventType=VIEW&granularity=minute&${range}`;
}
