// SPDX-License-Identifier: Apache-2.0
/** What live clients and an open dashboard cost the reads of a busy service, and what the load does to them. */
import { BATCH_CONTENT_TYPE } from "../../intake/take-batch";
import { type LatencySummary, pauseUntil } from "../load/latencies";
import { liveClients } from "../load/live-clients";
import { probeReads } from "../load/probe-reads";
import { sendBodies } from "../load/send-bodies";
import { caughtUp, type Service, startService } from "../load/service";
import { shownPage } from "../load/shown-page";
import type { Bench, Measurement } from "../measurement";
import { below, figure } from "../report";
import { startTask } from "../task";

/** A frame that takes longer is seen as a halt. */
const FRAME_GOAL_MS = 100;
const MESSAGE_GOAL_MS = 2_000;

interface Run {
  reads: LatencySummary;
  acceptedEvents: number;
  eventsPerSecond: number;
}

/** Events and reads on schedule, the `run`th time. */
async function load(bench: Bench, { url }: Service, run: number): Promise<Run> {
  const { steadyEventsPerSecond, steadySeconds, readsPerSecond, batchEvents, connections, videos, seed } =
    bench.parameters;
  const events = steadyEventsPerSecond * steadySeconds;
  const data = { ...bench.data, events, minutes: steadySeconds / 60, startMs: Date.now() + 2_000, seed: seed + run };
  const bodies = await bench.file("frames", data);
  const [sent, reads] = await Promise.all([
    bench.task(sendBodies, {
      url,
      bodies,
      headers: { "Content-Type": BATCH_CONTENT_TYPE },
      connections,
      bodiesPerSecond: steadyEventsPerSecond / batchEvents,
    }),
    bench.task(probeReads, { url, videos, seed, readsPerSecond, seconds: steadySeconds }),
  ]);
  const { acceptedEvents, wallS } = sent.result;
  return { reads: reads.result.video, acceptedEvents, eventsPerSecond: acceptedEvents / wallS };
}

export const measurement: Measurement = {
  name: "live",
  title: "Live clients and an open dashboard beside ingest and reads",
  onlyByName: true,
  async run(bench: Bench) {
    const { liveClients: clients, settleSeconds, steadyEventsPerSecond, videos, seed } = bench.parameters;
    const service = await startService(bench.newFolder());
    const settled = async () => {
      await caughtUp(service.url);
      await pauseUntil(performance.now() + settleSeconds * 1_000);
    };
    try {
      // Not measured: code of the service is compiled as it is used.
      const first = await load(bench, service, 20);
      await settled();
      const alone = await load(bench, service, 21);
      await settled();
      const listeners = startTask(liveClients, { url: service.url, clients, videos, seed });
      await listeners.ready;
      const beside = await load(bench, service, 22);
      listeners.stop();
      const { result: live, usage } = await listeners.done;
      await settled();
      const page = startTask(shownPage, { url: service.url });
      await page.ready;
      const shown = await load(bench, service, 23);
      page.stop();
      const { result: looked } = await page.done;
      const books = await caughtUp(service.url);
      const accepted = [first, alone, beside, shown].reduce((sum, { acceptedEvents }) => sum + acceptedEvents, 0);
      if (books.accepted !== accepted || books.counted + books.duplicate + books.late !== accepted)
        throw new Error(`${accepted} events were answered 202, and the books say ${JSON.stringify(books)}`);
      const at = `at ${steadyEventsPerSecond.toLocaleString("en-US")} events/s`;
      const figures = [
        figure(
          "live/reads-p99",
          `GET a video's totals ${at} and ${clients} live clients, p99`,
          "ms",
          beside.reads.p99Ms,
          {
            baselines: { "without live clients": alone.reads.p99Ms },
          },
        ),
        figure("live/reads-p50", "the same, p50", "ms", beside.reads.p50Ms, {
          baselines: { "without live clients": alone.reads.p50Ms },
        }),
        figure("live/events-per-s", "events taken meanwhile", "events/s", beside.eventsPerSecond, {
          baselines: { "without live clients": alone.eventsPerSecond },
        }),
        figure("live/pause-p99", "the pause between two messages of a client, p99", "ms", live.pauses.p99Ms, {
          goal: below(MESSAGE_GOAL_MS),
        }),
        figure(
          "live/frame-p50",
          `the dashboard in Chromium ${at}: the pause between two frames, p50`,
          "ms",
          looked.frames.p50Ms,
        ),
        figure("live/frame-p99", "the same, p99", "ms", looked.frames.p99Ms, { goal: below(FRAME_GOAL_MS) }),
        figure("live/frame-max", "the same, longest", "ms", looked.frames.maxMs),
        figure("live/page-reads-p99", "GET a video's totals beside the dashboard, p99", "ms", shown.reads.p99Ms),
      ];
      return { figures, facts: { first, alone, beside, shown, live, listeners: usage, looked, books } };
    } finally {
      await service.stop();
    }
  },
};
