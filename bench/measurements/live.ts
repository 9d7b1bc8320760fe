// SPDX-License-Identifier: Apache-2.0
/** What live clients and an open dashboard cost the reads of a busy service, and what the load does to them. */
import { BATCH_CONTENT_TYPE } from "../../intake/take-batch";
import { type LatencySummary, pauseUntil } from "../load/latencies";
import { liveClients } from "../load/live-clients";
import { probeReads } from "../load/probe-reads";
import { sendBodies } from "../load/send-bodies";
import { caughtUp, processTree, type Service, startService } from "../load/service";
import { shownPage } from "../load/shown-page";
import type { Bench, Measurement } from "../measurement";
import { below, type Figure, figure } from "../report";
import { startTask } from "../task";

/** A frame that takes longer is seen as a halt. */
const FRAME_GOAL_MS = 100;
const MESSAGE_GOAL_MS = 2_000;
const FIRST_PAINT_GOAL_MS = 1_000;
const LIGHT_EVENTS_A_SECOND = 5_000;

interface Run {
  reads: LatencySummary;
  acceptedEvents: number;
  eventsPerSecond: number;
}

/** Prepares events, the `run`th time; the result sends them on schedule. */
async function prepared(bench: Bench, url: string, run: number, eventsPerSecond: number) {
  const { steadySeconds, batchEvents, connections, seed } = bench.parameters;
  const events = eventsPerSecond * steadySeconds;
  const data = { ...bench.data, events, minutes: steadySeconds / 60, startMs: Date.now() + 2_000, seed: seed + run };
  const bodies = await bench.file("frames", data);
  const headers = { "Content-Type": BATCH_CONTENT_TYPE };
  const bodiesPerSecond = eventsPerSecond / batchEvents;
  return () => bench.task(sendBodies, { url, bodies, headers, connections, bodiesPerSecond });
}

/** What many clients take of the processor of the process that serves them, while few events come in. */
async function manyListen(bench: Bench, { url, pid }: Service) {
  const { manyLiveClients: clients, videos, seed } = bench.parameters;
  const listeners = startTask(liveClients, { url, clients, videos, seed });
  await listeners.ready;
  const sent = await prepared(bench, url, 24, LIGHT_EVENTS_A_SECOND);
  const cpuS = () => processTree(pid)[0]?.cpuS ?? Number.NaN;
  const [before, startedMs] = [cpuS(), performance.now()];
  const { acceptedEvents } = (await sent()).result;
  const cores = (cpuS() - before) / ((performance.now() - startedMs) / 1_000);
  listeners.stop();
  const { result: live } = await listeners.done;
  return { acceptedEvents, cores, live };
}

/** Events and reads on schedule, the `run`th time. */
async function load(bench: Bench, { url }: Service, run: number): Promise<Run> {
  const { steadyEventsPerSecond, steadySeconds, readsPerSecond, videos, seed } = bench.parameters;
  const sending = await prepared(bench, url, run, steadyEventsPerSecond);
  const [sent, reads] = await Promise.all([
    sending(),
    bench.task(probeReads, { url, videos, seed, readsPerSecond, seconds: steadySeconds }),
  ]);
  const { acceptedEvents, wallS } = sent.result;
  return { reads: reads.result.video, acceptedEvents, eventsPerSecond: acceptedEvents / wallS };
}

async function phases(bench: Bench, service: Service) {
  const { liveClients: clients, settleSeconds, videos, seed } = bench.parameters;
  const settled = async () => {
    await caughtUp(service.url);
    await pauseUntil(performance.now() + settleSeconds * 1_000);
  };
  // Not measured: code of the service is compiled as it is used.
  const first = await load(bench, service, 20);
  await settled();
  const alone = await load(bench, service, 21);
  await settled();
  const listeners = startTask(liveClients, { url: service.url, clients, videos, seed });
  await listeners.ready;
  const beside = await load(bench, service, 22);
  listeners.stop();
  const { result: live } = await listeners.done;
  await settled();
  const crowd = await manyListen(bench, service);
  await settled();
  const page = startTask(shownPage, { url: service.url });
  await page.ready;
  const shown = await load(bench, service, 23);
  page.stop();
  const { result: looked } = await page.done;
  const books = await caughtUp(service.url);
  const accepted = [first, alone, beside, crowd, shown].reduce((sum, { acceptedEvents }) => sum + acceptedEvents, 0);
  if (books.accepted !== accepted || books.counted + books.duplicate + books.late !== accepted)
    throw new Error(`${accepted} events were answered 202, and the books say ${JSON.stringify(books)}`);
  return { first, alone, beside, live, crowd, shown, looked, books };
}

type Phases = Awaited<ReturnType<typeof phases>>;

function figuresOf({ alone, beside, live, crowd, shown, looked }: Phases, { parameters }: Bench): Figure[] {
  const at = `at ${parameters.steadyEventsPerSecond.toLocaleString("en-US")} events/s`;
  const without = (of: (run: Run) => number) => ({ baselines: { "without live clients": of(alone) } });
  const clients = `${parameters.liveClients} live clients`;
  const many = `${parameters.manyLiveClients.toLocaleString("en-US")} live clients`;
  return [
    figure("live/reads-p50", `GET a video's totals ${at} and ${clients}, p50`, "ms", beside.reads.p50Ms, {
      ...without(({ reads }) => reads.p50Ms),
    }),
    figure("live/reads-p99", "the same, p99", "ms", beside.reads.p99Ms, { ...without(({ reads }) => reads.p99Ms) }),
    figure("live/events-per-s", "events taken meanwhile", "events/s", beside.eventsPerSecond, {
      ...without(({ eventsPerSecond }) => eventsPerSecond),
    }),
    figure("live/pause-p99", "the pause between two messages of a client, p99", "ms", live.pauses.p99Ms, {
      goal: below(MESSAGE_GOAL_MS),
    }),
    figure("live/many-cores", `${many} and 5,000 events/s: the process that serves them`, "cores", crowd.cores, {
      goal: below(1),
    }),
    figure("live/many-pause-p99", "the pause between two messages of one of them, p99", "ms", crowd.live.pauses.p99Ms, {
      goal: below(MESSAGE_GOAL_MS),
    }),
    figure("live/first-paint", "the dashboard in Chromium, first contentful paint", "ms", looked.firstPaintMs, {
      goal: below(FIRST_PAINT_GOAL_MS),
    }),
    figure("live/frame-p50", `the dashboard ${at}: the pause between two frames, p50`, "ms", looked.frames.p50Ms),
    figure("live/frame-p99", "the same, p99", "ms", looked.frames.p99Ms, { goal: below(FRAME_GOAL_MS) }),
    figure("live/frame-max", "the same, longest", "ms", looked.frames.maxMs),
    figure("live/page-reads-p99", "GET a video's totals beside the dashboard, p99", "ms", shown.reads.p99Ms),
  ];
}

export const measurement: Measurement = {
  name: "live",
  title: "Live clients and an open dashboard beside ingest and reads",
  onlyByName: true,
  async run(bench: Bench) {
    const service = await startService(bench.newFolder());
    try {
      const measured = await phases(bench, service);
      return { figures: figuresOf(measured, bench), facts: measured };
    } finally {
      await service.stop();
    }
  },
};
