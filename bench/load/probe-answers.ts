// SPDX-License-Identifier: Apache-2.0
import { DAY_MS, HOUR_MS } from "../../domain/rules/time";
import { sfc32 } from "../../domain/seeded-random";
import { videoPicker } from "../data/event-source";
import { defineTask } from "../task";
import { type LatencySummary, summaryOf } from "./latencies";
import { type ReadSchedule, readOnSchedule } from "./reads-on-schedule";

const READERS = 16;

interface Asked extends ReadSchedule {
  videos: number;
  seed: number;
}

/**
 * Mixed reads on schedule: of ten, six totals, two of 60 minutes, one of the hours of a week, one of a top. The
 * measurement of answers runs it.
 */
export const probeAnswers = defineTask(__filename, "probe-answers", async (asked: Asked): Promise<LatencySummary> => {
  const { videos, seed } = asked;
  const video = videoPicker({ spread: "zipf", videos }, sfc32(seed));
  const latenciesMs: number[] = [];
  await readOnSchedule(
    asked,
    READERS,
    (at) => pathOf(at % 10, video()),
    (_at, { status, body }, latencyMs) => {
      if (status !== 200) throw new Error(`a read was answered ${status}: ${body}`);
      latenciesMs.push(latencyMs);
    },
  );
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
