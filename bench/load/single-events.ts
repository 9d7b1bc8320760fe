// SPDX-License-Identifier: Apache-2.0
/**
 * Requests of one event, and reads of one total, over many connections: as fast as they are answered. The measurements
 * of HTTP and of answers send and read with it.
 */
import { randomUUID } from "node:crypto";
import { defineTask, timed } from "../task";
import { HttpConnection } from "./http-connection";
import { type LatencySummary, summaryOf } from "./latencies";

export interface SingleParameters {
  url: string;
  /** Requests that are answered before the clock runs; the load goes on without a pause. */
  leadIn: number;
  requests: number;
  connections: number;
  videos: number;
}

export interface SingleResult {
  perSecond: number;
  latency: LatencySummary;
  /** CPU time of this process for all requests, those of the lead-in included. */
  generatorS: number;
}

type Ask = (connection: HttpConnection, number: number) => Promise<{ status: number; body: string }>;

async function run(
  { url, leadIn, requests, connections }: SingleParameters,
  ask: Ask,
  wanted: number,
): Promise<SingleResult> {
  const open = await Promise.all(Array.from({ length: connections }, () => HttpConnection.open(url)));
  const latenciesMs: number[] = [];
  let [next, answered, beganMs] = [0, 0, performance.now()];
  const work = async (connection: HttpConnection) => {
    for (let number = next++; number < leadIn + requests; number = next++) {
      const startedMs = performance.now();
      const { status, body } = await ask(connection, number);
      if (status !== wanted) throw new Error(`a request was answered ${status}: ${body}`);
      const nowMs = performance.now();
      if (++answered === leadIn) beganMs = nowMs;
      else if (answered > leadIn) latenciesMs.push(nowMs - startedMs);
    }
  };
  const { cpuS } = await timed(() => Promise.all(open.map(work)));
  const wallS = (performance.now() - beganMs) / 1_000;
  for (const connection of open) connection.close();
  return { perSecond: requests / wallS, latency: summaryOf(latenciesMs), generatorS: cpuS };
}

const HEADERS = { "Content-Type": "application/json" };

export function sendEvents(parameters: SingleParameters): Promise<SingleResult> {
  const bodies = Array.from({ length: parameters.leadIn + parameters.requests }, (_, number) =>
    Buffer.from(
      JSON.stringify({
        eventId: randomUUID(),
        videoId: `video-${number % parameters.videos}`,
        eventType: "VIEW",
        eventTime: Date.now(),
      }),
    ),
  );
  return run(parameters, (connection, number) => connection.post("/v1/events", HEADERS, bodies[number]!), 202);
}

export function readVideos(parameters: SingleParameters): Promise<SingleResult> {
  const read: Ask = (connection, number) => connection.get(`/v1/videos/video-${number % parameters.videos}`);
  return run(parameters, read, 200);
}

export const readTotals = defineTask(__filename, "read-totals", readVideos);
