// SPDX-License-Identifier: Apache-2.0
/**
 * Sends events on a schedule that does not depend on the service: a batch is due at its time, and its latency begins
 * then. Every batch whose outcome is unknown is sent again at the end, so that the number of events to be counted is
 * known exactly. main.ts of this folder raises it step by step.
 */
import { setTimeout as delay } from "node:timers/promises";
import { uuidV7 } from "../../client/uuid-v7";
import { HttpConnection } from "../load/http-connection";
import { pauseUntil } from "../load/latencies";

const BATCH = 50;
const VIDEOS = 200;
const CONNECTIONS = 32;
const RETRY_MS = 100;
const HEADERS = { "Content-Type": "application/json" };

export interface Step {
  eventsPerSecond: number;
  seconds: number;
  sent: number;
  accepted: number;
  /** Answers other than 202, by status; 0: none came. */
  refused: Record<string, number>;
  p50Ms: number;
  p99Ms: number;
  /** The generator's own longest delay: its limit, not the service's. */
  generatorLagMs: number;
}

interface Batch {
  body: string;
  videoIds: readonly string[];
}

export class RisingLoad {
  /** Accepted events by `video type`. */
  readonly expected = new Map<string, number>();
  readonly #unknown: Batch[] = [];
  #made = 0;

  constructor(private readonly url: string) {}

  /** One rate for so many seconds. */
  async step(eventsPerSecond: number, seconds: number): Promise<Step> {
    const idle = await Promise.all(Array.from({ length: CONNECTIONS }, () => HttpConnection.open(this.url)));
    const step: Step = {
      eventsPerSecond,
      seconds,
      sent: 0,
      accepted: 0,
      refused: {},
      p50Ms: 0,
      p99Ms: 0,
      generatorLagMs: 0,
    };
    const latenciesMs: number[] = [];
    const startedMs = performance.now();
    const batches = Math.max(1, Math.round((eventsPerSecond * seconds) / BATCH));
    let next = 0;
    const work = async (first: HttpConnection) => {
      let connection = first;
      for (let at = next++; at < batches; at = next++) {
        const dueMs = startedMs + (at * seconds * 1000) / batches;
        const waits = dueMs > performance.now();
        await pauseUntil(dueMs);
        if (waits) step.generatorLagMs = Math.max(step.generatorLagMs, performance.now() - dueMs);
        connection = await this.#send(connection, this.#batch(), step);
        latenciesMs.push(performance.now() - dueMs);
      }
      connection.close();
    };
    await Promise.all(idle.map(work));
    latenciesMs.sort((a, b) => a - b);
    step.p50Ms = latenciesMs[Math.floor(latenciesMs.length * 0.5)] ?? 0;
    step.p99Ms = latenciesMs[Math.floor(latenciesMs.length * 0.99)] ?? 0;
    return step;
  }

  /** Sends again what had no answer, until it has one. */
  async settle(): Promise<void> {
    for (let batch = this.#unknown.pop(); batch !== undefined; batch = this.#unknown.pop()) {
      for (let status = 0; status !== 202; await delay(RETRY_MS)) {
        const answer = await fetch(`${this.url}/v1/events`, {
          method: "POST",
          headers: HEADERS,
          body: batch.body,
        }).catch(() => undefined);
        await answer?.arrayBuffer();
        status = answer?.status ?? 0;
      }
      this.#accepted(batch);
    }
  }

  async #send(connection: HttpConnection, batch: Batch, step: Step): Promise<HttpConnection> {
    step.sent += BATCH;
    try {
      const { status } = await connection.post("/v1/events", HEADERS, Buffer.from(batch.body));
      if (status === 202) {
        step.accepted += BATCH;
        this.#accepted(batch);
      } else step.refused[status] = (step.refused[status] ?? 0) + 1;
      return connection;
    } catch {
      step.refused[0] = (step.refused[0] ?? 0) + 1;
      this.#unknown.push(batch);
      return await HttpConnection.open(this.url);
    }
  }

  #accepted({ videoIds }: Batch): void {
    for (const videoId of videoIds) {
      const cell = `${videoId} VIEW`;
      this.expected.set(cell, (this.expected.get(cell) ?? 0) + 1);
    }
  }

  #batch(): Batch {
    const nowMs = Date.now();
    const videoIds = Array.from({ length: BATCH }, () => `stress-${this.#made++ % VIDEOS}`);
    const events = videoIds.map(
      (videoId) => `{"eventId":"${uuidV7(nowMs)}","videoId":"${videoId}","eventType":"VIEW","eventTime":${nowMs}}`,
    );
    return { body: `[${events.join(",")}]`, videoIds };
  }
}
