// SPDX-License-Identifier: Apache-2.0
/**
 * Requests of one event, and reads of one total, over many connections: as fast as they are answered. The measurements
 * of HTTP and of answers send and read with it.
 */
import { randomUUID } from "node:crypto";
import { defineTask, timed } from "../task";
import { HttpConnection } from "./http-connection";
import { type LatencySummary, summaryOf } from "./latencies";

interface SingleParameters {
  url: string;
  requests: number;
  connections: number;
  videos: number;
}

export interface SingleResult {
  requests: number;
  wallS: number;
  latency: LatencySummary;
}

const HEADERS = { "Content-Type": "application/json" };

async function run(
  { url, requests, connections }: SingleParameters,
  ask: (connection: HttpConnection, number: number) => Promise<{ status: number; body: string }>,
  wanted: number,
): Promise<SingleResult> {
  const open = await Promise.all(Array.from({ length: connections }, () => HttpConnection.open(url)));
  const latenciesMs: number[] = [];
  let next = 0;
  const { wallS } = await timed(() =>
    Promise.all(
      open.map(async (connection) => {
        for (let number = next++; number < requests; number = next++) {
          const startedMs = performance.now();
          const { status, body } = await ask(connection, number);
          if (status !== wanted) throw new Error(`a request was answered ${status}: ${body}`);
          latenciesMs.push(performance.now() - startedMs);
        }
      }),
    ),
  );
  for (const connection of open) connection.close();
  return { requests, wallS, latency: summaryOf(latenciesMs) };
}

export const sendSingleEvents = defineTask(__filename, "send-single-events", (parameters: SingleParameters) => {
  const bodies = Array.from({ length: parameters.requests }, (_, number) =>
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
});

export const readTotals = defineTask(__filename, "read-totals", (parameters: SingleParameters) =>
  run(parameters, (connection, number) => connection.get(`/v1/videos/video-${number % parameters.videos}`), 200),
);
