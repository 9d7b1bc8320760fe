// SPDX-License-Identifier: Apache-2.0
import { HttpConnection } from "./http-connection";
import { untilDue } from "./latencies";

export interface ReadSchedule {
  url: string;
  readsPerSecond: number;
  seconds: number;
}

/**
 * Reads paths on schedule over `readers` connections. A latency counts from when the read was due (`untilDue`).
 */
export async function readOnSchedule(
  { url, readsPerSecond, seconds }: ReadSchedule,
  readers: number,
  pathOf: (at: number) => string,
  answered: (at: number, answer: { status: number; body: string }, latencyMs: number) => void,
): Promise<void> {
  const startedMs = performance.now();
  let next = 0;
  const work = async () => {
    const connection = await HttpConnection.open(url);
    for (let at = next++; at < readsPerSecond * seconds; at = next++) {
      const sinceMs = await untilDue(startedMs + (at * 1_000) / readsPerSecond);
      const answer = await connection.get(pathOf(at));
      answered(at, answer, performance.now() - sinceMs);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: readers }, work));
}
