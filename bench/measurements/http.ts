// SPDX-License-Identifier: Apache-2.0
import { bareHttp, expressAndRedis } from "../load/peer-servers";
import { auditedAtStart, caughtUp, processTree, startService } from "../load/service";
import { readTotals, type SingleResult, sendSingleEvents } from "../load/single-events";
import type { Bench, Measurement } from "../measurement";
import { atLeast, type Figure, figure } from "../report";
import { startTask, type Task } from "../task";

interface Peer {
  posts: SingleResult;
  reads: SingleResult;
}

async function load(bench: Bench, url: string, between: () => Promise<unknown> = async () => undefined): Promise<Peer> {
  const { singleRequests, singleConnections } = bench.parameters;
  const asked = { url, requests: singleRequests, connections: singleConnections, videos: 1_000 };
  const { result: posts } = await bench.task(sendSingleEvents, asked);
  await between();
  const { result: reads } = await bench.task(readTotals, asked);
  return { posts, reads };
}

async function peer<P>(bench: Bench, task: Task<P, unknown>, parameters: P): Promise<Peer> {
  const server = startTask(task, parameters);
  try {
    return await load(bench, String(await server.ready));
  } finally {
    server.stop();
    await server.done;
  }
}

/**
 * All processes of the service, from before the first event until the last is counted. The audits that a start begins
 * are processes of their own, which load for a second each while nothing else of a day does.
 */
async function service(bench: Bench) {
  const running = await startService(bench.newFolder());
  try {
    await auditedAtStart(running.url);
    const cpuS = () => processTree(running.pid).reduce((sum, each) => sum + each.cpuS, 0);
    const before = cpuS();
    let spentS = 0;
    const peers = await load(bench, running.url, async () => {
      await caughtUp(running.url);
      spentS = cpuS() - before;
    });
    return { ...peers, microseconds: (spentS * 1e6) / peers.posts.requests };
  } finally {
    await running.stop();
  }
}

const perSecond = ({ requests, wallS }: SingleResult) => requests / wallS;

export const measurement: Measurement = {
  name: "http",
  title: "HTTP, one event a request and one total a request, 256 connections, load generator on the same machine",
  async run(bench: Bench) {
    const bare = await peer(bench, bareHttp, {});
    const redis = await peer(bench, expressAndRedis, { folder: bench.newFolder() });
    const ours = await service(bench);
    const beside = (of: (each: Peer) => SingleResult) => {
      return { "bare node:http": perSecond(of(bare)), "Express and Redis, AOF always": perSecond(of(redis)) };
    };
    const [posts, reads] = [perSecond(ours.posts), perSecond(ours.reads)];
    const figures: Figure[] = [
      figure("http/posts-per-s", "durable events per second, one a request", "requests/s", posts, {
        baselines: beside((each) => each.posts),
      }),
      figure("http/posts-beside-bare", "the same, beside bare node:http", "x", posts / perSecond(bare.posts), {
        goal: atLeast(0.45),
      }),
      figure("http/posts-beside-redis", "the same, beside Express and Redis", "x", posts / perSecond(redis.posts), {
        goal: atLeast(3),
      }),
      figure("http/event-us", "CPU of all processes until an event is counted", "us", ours.microseconds),
      figure("http/reads-per-s", "totals per second", "requests/s", reads, { baselines: beside((each) => each.reads) }),
      figure("http/reads-beside-bare", "the same, beside bare node:http", "x", reads / perSecond(bare.reads), {
        goal: atLeast(0.4),
      }),
    ];
    return { figures, facts: { ours, bare, redis } };
  },
};
