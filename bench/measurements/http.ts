// SPDX-License-Identifier: Apache-2.0
import { type LoadedServer, loadInTurn, type Round } from "../load/load-in-turn";
import { bareHttp, expressAndRedis } from "../load/peer-servers";
import { auditedAtStart, startService } from "../load/service";
import type { Bench, Measurement } from "../measurement";
import { atLeast, type Figure } from "../report";
import { startTask, type Task } from "../task";
import { beside, medianFigure } from "../turns";

interface RunningServer extends LoadedServer {
  stop(): Promise<unknown>;
}

async function peer<P>(task: Task<P, unknown>, parameters: P): Promise<RunningServer> {
  const server = startTask(task, parameters);
  const url = String(await server.ready);
  const stop = () => {
    server.stop();
    return server.done;
  };
  return { url, pid: server.pid, countsLater: false, stop };
}

/**
 * All processes of the service. The audits that a start begins are processes of their own, which load for a second each
 * while nothing else of a day does.
 */
async function service(bench: Bench): Promise<RunningServer> {
  const running = await startService(bench.newFolder());
  await auditedAtStart(running.url);
  return { ...running, countsLater: true };
}

/** The service in the middle of a round, so that each of its peers is its neighbour. */
async function loadAll(bench: Bench) {
  const { httpRounds, httpWarmUpRequests, httpLeadInRequests, httpRoundRequests, singleConnections } = bench.parameters;
  const running: RunningServer[] = [];
  const started = async (server: Promise<RunningServer>): Promise<LoadedServer> => {
    const { stop, ...loaded } = await server;
    running.push({ stop, ...loaded });
    return loaded;
  };
  try {
    const servers = {
      bare: await started(peer(bareHttp, {})),
      ours: await started(service(bench)),
      redis: await started(peer(expressAndRedis, { folder: bench.newFolder() })),
    };
    const { result } = await bench.task(loadInTurn, {
      servers,
      ...{ rounds: httpRounds, warmUp: httpWarmUpRequests, leadIn: httpLeadInRequests, requests: httpRoundRequests },
      ...{ connections: singleConnections, videos: 1_000 },
    });
    return result;
  } finally {
    for (const server of running) await server.stop();
  }
}

type Kind = Record<string, { rounds: Round[] }>;

const PEERS = [
  ["bare", "bare node:http"],
  ["redis", "Express and Redis, AOF always"],
] as const;

function figuresOf(name: string, title: string, kind: Kind, goals: Record<string, number>): Figure[] {
  const perSecond = (server: string) => kind[server]!.rounds.map((round) => round.perSecond);
  const ours = perSecond("ours");
  return [
    medianFigure(`http/${name}-per-s`, title, "requests/s", ours),
    ...PEERS.flatMap(([server, title]) => {
      const goal = goals[server];
      return [
        medianFigure(`http/${name}-${server}-per-s`, `the same of ${title}`, "requests/s", perSecond(server)),
        medianFigure(`http/${name}-beside-${server}`, `ours beside ${title}`, "x", beside(ours, perSecond(server)), {
          ...(goal === undefined ? {} : { goal: atLeast(goal) }),
        }),
      ];
    }),
  ];
}

export const measurement: Measurement = {
  name: "http",
  title:
    "HTTP, one event a request and one total a request, 256 connections, servers in turn, load generator on the same machine",
  async run(bench: Bench) {
    const { posts, reads } = await loadAll(bench);
    const microseconds = posts.ours!.rounds.map((round) => round.microseconds);
    const figures: Figure[] = [
      ...figuresOf("posts", "durable events per second, one a request", posts, { bare: 0.45, redis: 3 }),
      medianFigure("http/event-us", "CPU of all processes until an event is counted", "us", microseconds),
      ...figuresOf("reads", "totals per second", reads, { bare: 0.4 }),
    ];
    return { figures, facts: { posts, reads } };
  },
};
