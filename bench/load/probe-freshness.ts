// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from "node:crypto";
import { defineTask } from "../task";
import { HttpConnection } from "./http-connection";
import { type LatencySummary, pauseUntil, summaryOf } from "./latencies";

const LANES = 3;
const POLL_MS = 10;
const DEADLINE_MS = 60_000;

/**
 * Sends one event of a video that no other client uses, and asks for that video until it is counted: from the 202 to
 * the first answer with the event. Measurements of a live service run it.
 */
export const probeFreshness = defineTask(
  __filename,
  "probe-freshness",
  async ({ url, probes }: { url: string; probes: number }): Promise<LatencySummary> => {
    const freshMs: number[] = [];
    let next = 0;
    const work = async () => {
      const connection = await HttpConnection.open(url);
      while (next++ < probes) {
        freshMs.push(await probe(connection));
        // Probes that follow each other's answers would all meet the stream at the same point of its rhythm.
        await pauseUntil(performance.now() + Math.random() * 500);
      }
      connection.close();
    };
    await Promise.all(Array.from({ length: LANES }, work));
    return summaryOf(freshMs);
  },
);

async function probe(connection: HttpConnection): Promise<number> {
  const videoId = `probe-${randomUUID()}`;
  const event = { eventId: randomUUID(), videoId, eventType: "VIEW", eventTime: Date.now() };
  const body = Buffer.from(JSON.stringify(event));
  const { status } = await connection.post("/v1/events", { "Content-Type": "application/json" }, body);
  if (status !== 202) throw new Error(`a probe was answered ${status}`);
  const acknowledgedMs = performance.now();
  for (;;) {
    const answer = await connection.get(`/v1/videos/${videoId}`);
    const { totals } = JSON.parse(answer.body) as { totals: Record<string, { count: number } | undefined> };
    const tookMs = performance.now() - acknowledgedMs;
    if (totals.VIEW?.count === 1) return tookMs;
    if (tookMs > DEADLINE_MS) throw new Error(`an event was not readable after ${DEADLINE_MS} ms`);
    await pauseUntil(performance.now() + POLL_MS);
  }
}
