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
/** The rate for which a greedy key is judged: ten times a limit of 50 requests a second. */
const GREEDY_REQUESTS_PER_SECOND = 500;
const MILLION = 1_000_000;
const COST_GOAL = 1.05;
const SHARE_GOAL = 0.05;
/** A part of the batches of the ingest measurement: some seconds of CPU time for each side. */
const PART_OF_BATCHES = 4;

const LOSS_GOAL_PERCENT = 5;

/** Requests of a key that may make one a second: nearly all are refused, however slow the machine is. */
const GREEDY_REQUESTS = 5_000;
/** Forty seconds of such a key. V8 has compiled the way of a refusal after some 10,000 requests. */
const GREEDY_WARM_UP = 20_000;
const GREEDY_CONNECTIONS = 8;
const IDLE_MS = 4_000;

const SIDES = ["open", "keys"] as const;
type Side = (typeof SIDES)[number];
type Load = Awaited<ReturnType<typeof loadOf>>;

/**
 * What keys and limits cost ingest, and what a key far beyond its limit costs the others. Both are CPU time of the
 * service's own process for the same events, which other work on the machine changes less than time by the clock. What
 * the process does by the clock (it reads its keys every two seconds) is measured on the idle service and taken off.
 * The greedy key costs what one of its requests costs, times their rate. The others' throughput is events in a second
 * of the process's CPU time, as a full core gives it to them: beside each such second come 500 of the greedy key's
 * requests, spread over the load.
 */
export const measurement: Measurement = {
  name: "keys",
  title: "Keys and limits: their cost, and what a key at ten times its limit costs the others",
  onlyByName: true,
  async run(bench: Bench) {
    const load = await loadOf(bench);
    const cost = { open: 0, keys: 0 };
    const idle = { open: 0, keys: 0 };
    const refusals: Record<string, number> = {};
    let besideGreedy = 0;
    let greedyBeside = 0;
    const sides: Measured[] = [];
    let greedyRequestS = Number.NaN;
    try {
      for (const side of SIDES) sides.push(await measured(bench, side));
      for (const each of sides) idle[each.side] = await idleShare(each);
      // Before the rounds: a client that goes on for minutes meets code that is compiled.
      greedyRequestS = await greedyRequest(sides[1]!, idle.keys, refusals);
      // The first round warms up, and is not counted.
      for (let round = 0; round <= ROUNDS; round++) {
        for (const each of sides) {
          const cpuS = await cpuOf(bench, load, each, idle[each.side]);
          if (round > 0) cost[each.side] += cpuS;
          if (each.side === "open") continue;
          const requests = Math.round(cpuS * GREEDY_REQUESTS_PER_SECOND);
          const besideS = await cpuBeside(bench, load, each, { idle: idle.keys, requests, answers: refusals });
          if (round === 0) continue;
          besideGreedy += besideS;
          greedyBeside += requests;
        }
      }
    } finally {
      for (const { service } of sides) await service.stop();
    }
    const events = load.events * ROUNDS;
    const perMillion = (cpuS: number) => (cpuS / events) * MILLION;
    const share = greedyRequestS * GREEDY_REQUESTS_PER_SECOND;
    const throughput = (cpuS: number) => events / MILLION / cpuS;
    const lossPercent = (1 - cost.keys / besideGreedy) * 100;
    const figures: Figure[] = [
      figure("keys/cpu-without", "ingest process without keys", "CPU-s per million events", perMillion(cost.open)),
      figure("keys/cpu-with", "the same with a key and every limit", "CPU-s per million events", perMillion(cost.keys)),
      figure("keys/cost", "with beside without", "x", cost.keys / cost.open, { goal: below(COST_GOAL) }),
      figure("keys/idle-without", "idle, without keys", "cores", idle.open),
      figure("keys/idle-with", "idle, with keys", "cores", idle.keys),
      figure("keys/greedy-request", "a request of a key beyond its limit", "CPU-us", greedyRequestS * MILLION),
      figure("keys/greedy", "a key at ten times its limit takes of a core", "cores", share, {
        goal: below(SHARE_GOAL),
      }),
      figure("keys/others-alone", "others' throughput", "million events per CPU-s", throughput(cost.keys)),
      figure("keys/others-beside", "the same beside it", "million events per CPU-s", throughput(besideGreedy)),
      figure("keys/others-loss", "others' loss of throughput", "%", lossPercent, { goal: below(LOSS_GOAL_PERCENT) }),
    ];
    return { figures, facts: { cost, idle, events, besideGreedy, greedyBeside, greedyAnswers: refusals } };
  },
};

interface Measured {
  side: Side;
  service: Service;
  good: string | undefined;
  greedy: string | undefined;
  /** How long the last load took by the clock. */
  lastLoadMs: number;
}

async function measured(bench: Bench, side: Side): Promise<Measured> {
  const folder = bench.newFolder();
  const keys = side === "open" ? { good: undefined, greedy: undefined } : await keysIn(folder);
  return { side, service: await startService(folder, { VIEWMILL_AUDIT_ENABLED: "false" }), ...keys, lastLoadMs: 0 };
}

async function loadOf(bench: Bench) {
  const { ingestBatchEvents, connections, seed } = bench.parameters;
  const events = Math.ceil(ingestBatchEvents / PART_OF_BATCHES);
  const data = { ...bench.data, events, minutes: 1, startMs: Date.now(), seed: seed + 11 };
  return { bodies: await bench.file("frames", data), events, connections };
}

const cpuOfProcess = ({ service }: Measured): number => processTree(service.pid)[0]?.cpuS ?? Number.NaN;

/** Runs the work and returns the CPU-seconds of the service's process, without what it takes idle in that time. */
async function cpuDuring(side: Measured, idle: number, work: () => Promise<unknown>): Promise<number> {
  const [cpuS, startedMs] = [cpuOfProcess(side), performance.now()];
  await work();
  return cpuOfProcess(side) - cpuS - (idle * (performance.now() - startedMs)) / 1_000;
}

async function idleShare(side: Measured): Promise<number> {
  await pauseUntil(performance.now() + IDLE_MS / 2);
  return (await cpuDuring(side, 0, () => pauseUntil(performance.now() + IDLE_MS))) / (IDLE_MS / 1_000);
}

/** CPU-seconds of the ingest process for the whole load. */
async function cpuOf(bench: Bench, load: Load, side: Measured, idle: number): Promise<number> {
  const startedMs = performance.now();
  const cpuS = await cpuDuring(side, idle, () => send(bench, load, side));
  side.lastLoadMs = performance.now() - startedMs;
  return cpuS;
}

/** Sends the whole load; the same events again are accepted like the first. */
async function send(bench: Bench, load: Load, { service, good }: Measured): Promise<void> {
  const { bodies, events, connections } = load;
  const headers = {
    "Content-Type": BATCH_CONTENT_TYPE,
    ...(good !== undefined && { Authorization: `Bearer ${good}` }),
  };
  const { result } = await bench.task(sendBodies, { url: service.url, bodies, headers, connections });
  if (result.acceptedEvents !== events) throw new Error(`${result.acceptedEvents} of ${events} events were accepted`);
}

/**
 * CPU-seconds of the ingest process for the whole load and for so many requests of the greedy key beside it. They are
 * spread over the time that the load took just before.
 */
async function cpuBeside(
  bench: Bench,
  load: Load,
  side: Measured,
  { idle, requests, answers }: { idle: number; requests: number; answers: Record<string, number> },
): Promise<number> {
  const everyMs = side.lastLoadMs / requests;
  const startedMs = performance.now();
  const due = (at: number) => pauseUntil(startedMs + at * everyMs);
  return cpuDuring(side, idle, () => Promise.all([send(bench, load, side), greed(side, requests, answers, due)]));
}

/** CPU-seconds of the ingest process for one request of the greedy key, after a warm-up. */
async function greedyRequest(side: Measured, idle: number, answers: Record<string, number>): Promise<number> {
  await greed(side, GREEDY_WARM_UP, {});
  return (await cpuDuring(side, idle, () => greed(side, GREEDY_REQUESTS, answers))) / GREEDY_REQUESTS;
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
  const greedy = await key({ requestsPerSecond: 1 });
  await store.close();
  return { good, greedy };
}

/**
 * Requests of one event, over several connections, one after the other on each.
 * `due`: resolves when the request of this number may be sent.
 */
async function greed(
  { service, greedy }: Measured,
  requests: number,
  answers: Record<string, number>,
  due: (at: number) => Promise<void> = async () => undefined,
): Promise<void> {
  const headers = { "Content-Type": "application/json", Authorization: `Bearer ${greedy}` };
  let next = 0;
  const work = async () => {
    const connection = await HttpConnection.open(service.url);
    for (let n = next++; n < requests; n = next++) {
      await due(n);
      const event = `{"eventId":"greedy-${n}","videoId":"greedy","eventType":"VIEW","eventTime":${Date.now()}}`;
      const { status } = await connection.post("/v1/events", headers, Buffer.from(event));
      answers[status] = (answers[status] ?? 0) + 1;
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: GREEDY_CONNECTIONS }, work));
}
