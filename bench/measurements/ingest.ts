// SPDX-License-Identifier: Apache-2.0
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { BATCH_CONTENT_TYPE } from "../../intake/take-batch";
import { type SendResult, sendBodies } from "../load/send-bodies";
import { caughtUp, type ProcessUse, processTree, startService } from "../load/service";
import type { Bench, Measurement } from "../measurement";
import { atLeast, type Figure, figure } from "../report";
import { defineTask, startTask } from "../task";

/** A server with the cost of HTTP alone: it reads each body whole, and answers 202. */
const bareServer = defineTask(__filename, "bare-server", async (_parameters: object, context) => {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => response.writeHead(202, { "Content-Length": 0 }).end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.ready(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await context.stopped;
});

interface Body {
  name: string;
  title: string;
  format: "frames" | "gzip-json";
  headers: Record<string, string>;
  goalEventsPerSecond: number;
  events: number;
}

/** Events of a live stream: their times run with the clock, as far as the rate of the goal takes them. */
function liveData(bench: Bench, events: number, eventsPerSecond: number, seed: number) {
  return { ...bench.data, events, minutes: events / eventsPerSecond / 60, startMs: Date.now(), seed };
}

async function measureBody(bench: Bench, body: Body, seed: number) {
  const { connections } = bench.parameters;
  const bodies = await bench.file(body.format, liveData(bench, body.events, body.goalEventsPerSecond, seed));
  const bare = startTask(bareServer, {});
  const load = { bodies, headers: body.headers, connections };
  const { result: baseline } = await bench.task(sendBodies, { ...load, url: String(await bare.ready) });
  bare.stop();
  await bare.done;
  const service = await startService(bench.newFolder());
  try {
    const { result: sent } = await bench.task(sendBodies, { ...load, url: service.url });
    const processes = processTree(service.pid);
    const { waitedMs, ...ledger } = await caughtUp(service.url);
    if (sent.acceptedEvents !== body.events || ledger.accepted !== body.events) {
      throw new Error(
        `${body.events} events were sent, ${sent.acceptedEvents} accepted, ledger ${JSON.stringify(ledger)}`,
      );
    }
    return {
      figures: bodyFigures(body, sent, baseline, processes, waitedMs),
      facts: { ledger, sent, baseline, processes },
    };
  } finally {
    await service.stop();
  }
}

function bodyFigures(
  { name, title, events, goalEventsPerSecond }: Body,
  sent: SendResult,
  baseline: SendResult,
  processes: readonly ProcessUse[],
  waitedMs: number,
): Figure[] {
  const cpuS = processes[0]?.cpuS ?? Number.NaN;
  return [
    figure(`ingest/${name}-events-per-s`, `${title}: acknowledged events per second`, "events/s", events / sent.wallS, {
      goal: atLeast(goalEventsPerSecond),
      baselines: { "bare node:http": events / baseline.wallS },
    }),
    figure(`ingest/${name}-p50`, `${title}: time to acknowledge, p50`, "ms", sent.latency.p50Ms),
    figure(`ingest/${name}-p99`, `${title}: time to acknowledge, p99`, "ms", sent.latency.p99Ms, {
      baselines: { "bare node:http": baseline.latency.p99Ms },
    }),
    figure(
      `ingest/${name}-events-per-cpu-s`,
      `${title}: events per CPU-second of the ingest process`,
      "events/CPU-s",
      events / cpuS,
    ),
    figure(`ingest/${name}-caught-up`, `${title}: seconds after the last until all are counted`, "s", waitedMs / 1_000),
  ];
}

export const measurement: Measurement = {
  name: "ingest",
  title: "Durable ingest over HTTP, bodies of 500 events, load generator on the same machine",
  async run(bench: Bench) {
    const { ingestBatchEvents, ingestJsonEvents, seed } = bench.parameters;
    const batch: Body = {
      name: "batch",
      title: "columnar batches",
      format: "frames",
      headers: { "Content-Type": BATCH_CONTENT_TYPE },
      goalEventsPerSecond: 300_000,
      events: ingestBatchEvents,
    };
    const json: Body = {
      name: "gzip-json",
      title: "gzip JSON",
      format: "gzip-json",
      headers: { "Content-Type": "application/json", "Content-Encoding": "gzip" },
      goalEventsPerSecond: 100_000,
      events: ingestJsonEvents,
    };
    const batches = await measureBody(bench, batch, seed + 1);
    const jsons = await measureBody(bench, json, seed + 2);
    return { figures: [...batches.figures, ...jsons.figures], facts: { batch: batches.facts, json: jsons.facts } };
  },
};
