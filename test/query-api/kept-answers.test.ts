// SPDX-License-Identifier: Apache-2.0
/**
 * What is kept between two readings (parsed questions, ranges, states, texts, cells, totals, whole answers) beside a
 * service that keeps nothing: after any write an answer is the one of a new reading, and a shared one was that within
 * its moment.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import fc from "fast-check";
import pino from "pino";
import { Registry } from "prom-client";
import { HttpConnection } from "../../bench/load/http-connection";
import { SqliteCounterReader } from "../../io/sqlite/reader-thread";
import { AnswerCache, createQueryApi, type QueryDependencies } from "../../query-api";
import { DAY, FINAL_AFTER_MS, HOUR, iso, MINUTE, NOW_MS, QueryHarness, RAW_RETENTION_MS } from "./query-harness";

const KEPT_MS = 250;
/** A ranking is shared for a second after it is made, and its answer for a moment more. */
const RANKING_KEPT_MS = 1_000 + KEPT_MS;
const END = Math.ceil(NOW_MS / HOUR) * HOUR;
const between = (lengthMs: number) => `start=${iso(END - lengthMs)}&end=${iso(END)}`;
const EXACT = ["a", "b", "none"].flatMap((video) => [
  `/v1/videos/${video}`,
  `/v1/videos/${video}/counts?eventType=VIEW&${between(HOUR)}&granularity=minute`,
  `/v1/videos/${video}/counts?${between(7 * DAY)}&granularity=hour`,
]);
EXACT.push(
  `/v1/videos/a/counts?granularity=hour&${between(7 * DAY)}`,
  `/v1/videos/a/counts?${between(DAY)}&granularity=hour&compare=previous`,
  `/v1/videos/a/counts?${between(3 * DAY)}&granularity=day&tz=Asia/Kathmandu`,
  `/v1/videos/a/counts?${between(7 * DAY)}&granularity=hour&limit=5`,
  `/v1/videos/a/counts?start=${iso(END - HOUR)}&granularity=minute`,
  "/v1/videos/a/counts",
);
const TOP = `/v1/top?${between(DAY)}`;

type Step =
  | { kind: "write"; video: string; minutesAgo: number; count: number; isFinal: boolean }
  | { kind: "audit" | "change"; hoursAgo: number }
  | { kind: "wait"; ms: number }
  | { kind: "ask"; paths: readonly string[] };

const ago = fc.oneof(fc.integer({ min: 0, max: 130 }), fc.integer({ min: 0, max: 8 * 24 * 60 }));
const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("write" as const),
    video: fc.constantFrom("a", "b"),
    minutesAgo: ago,
    count: fc.integer({ min: 1, max: 99 }),
    isFinal: fc.boolean(),
  }),
  fc.record({ kind: fc.constantFrom("audit", "change"), hoursAgo: fc.integer({ min: 0, max: 30 }) }),
  fc.record({ kind: fc.constant("wait" as const), ms: fc.constantFrom(1, 100, 249, 250, 1_000, MINUTE) }),
  fc.record({ kind: fc.constant("ask" as const), paths: fc.subarray([...EXACT, TOP], { minLength: 1, maxLength: 6 }) }),
);

let harness: QueryHarness;
let readers: SqliteCounterReader[];
let servers: Server[];
/** Nothing is kept; what a service without shared answers keeps; and with them. */
let roads: { fresh: HttpConnection; exact: HttpConnection; shared: HttpConnection };

function dependencies(reader: SqliteCounterReader, others: Partial<QueryDependencies>): QueryDependencies {
  return {
    counters: reader,
    ledger: harness.ledger,
    progress: harness.progress,
    gauges: [],
    deadLetters: harness.deadLetters,
    clock: () => harness.nowMs,
    tick: () => harness.nowMs,
    logger: pino({ level: "silent" }),
    registry: new Registry(),
    readiness: async () => [],
    stopping: harness.stopping.signal,
    finalAfterMs: FINAL_AFTER_MS,
    rawRetentionMs: RAW_RETENTION_MS,
    ...others,
  };
}

/** `isHot`: hot reads are answered in front of Express. */
async function served(isHot: boolean, keptBytes: number, others: Partial<QueryDependencies> = {}) {
  const reader = new SqliteCounterReader({ folder: harness.folder, keptBytes });
  readers.push(reader);
  const { router, hotReads } = createQueryApi(dependencies(reader, others));
  const app = express().use(router);
  const server = createServer((request, response) => {
    const answer = isHot ? hotReads(request) : undefined;
    if (answer === undefined) app(request, response);
    else answer(response, []);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return HttpConnection.open(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

beforeAll(async () => {
  harness = await QueryHarness.start();
  [readers, servers] = [[], []];
  const answers = new AnswerCache({ maxBytes: 1e6, keptMs: KEPT_MS, now: () => harness.nowMs });
  roads = {
    fresh: await served(false, 0),
    exact: await served(true, 1 << 20),
    shared: await served(true, 1 << 20, { answers }),
  };
});

afterAll(async () => {
  for (const connection of Object.values(roads)) connection.close();
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  for (const reader of readers) await reader.close();
  await harness.stop();
});

async function step(each: Step): Promise<void> {
  const hour = END - HOUR;
  if (each.kind === "wait") harness.nowMs += each.ms;
  else if (each.kind === "audit") await harness.audit(hour - each.hoursAgo * HOUR, hour - (each.hoursAgo - 1) * HOUR);
  else if (each.kind === "change") await harness.ledger.addObjects([], [(hour - each.hoursAgo * HOUR) / MINUTE + 7]);
  else if (each.kind === "write") {
    const { video, minutesAgo, count, isFinal } = each;
    const options = isFinal ? { finalBeforeMinute: Math.floor(harness.nowMs / MINUTE) } : {};
    await harness.count(video, END - (minutesAgo + 1) * MINUTE, count, 0n, "VIEW", 0, options);
  }
}

/** The same for each spelling of a question, which share an answer. */
const questionOf = (path: string): string => {
  const { pathname, searchParams } = new URL(path, "http://h");
  searchParams.sort();
  return `${pathname}?${searchParams}`;
};

it("after any write, what is kept equals a new reading, and what is shared was one within its moment", async () => {
  const read = new Map<string, { atMs: number; body: string }[]>();
  const check = async (path: string) => {
    const [fresh, exact] = [await roads.fresh.get(path), await roads.exact.get(path)];
    const shared = [await roads.shared.get(path), await roads.shared.get(path), await roads.shared.get(path)];
    expect(fresh.status).toBe(200);
    if (path !== TOP) expect(exact).toEqual(fresh);
    const nowMs = harness.nowMs;
    const moment = path === TOP ? RANKING_KEPT_MS : KEPT_MS;
    const question = questionOf(path);
    const within = [...(read.get(question) ?? []), { atMs: nowMs, body: fresh.body }].filter(
      ({ atMs }) => nowMs - atMs < moment,
    );
    read.set(question, within);
    for (const { body } of path === TOP ? [exact, ...shared] : shared)
      expect(within.map((one) => one.body)).toContain(body);
  };
  const property = fc.asyncProperty(fc.array(steps, { minLength: 5, maxLength: 15 }), async (all) => {
    for (const each of all) {
      if (each.kind !== "ask") await step(each);
      else for (const path of each.paths) await check(path);
    }
    for (const path of EXACT) await check(path);
  });
  await fc.assert(property, { numRuns: 10 });
});
