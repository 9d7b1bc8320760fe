// SPDX-License-Identifier: Apache-2.0
import { createKey, newKeySchema } from "../../admission/new-key";
import { BATCH_CONTENT_TYPE } from "../../intake/take-batch";
import { SqliteAccessKeys } from "../../io/sqlite/access-keys";
import { prepareDataFolder } from "../../io/sqlite/data-folder";
import { HttpConnection } from "../load/http-connection";
import { pauseUntil } from "../load/latencies";
import { sendBodies } from "../load/send-bodies";
import { processTree, type Service, startService } from "../load/service";
import type { Bench, Measurement } from "../measurement";
import { below, type Figure, figure } from "../report";

/** Times each side is measured, one after the other, so that what the machine does meanwhile meets both. */
const ROUNDS = 3;
/** Requests a second that the greedy key may make; it makes ten times as many. */
const GREEDY_LIMIT = 50;
const TIMES_ITS_LIMIT = 10;
const MILLION = 1_000_000;
const GOAL = 1.05;

type Load = Awaited<ReturnType<typeof loadOf>>;

/**
 * What keys and limits cost ingest, and what a key far beyond its limit costs the others. Both are CPU time of the
 * service's own process for the same events, which other work on the machine changes less than time by the clock.
 */
export const measurement: Measurement = {
  name: "keys",
  title: "Keys and limits: their cost, and what a key at ten times its limit costs the others",
  onlyByName: true,
  async run(bench: Bench) {
    const load = await loadOf(bench);
    const cost = { without: 0, with: 0, beside: 0 };
    const refusals: Record<string, number> = {};
    for (let round = 0; round < ROUNDS; round++) {
      const open = await cpuOf(bench, load, "open");
      const withKeys = await cpuOf(bench, load, "keys");
      const beside = await cpuOf(bench, load, "greedy", refusals);
      cost.without += open;
      cost.with += withKeys;
      cost.beside += beside;
    }
    const events = load.events * ROUNDS;
    const perMillion = (cpuS: number) => (cpuS / events) * MILLION;
    const figures: Figure[] = [
      figure("keys/cpu-without", "ingest process without keys", "CPU-s per million events", perMillion(cost.without)),
      figure("keys/cpu-with", "the same with a key and every limit", "CPU-s per million events", perMillion(cost.with)),
      figure("keys/cost", "with beside without", "x", cost.with / cost.without, { goal: below(GOAL) }),
      figure("keys/greedy", "beside a key at ten times its limit", "x", cost.beside / cost.with, { goal: below(GOAL) }),
    ];
    return { figures, facts: { cost, events, greedyAnswers: refusals } };
  },
};

async function loadOf(bench: Bench) {
  const { ingestBatchEvents, connections, seed } = bench.parameters;
  const events = Math.ceil(ingestBatchEvents / 4);
  const data = { ...bench.data, events, minutes: 1, startMs: Date.now(), seed: seed + 11 };
  return { bodies: await bench.file("frames", data), events, connections };
}

/** CPU-seconds of the ingest process for the whole load. */
async function cpuOf(
  bench: Bench,
  { bodies, events, connections }: Load,
  side: "open" | "keys" | "greedy",
  refusals: Record<string, number> = {},
): Promise<number> {
  const folder = bench.newFolder();
  const keys = side === "open" ? { good: undefined, greedy: undefined } : await keysIn(folder);
  const service = await startService(folder);
  const stop = new AbortController();
  try {
    const greedy = side === "greedy" ? greed(service, keys.greedy!, stop.signal, refusals) : undefined;
    const headers = {
      "Content-Type": BATCH_CONTENT_TYPE,
      ...(keys.good !== undefined && { Authorization: `Bearer ${keys.good}` }),
    };
    const before = processTree(service.pid)[0]?.cpuS ?? Number.NaN;
    const { result } = await bench.task(sendBodies, { url: service.url, bodies, headers, connections });
    const after = processTree(service.pid)[0]?.cpuS ?? Number.NaN;
    stop.abort();
    await greedy;
    if (result.acceptedEvents !== events) throw new Error(`${result.acceptedEvents} of ${events} events were accepted`);
    return after - before;
  } finally {
    stop.abort();
    await service.stop();
  }
}

/** One that is limited beyond what it is used for, and one that is used beyond what it may. */
async function keysIn(folder: string): Promise<{ good: string; greedy: string }> {
  prepareDataFolder(folder);
  const store = new SqliteAccessKeys({ folder });
  const key = async (limits: object) =>
    (await createKey(store, newKeySchema.parse({ name: "bench", scopes: ["write"], limits }), Date.now())).text;
  const high = Number.MAX_SAFE_INTEGER;
  const all = { requestsPerSecond: MILLION, eventsPerSecond: MILLION * 100, bytesPerSecond: MILLION * MILLION };
  const good = await key({ ...all, eventsPerDay: high });
  const greedy = await key({ requestsPerSecond: GREEDY_LIMIT });
  await store.close();
  return { good, greedy };
}

/** Requests of one event on a schedule, until it is to stop. */
async function greed({ url }: Service, key: string, stop: AbortSignal, answers: Record<string, number>): Promise<void> {
  const connection = await HttpConnection.open(url);
  const headers = { "Content-Type": "application/json", Authorization: `Bearer ${key}` };
  const startedMs = performance.now();
  for (let n = 0; !stop.aborted; n++) {
    await pauseUntil(startedMs + (n * 1_000) / (GREEDY_LIMIT * TIMES_ITS_LIMIT));
    const event = `{"eventId":"greedy-${n}","videoId":"greedy","eventType":"VIEW","eventTime":${Date.now()}}`;
    const { status } = await connection.post("/v1/events", headers, Buffer.from(event));
    answers[status] = (answers[status] ?? 0) + 1;
  }
  connection.close();
}
