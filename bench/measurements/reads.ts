// SPDX-License-Identifier: Apache-2.0
import { MINUTE_MS } from "../../domain/rules/time";
import { BATCH_CONTENT_TYPE } from "../../intake/take-batch";
import { type LatencySummary, pauseUntil } from "../load/latencies";
import { bareHttp } from "../load/peer-servers";
import { probeFreshness } from "../load/probe-freshness";
import { probeReads } from "../load/probe-reads";
import { sendBodies } from "../load/send-bodies";
import { caughtUp, processTree, type Service, startService } from "../load/service";
import type { Bench, Measurement } from "../measurement";
import { below, type Figure, figure } from "../report";
import { startTask } from "../task";
import { mebibytes } from "./hot-path";

const HISTORY_MINUTES = 60;
const READ_GOAL_MS = 5;
const LIGHT_FRESHNESS_GOAL_S = 2;
const STEADY_FRESHNESS_GOAL_S = 1;
const BATCH_HEADERS = { "Content-Type": BATCH_CONTENT_TYPE };

/** Loads an hour of events, so that a series of 60 minutes has a count in each. */
async function loadHistory(bench: Bench, service: Service): Promise<void> {
  const { connections, seed, events } = bench.parameters;
  const startMs = Date.now() - HISTORY_MINUTES * MINUTE_MS;
  const data = { ...bench.data, events: Math.ceil(events / 5), minutes: HISTORY_MINUTES, startMs, seed: seed + 3 };
  await bench.task(sendBodies, {
    url: service.url,
    bodies: await bench.file("frames", data),
    headers: BATCH_HEADERS,
    connections,
  });
  await caughtUp(service.url);
}

async function underSteadyLoad(bench: Bench, service: Service) {
  const { steadyEventsPerSecond, steadySeconds, readsPerSecond, freshnessProbes, batchEvents, videos, seed } =
    bench.parameters;
  const events = steadyEventsPerSecond * steadySeconds;
  const live = { ...bench.data, events, minutes: steadySeconds / 60, startMs: Date.now() + 2_000, seed: seed + 4 };
  const bodies = await bench.file("frames", live);
  const { url } = service;
  // A bare server that receives only the probe. Its slowest answers show how much delay the loaded machine itself
  // causes.
  const bare = startTask(bareHttp, {});
  const bareUrl = String(await bare.ready);
  const [load, reads, freshness, idle] = await Promise.all([
    bench.task(sendBodies, {
      url,
      bodies,
      headers: BATCH_HEADERS,
      connections: bench.parameters.connections,
      bodiesPerSecond: steadyEventsPerSecond / batchEvents,
    }),
    bench.task(probeReads, { url, videos, seed, readsPerSecond, seconds: steadySeconds }),
    bench.task(probeFreshness, { url, probes: freshnessProbes }),
    bench.task(probeReads, { url: bareUrl, videos, seed, readsPerSecond, seconds: steadySeconds }),
  ]);
  bare.stop();
  await bare.done;
  return { idle: idle.result, load: load.result, reads: reads.result, freshness: freshness.result };
}

function latencyFigures(name: string, title: string, { p50Ms, p99Ms, p999Ms }: LatencySummary): Figure[] {
  return [
    figure(`${name}-p50`, `${title}, p50`, "ms", p50Ms),
    figure(`${name}-p99`, `${title}, p99`, "ms", p99Ms, { goal: below(READ_GOAL_MS) }),
    figure(`${name}-p999`, `${title}, p99.9`, "ms", p999Ms),
  ];
}

function freshnessFigures(
  name: string,
  title: string,
  { p50Ms, p99Ms, maxMs }: LatencySummary,
  goalS: number,
): Figure[] {
  return [
    figure(`${name}-p50`, `${title}, p50`, "s", p50Ms / 1_000),
    figure(`${name}-p99`, `${title}, p99`, "s", p99Ms / 1_000),
    figure(`${name}-max`, `${title}, longest`, "s", maxMs / 1_000, { goal: below(goalS) }),
  ];
}

export const measurement: Measurement = {
  name: "reads",
  title: "Reads and freshness, light and while ingesting a steady load",
  async run(bench: Bench) {
    const { freshnessProbes, steadyEventsPerSecond, settleSeconds } = bench.parameters;
    const service = await startService(bench.newFolder());
    try {
      await loadHistory(bench, service);
      await pauseUntil(performance.now() + settleSeconds * 1_000);
      const { result: light } = await bench.task(probeFreshness, { url: service.url, probes: freshnessProbes });
      const steady = await underSteadyLoad(bench, service);
      const processes = processTree(service.pid);
      const peak = processes.reduce((sum, { peakRssBytes }) => sum + peakRssBytes, 0);
      const at = `at ${steadyEventsPerSecond.toLocaleString("en-US")} events/s`;
      const figures = [
        ...latencyFigures("reads/video", `GET a video's totals ${at}`, steady.reads.video),
        ...latencyFigures("reads/counts", `GET a video's counts of 60 minutes ${at}`, steady.reads.counts),
        figure(
          "reads/video-p99-ratio",
          "p99 of a video's totals, beside a bare server that does nothing else meanwhile",
          "x",
          steady.reads.video.p99Ms / steady.idle.video.p99Ms,
          { goal: below(3) },
        ),
        ...freshnessFigures("reads/fresh-light", "acknowledged to readable, light", light, LIGHT_FRESHNESS_GOAL_S),
        ...freshnessFigures(
          "reads/fresh-steady",
          `acknowledged to readable ${at}`,
          steady.freshness,
          STEADY_FRESHNESS_GOAL_S,
        ),
        figure(
          "reads/events-per-s",
          "events per second taken meanwhile",
          "events/s",
          steady.load.acceptedEvents / steady.load.wallS,
        ),
        figure("reads/peak-rss", "peak memory of the service, all processes", "MiB", mebibytes(peak)),
      ];
      return { figures, facts: { light, ...steady, processes } };
    } finally {
      await service.stop();
    }
  },
};
