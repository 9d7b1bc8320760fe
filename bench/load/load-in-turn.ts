// SPDX-License-Identifier: Apache-2.0
/**
 * Servers that run at once, of which one at a time is under load: requests of one event, then reads of one total, round
 * after round, from one generator. The measurement of HTTP loads with it.
 */
import { defineTask } from "../task";
import { inTurn } from "../turns";
import type { LatencySummary } from "./latencies";
import { caughtUp, processTree } from "./service";
import { readVideos, type SingleParameters, type SingleResult, sendEvents } from "./single-events";

export interface LoadedServer {
  url: string;
  /** The process whose CPU time, with that of all below it, is the server's. */
  pid: number;
  /** Counts after it has answered: its round ends when everything is counted, and no other's begins before. */
  countsLater: boolean;
}

interface InTurnParameters {
  servers: Record<string, LoadedServer>;
  rounds: number;
  /** Unmeasured requests to each server before the first round, so that all have compiled their code alike. */
  warmUp: number;
  /**
   * Unmeasured requests at the beginning of each round. A server that counts later has not begun to count when its
   * first requests are answered; behind the lead-in it counts as many as it answers.
   */
  leadIn: number;
  requests: number;
  connections: number;
  videos: number;
}

export interface Round {
  perSecond: number;
  latency: LatencySummary;
  /** CPU time of all of the server's processes a request, until it has caught up. */
  microseconds: number;
  /** CPU time of the generator a request: it shows how fast the machine was meanwhile. */
  generatorMicroseconds: number;
}

interface Loaded {
  rounds: Round[];
  /** Processors that the server took while others were under load. */
  idleCores: number;
}

/** Starts a clock of a server; the clock says how long it has run, and the CPU time of the server's processes since. */
function startClock({ pid }: LoadedServer) {
  const cpuS = () => processTree(pid).reduce((sum, each) => sum + each.cpuS, 0);
  const begun = { ms: performance.now(), cpuS: cpuS() };
  return () => ({ wallS: (performance.now() - begun.ms) / 1_000, cpuS: cpuS() - begun.cpuS });
}

type Send = (parameters: SingleParameters) => Promise<SingleResult>;
type Turn = SingleResult & { wallS: number; cpuS: number };

async function loadOnce(server: LoadedServer, send: Send, sent: Omit<SingleParameters, "url">): Promise<Turn> {
  const clock = startClock(server);
  const result = await send({ ...sent, url: server.url });
  if (server.countsLater) await caughtUp(server.url);
  return { ...result, ...clock() };
}

async function loadEach(parameters: InTurnParameters, send: Send): Promise<Record<string, Loaded>> {
  const { servers, rounds, warmUp, ...sent } = parameters;
  const each = Object.entries(servers);
  for (const [, server] of each) await loadOnce(server, send, { ...sent, leadIn: 0, requests: warmUp });
  const clocks = each.map(([, server]) => startClock(server));
  const turns = await inTurn(
    rounds,
    Object.fromEntries(each.map(([name, server]) => [name, () => loadOnce(server, send, sent)])),
  );
  const inAll = clocks.map((clock) => clock());
  const asked = sent.leadIn + sent.requests;
  return Object.fromEntries(each.map(([name], at) => [name, loaded(turns[name]!, inAll[at]!, asked)]));
}

function loaded(own: readonly Turn[], inAll: { wallS: number; cpuS: number }, asked: number): Loaded {
  const perRequest = (seconds: number) => (seconds * 1e6) / asked;
  const others = own.reduce((left, { wallS, cpuS }) => ({ wallS: left.wallS - wallS, cpuS: left.cpuS - cpuS }), inAll);
  return {
    rounds: own.map(({ perSecond, latency, cpuS, generatorS }) => ({
      ...{ perSecond, latency },
      microseconds: perRequest(cpuS),
      generatorMicroseconds: perRequest(generatorS),
    })),
    idleCores: others.cpuS / others.wallS,
  };
}

export const loadInTurn = defineTask(__filename, "load-in-turn", async (parameters: InTurnParameters) => ({
  posts: await loadEach(parameters, sendEvents),
  reads: await loadEach(parameters, readVideos),
}));
