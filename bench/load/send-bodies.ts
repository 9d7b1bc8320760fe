// SPDX-License-Identifier: Apache-2.0
/** The load of the measurements of ingest, and of those that need a service under load. */
import { readFrames } from "../data/data-files";
import { defineTask, timed } from "../task";
import { HttpConnection } from "./http-connection";
import { type LatencySummary, pauseUntil, summaryOf, untilDue } from "./latencies";

interface SendParameters {
  url: string;
  /** Frames file: each frame a body, made beforehand. */
  bodies: string;
  headers: Record<string, string>;
  connections: number;
  /** Bodies a second, sent on schedule; absent: each connection sends its next when it has its answer. */
  bodiesPerSecond?: number;
}

export interface SendResult {
  bodies: number;
  /** Requests answered 202; the others, by status (429, 503), were sent again until they were. */
  refused: Record<string, number>;
  acceptedEvents: number;
  wallS: number;
  cpuS: number;
  /** From when a body was due to its 202. */
  latency: LatencySummary;
}

const RETRY_MS = 100;

/** The load: prepared bodies over kept-alive connections, until all are accepted. */
export const sendBodies = defineTask(__filename, "send-bodies", async (parameters: SendParameters) => {
  const bodies = [...readFrames(parameters.bodies)];
  const connections = await Promise.all(
    Array.from({ length: parameters.connections }, () => HttpConnection.open(parameters.url)),
  );
  const result: SendResult = {
    bodies: bodies.length,
    refused: {},
    acceptedEvents: 0,
    wallS: 0,
    cpuS: 0,
    latency: summaryOf([]),
  };
  const latenciesMs: number[] = [];
  const { wallS, cpuS } = await timed(async () => {
    const startedMs = performance.now();
    let next = 0;
    const work = async (connection: HttpConnection) => {
      for (let at = next++; at < bodies.length; at = next++) {
        const sinceMs = await untilDue(dueTime(parameters, startedMs, at));
        const { status, body } = await accepted(connection, parameters, bodies[at]!, result);
        latenciesMs.push(performance.now() - sinceMs);
        result.acceptedEvents += status === 202 ? acceptedIn(body) : 0;
      }
    };
    await Promise.all(connections.map(work));
  });
  for (const connection of connections) connection.close();
  return { ...result, wallS, cpuS, latency: summaryOf(latenciesMs) };
});

function dueTime({ bodiesPerSecond }: SendParameters, startedMs: number, at: number): number {
  return bodiesPerSecond === undefined ? performance.now() : startedMs + (at * 1_000) / bodiesPerSecond;
}

async function accepted(
  connection: HttpConnection,
  { headers }: SendParameters,
  body: Uint8Array,
  { refused }: SendResult,
) {
  for (;;) {
    const answer = await connection.post("/v1/events", headers, body);
    if (answer.status !== 429 && answer.status !== 503) {
      if (answer.status !== 202) throw new Error(`a body was answered ${answer.status}: ${answer.body}`);
      return answer;
    }
    refused[answer.status] = (refused[answer.status] ?? 0) + 1;
    await pauseUntil(performance.now() + RETRY_MS);
  }
}

/** The bare server of the baseline answers without a body. */
function acceptedIn(body: string): number {
  return body === "" ? 0 : (JSON.parse(body) as { accepted: number }).accepted;
}
