// SPDX-License-Identifier: Apache-2.0
/** Peers that take turns, by themselves and as servers under load. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { loadInTurn } from "../../bench/load/load-in-turn";
import { benchParameters } from "../../bench/parameters";
import { asMarkdown, asTable, atLeast, machineInfo } from "../../bench/report";
import { beside, inTurn, median, medianFigure } from "../../bench/turns";

describe("rounds", () => {
  test("run each peer once, in the order in which the peers are given", async () => {
    const order: string[] = [];
    const peer = (name: string) => async (round: number) => {
      order.push(`${name}${round}`);
      return `${name} of ${round}`;
    };
    const { a, b } = await inTurn(3, { a: peer("a"), b: peer("b") });
    expect(order).toEqual(["a0", "b0", "a1", "b1", "a2", "b2"]);
    expect([a, b]).toEqual([
      ["a of 0", "a of 1", "a of 2"],
      ["b of 0", "b of 1", "b of 2"],
    ]);
  });

  test("give the median of their own ratios, which is not the ratio of medians", () => {
    const [ours, theirs] = [
      [10, 40, 30],
      [20, 50, 10],
    ];
    expect(beside(ours, theirs)).toEqual([0.5, 0.8, 3]);
    expect(median(beside(ours, theirs))).toBe(0.8);
    expect(median(ours) / median(theirs)).toBe(1.5);
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  test("are printed with the lowest and the highest, beside the goal of the median", () => {
    const figure = medianFigure("http/x", "ours beside theirs", "x", [0.5, 0.8, 3], { goal: atLeast(0.9) });
    expect(figure).toMatchObject({ value: 0.8, spread: { lowest: 0.5, highest: 3 }, goal: { met: false } });
    const report = {
      ...({
        schema: "viewmill-bench/1",
        startedAt: new Date(0).toISOString(),
        tookMs: 1,
        machine: machineInfo(),
      } as const),
      parameters: benchParameters({}),
      measurements: [{ name: "http", title: "HTTP", tookMs: 1, figures: [figure], facts: {} }],
    };
    expect(asTable(report)).toContain("0.8 x (0.5 to 3)");
    expect(asMarkdown(report, "npm run bench")).toContain("| 0.8 x (0.5 to 3) | at least 0.9: **missed** |");
  });
});

describe("servers in turn", () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  /** Takes events and answers reads; its ledger says only at the second look that the events are counted. */
  async function server(name: string, seen: string[], countsLater: boolean) {
    let looks = 0;
    const started = createServer((request, response) => {
      const isLedger = request.url!.startsWith("/v1/ledger");
      const what = isLedger ? (looks++ % 2 === 0 ? "counting" : "counted") : `${name} ${request.method}`;
      seen.push(what);
      const totals = { accepted: 1, counted: what === "counted" ? 1 : 0, duplicate: 0, late: 0 };
      const body = JSON.stringify({ totals });
      request.resume().on("end", () => {
        response.writeHead(request.method === "POST" ? 202 : 200, { "Content-Length": body.length }).end(body);
      });
    });
    servers.push(started);
    await new Promise<void>((resolve) => started.listen(0, "127.0.0.1", resolve));
    return { url: `http://127.0.0.1:${(started.address() as AddressInfo).port}`, pid: process.pid, countsLater };
  }

  /** Neighbouring requests of one kind as one text with their number. */
  function runs(seen: readonly string[]): string[] {
    const found: { what: string; times: number }[] = [];
    for (const what of seen) {
      const last = found.at(-1);
      if (last?.what === what) last.times++;
      else found.push({ what, times: 1 });
    }
    return found.map(({ what, times }) => `${times} ${what}`);
  }

  test("are as warm as each other, and none is loaded before the one that counts later has counted", async () => {
    const seen: string[] = [];
    const parameters = {
      servers: { bare: await server("bare", seen, false), ours: await server("ours", seen, true) },
      ...{ rounds: 2, warmUp: 12, leadIn: 5, requests: 20, connections: 4, videos: 3 },
    };
    const { posts, reads } = await loadInTurn.run(parameters, { ready: () => undefined, stopped: Promise.resolve() });
    const kind = (method: string) => [
      ...[`12 bare ${method}`, `12 ours ${method}`, "1 counting", "1 counted"],
      ...[`25 bare ${method}`, `25 ours ${method}`, "1 counting", "1 counted"],
      ...[`25 bare ${method}`, `25 ours ${method}`, "1 counting", "1 counted"],
    ];
    expect(runs(seen)).toEqual([...kind("POST"), ...kind("GET")]);
    for (const { rounds } of [posts, reads].flatMap((each) => [each.bare!, each.ours!])) {
      expect(rounds).toHaveLength(2);
      for (const { perSecond, latency } of rounds) {
        expect(perSecond).toBeGreaterThan(0);
        expect(latency.requests).toBe(20);
      }
    }
  });
});
