// SPDX-License-Identifier: Apache-2.0
import { MINUTE_MS } from "../../domain/rules/time";
import { sfc32 } from "../../domain/seeded-random";
import { videoPicker } from "../data/event-source";
import { defineTask } from "../task";
import { type LatencySummary, summaryOf } from "./latencies";
import { type ReadSchedule, readOnSchedule } from "./reads-on-schedule";

const READERS = 4;

interface ReadParameters extends ReadSchedule {
  videos: number;
  seed: number;
}

interface ReadResult {
  video: LatencySummary;
  counts: LatencySummary;
  /** HTTP statuses seen; all should be 200. */
  statuses: Record<string, number>;
}

/**
 * Reads on schedule: in turns a video's totals and its counts of the last 60 minutes, videos by the same Zipf law as
 * the events. The measurement of reads runs it.
 */
export const probeReads = defineTask(
  __filename,
  "probe-reads",
  async (parameters: ReadParameters): Promise<ReadResult> => {
    const { videos, seed } = parameters;
    const video = videoPicker({ spread: "zipf", videos }, sfc32(seed));
    const latenciesMs = { video: [] as number[], counts: [] as number[] };
    const statuses: Record<string, number> = {};
    const kindOf = (at: number) => (at % 2 === 0 ? "video" : "counts");
    await readOnSchedule(
      parameters,
      READERS,
      (at) => pathOf(kindOf(at), video()),
      (at, { status }, latencyMs) => {
        latenciesMs[kindOf(at)].push(latencyMs);
        statuses[status] = (statuses[status] ?? 0) + 1;
      },
    );
    return { video: summaryOf(latenciesMs.video), counts: summaryOf(latenciesMs.counts), statuses };
  },
);

function pathOf(kind: "video" | "counts", video: number): string {
  if (kind === "video") return `/v1/videos/video-${video}`;
  const end = Math.ceil(Date.now() / MINUTE_MS) * MINUTE_MS;
  const range = `start=${new Date(end - 3_600_000).toISOString()}&end=${new Date(end).toISOString()}`;
  return `/v1/videos/video-${video}/counts?eventType=VIEW&granularity=minute&${range}`;
}
