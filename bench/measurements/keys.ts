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

/** Times each side is measured, in turn, so that what the machine does meanwhile meets all. */
const ROUNDS = 5;
/** Requests a second that the greedy key may make; it makes ten times as many. */
const GREEDY_LIMIT = 50;
const TIMES_ITS_LIMIT = 10;
const MILLION = 1_000_000;
const COST_GOAL = 1.05;
const SHARE_GOAL = 0.05;
/** A part of the batches of the ingest measurement: CPU time needs no long run. */
const PART_OF_BATCHES = 16;

const SIDES = ["open", "keys", "greedy"] as const;
type Side = (typeof SIDES)[number];
type Load = Awaited<ReturnType<typeof loadOf>>;

/**
 * What keys and limits cost ingest, and what a key far beyond its limit costs the others. Both are CPU time of the
 * service's own process for the same events, which other work on the machine changes less than time by the clock. The
 * greedy key's requests come by the clock, so their cost is that of one of them, times their rate.
 */
export const measurement: Measurement = {
  name: "keys",
  title: "Keys and limits: their cost, and what a key at ten times its limit costs the others",
  onlyByName: true,
  async run(bench: Bench) {
    const load = await loadOf(bench);
    const cost = { open: 0, keys: 0, greedy: 0 };
    const refusals: Record<string, number> = {};
    const sides: Measured[] = [];
    try {
      for (const side of SIDES) sides.push(await measured(bench, side));
      // The first round warms up, and is not counted.
      for (let round = 0; round <= ROUNDS; round++) {
        for (const each of sides) {
          const cpuS = await cpuOf(bench, load, each, round === 0 ? {} : refusals);
          if (round > 0) cost[each.side] += cpuS;
        }
      }
    } finally {
      for (const { service } of sides) await service.stop();
    }
    const events = load.events * ROUNDS;
    const perMillion = (cpuS: number) => (cpuS / events) * MILLION;
    const greedyRequests = Object.values(refusals).reduce((sum, times) => sum + times, 0);
    const greedyRequestS = (cost.greedy - cost.keys) / greedyRequests;
    const share = greedyRequestS * GREEDY_LIMIT * TIMES_ITS_LIMIT;
    const figures: Figure[] = [
      figure("keys/cpu-without", "ingest process without keys", "CPU-s per million events", perMillion(cost.open)),
      figure("keys/cpu-with", "the same with a key and every limit", "CPU-s per million events", perMillion(cost.keys)),
      figure("keys/cost", "with beside without", "x", cost.keys / cost.open, { goal: below(COST_GOAL) }),
      figure("keys/greedy-request", "a request of a key beyond its limit", "CPU-us", greedyRequestS * MILLION),
      figure("keys/greedy", "a key at ten times its limit takes of a core", "cores", share, {
        goal: below(SHARE_GOAL),
      }),
    ];
    return { figures, facts: { cost, events, greedyAnswers: refusals } };
  },
};

interface Measured {
  side: Side;
  service: Service;
  good: string | undefined;
  greedy: string | undefined;
}

async function measured(bench: Bench, side: Side): Promise<Measured> {
  const folder = bench.newFolder();
  const keys = side === "open" ? { good: undefined, greedy: undefined } : await keysIn(folder);
  return { side, service: await startService(folder, { VIEWMILL_AUDIT_ENABLED: "false" }), ...keys };
}

async function loadOf(bench: Bench) {
  const { ingestBatchEvents, connections, seed } = bench.parameters;
  const events = Math.ceil(ingestBatchEvents / PART_OF_BATCHES);
  const data = { ...bench.data, events, minutes: 1, startMs: Date.now(), seed: seed + 11 };
  return { bodies: await bench.file("frames", data), events, connections };
}

/** CPU-seconds of the ingest process for the whole load; the same events again are accepted like the first. */
async function cpuOf(
  bench: Bench,
  { bodies, events, connections }: Load,
  { side, service, good, greedy }: Measured,
  refusals: Record<string, number>,
): Promise<number> {
  const stop = new AbortController();
  const headers = {
    "Content-Type": BATCH_CONTENT_TYPE,
    ...(good !== undefined && { Authorization: `Bearer ${good}` }),
  };
  const before = processTree(service.pid)[0]?.cpuS ?? Number.NaN;
  const beside = side === "greedy" ? greed(service, greedy!, stop.signal, refusals) : undefined;
  try {
    const { result } = await bench.task(sendBodies, { url: service.url, bodies, headers, connections });
    if (result.acceptedEvents !== events) throw new Error(`${result.acceptedEvents} of ${events} events were accepted`);
  } finally {
    stop.abort();
    await beside;
  }
  return (processTree(service.pid)[0]?.cpuS ?? Number.NaN) - before;
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
