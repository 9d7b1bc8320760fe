// SPDX-License-Identifier: Apache-2.0
/** Some routes are answered in front of Express: a client cannot tell which road a request took. */
import { request as httpRequest, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import express from "express";
import helmet from "helmet";
import pino from "pino";
import { Registry } from "prom-client";
import { Admission } from "../../../../admission/admission";
import { KeyRing } from "../../../../admission/key-ring";
import { createKey, newKeySchema } from "../../../../admission/new-key";
import type { Settings } from "../../../../cli/config/schema";
import { httpListener } from "../../../../cli/programs/http-listener";
import { constantFields, frontListener } from "../../../../cli/programs/serve/front";
import { createIngestRouter, type IngestLimits } from "../../../../ingest-api/ingest-router";
import { SqliteAccessKeys } from "../../../../io/sqlite/access-keys";
import { AnswerCache, createQueryApi, type QueryDependencies } from "../../../../query-api";
import { FINAL_AFTER_MS, iso, NOW_MS, QueryHarness, RAW_RETENTION_MS } from "../../../query-api/query-harness";

const LIMITS: Partial<IngestLimits> = { maxBodyBytes: 4_096 };
const ORIGIN = "https://pages.example";

interface Road {
  server: Server;
  port: number;
}

interface Roads {
  express: Road;
  front: Road;
}

let harness: QueryHarness;
let roads: Roads;
/** The requests that the front passed to Express. */
let viaExpress: string[];

async function road(listener: RequestListener): Promise<Road> {
  const http = { keepAliveSeconds: 60, requestSeconds: 60, maxConnections: 100 };
  const server = httpListener({ http } as Settings<"http">, listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

/** The roads as `serve` composes them, over the same stores. */
function parts(admission: Admission, isShared: boolean) {
  const logger = pino({ level: "silent" });
  const ingest = createIngestRouter({
    log: harness.log,
    recentStamps: [],
    deadLetters: harness.deadLetters,
    clock: () => NOW_MS,
    logger,
    registry: new Registry(),
    admission,
    limits: LIMITS,
  });
  const dependencies: QueryDependencies = {
    counters: harness.reader,
    ...(isShared && { answers: new AnswerCache({ maxBytes: 1e6, keptMs: 250, now: () => 0 }) }),
    ledger: harness.ledger,
    progress: harness.progress,
    gauges: [],
    deadLetters: harness.deadLetters,
    admission,
    clock: () => NOW_MS,
    logger,
    registry: new Registry(),
    readiness: async () => [],
    stopping: harness.stopping.signal,
    finalAfterMs: FINAL_AFTER_MS,
    rawRetentionMs: RAW_RETENTION_MS,
  };
  const [query, app, secured] = [createQueryApi(dependencies), express(), helmet()];
  app.disable("x-powered-by");
  app.use((request, response, next) => {
    if (!admission.crossOrigin(request, response)) next();
  });
  app.use(ingest.router, secured, query.router);
  return { ingest, query, app, secured };
}

beforeAll(async () => {
  harness = await QueryHarness.start();
  for (const video of ["v1", "a/b:c.d", "counts", "x/counts"]) await harness.count(video, NOW_MS - 90_000, 3, 12n);
  viaExpress = [];
  roads = await bothRoads(new Admission({ origins: [ORIGIN], clock: () => NOW_MS }));
});

async function bothRoads(admission: Admission, isShared = false): Promise<Roads> {
  const { ingest, query, app, secured } = parts(admission, isShared);
  const front = frontListener({
    admission,
    ingest,
    reads: query.hotReads,
    secured: constantFields(secured),
    app: (request, response) => {
      viaExpress.push(`${request.method} ${request.url}`);
      app(request, response);
    },
  });
  return { express: await road(parts(admission, isShared).app), front: await road(front) };
}

async function close({ express: plain, front }: Roads): Promise<void> {
  for (const { server } of [plain, front]) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

afterAll(async () => {
  await close(roads);
  await harness.stop();
});

interface Asked {
  method?: string;
  path: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
}

/** Without what two answers to one question may differ in: the moment, and the name of the instance of a problem. */
function ask({ port }: Road, { method = "GET", path, headers = {}, body = "" }: Asked): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ port, host: "127.0.0.1", method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const text = Buffer.concat(chunks)
          .toString()
          .replace(/urn:uuid:[0-9a-f-]{36}/g, "urn:uuid:*");
        const named = response.rawHeaders.flatMap((name, at) =>
          at % 2 === 0 && name !== "Date" ? [`${name}: ${response.rawHeaders[at + 1]}`] : [],
        );
        resolve({ status: response.statusCode, headers: named.sort(), text });
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const json = { "Content-Type": "application/json" };
const event = (changes: object = {}) =>
  JSON.stringify({ eventId: "e", videoId: "v", eventType: "VIEW", eventTime: NOW_MS - 1000, ...changes });
const post = (body: string | Buffer, headers: Record<string, string> = json): Asked => {
  return { method: "POST", path: "/v1/events", headers: { ...headers, "Content-Length": String(body.length) }, body };
};
const pixel = (key = "") =>
  `/v1/pixel.gif?eventId=p&videoId=v&eventType=VIEW&eventTime=${NOW_MS - 1000}${key === "" ? "" : `&key=${key}`}`;
const range = `start=${iso(NOW_MS - 3_600_000)}&end=${iso(NOW_MS)}`;

describe("answered in front of Express, as Express answers", () => {
  test.each<[string, Asked]>([
    ["an event", post(event())],
    ["an event from a page of an allowed origin", post(event(), { ...json, Origin: ORIGIN })],
    ["an event from a page of another origin", post(event(), { ...json, Origin: "https://other.example" })],
    ["an event that breaks the contract", post(event({ videoId: "v v" }))],
    ["a body that is no JSON", post("{")],
    ["an empty body", post("")],
    ["a body that is too large", post(event({ eventId: "x".repeat(5_000) }))],
    ["a type that nobody reads", post(event(), { "Content-Type": "image/png" })],
    ["a gzipped body", post(gzipSync(event()), { ...json, "Content-Encoding": "gzip" })],
    ["a body that is no gzip", post(event(), { ...json, "Content-Encoding": "gzip" })],
    ["an encoding that nobody undoes", post(event(), { ...json, "Content-Encoding": "br" })],
    ["a pixel", { path: pixel() }],
    ["a pixel from a page of an allowed origin", { path: pixel(), headers: { Origin: ORIGIN } }],
    ["a pixel that is no event", { path: "/v1/pixel.gif?videoId=v" }],
    ["a video", { path: "/v1/videos/v1" }],
    ["a video for a page of an allowed origin", { path: "/v1/videos/v1", headers: { Origin: ORIGIN } }],
    ["a video that nobody knows", { path: "/v1/videos/nobody" }],
    ["a videoId with slashes", { path: "/v1/videos/a/b:c.d" }],
    ["a videoId that is too long", { path: `/v1/videos/${"v".repeat(129)}` }],
    ["a video and a parameter that it has not", { path: "/v1/videos/v1?nothing=1" }],
    ["a video that is called counts", { path: "/v1/videos/counts" }],
    ["counts", { path: `/v1/videos/v1/counts?eventType=VIEW&${range}&granularity=minute` }],
    ["counts of a videoId that ends in counts", { path: `/v1/videos/x/counts/counts?eventType=VIEW&${range}` }],
    ["counts without a type", { path: "/v1/videos/v1/counts" }],
    ["counts of a reversed range", { path: `/v1/videos/v1/counts?eventType=VIEW&start=${iso(NOW_MS)}&end=${iso(0)}` }],
    ["the top", { path: `/v1/top?eventType=VIEW&${range}` }],
    ["the top without a type", { path: "/v1/top" }],
    ["a parameter that comes twice", { path: "/v1/videos/v1/counts?eventType=VIEW&eventType=LIKE" }],
  ])("%s", async (_what, asked) => {
    viaExpress.length = 0;
    const answered = await ask(roads.front, asked);
    expect(viaExpress).toEqual([]);
    expect(answered).toEqual(await ask(roads.express, asked));
  });

  test("a video that has not changed since", async () => {
    const { headers } = (await ask(roads.front, { path: "/v1/videos/v1" })) as { headers: string[] };
    const etag = headers.find((header) => header.startsWith("ETag: "))!.slice(6);
    const asked = { path: "/v1/videos/v1", headers: { "If-None-Match": etag } };
    const answered = await ask(roads.front, asked);
    expect(answered).toMatchObject({ status: 304 });
    expect(answered).toEqual(await ask(roads.express, asked));
  });
});

test.each<[string, Asked]>([
  [
    "a preflight",
    { method: "OPTIONS", path: "/v1/events", headers: { Origin: ORIGIN, "Access-Control-Request-Method": "POST" } },
  ],
  ["a method that is not possible", { method: "DELETE", path: "/v1/events" }],
  ["HEAD", { method: "HEAD", path: "/v1/videos/v1" }],
  ["HEAD of a pixel", { method: "HEAD", path: pixel() }],
  ["a pixel without a query", { path: "/v1/pixel.gif" }],
  ["an encoded path", { path: "/v1/videos/a%2Fb" }],
  ["a path that is not percent-encoded UTF-8", { path: "/v1/videos/%ff" }],
  ["statistics", { path: "/v1/videos/v1/stats?eventType=VIEW&function=SUM" }],
  ["a badge", { path: "/v1/videos/v1/badge.svg" }],
  ["nothing", { path: "/v1/nothing" }],
])("%s is left to Express, or to what stands before both", async (_what, asked) => {
  expect(await ask(roads.front, asked)).toEqual(await ask(roads.express, asked));
});

test("what is kept for a moment is answered again on both roads, with its age", async () => {
  const both = await bothRoads(new Admission({ origins: [ORIGIN], clock: () => NOW_MS }), true);
  const counts = `/v1/videos/v1/counts?eventType=VIEW&${range}&granularity=minute`;
  try {
    for (const path of ["/v1/videos/v1", "/v1/videos/nobody", counts, `/v1/videos/${"v".repeat(129)}`]) {
      const etags: string[] = [];
      for (const headers of [{}, {}, { Origin: ORIGIN }, { Origin: "https://other.example" }, {}]) {
        const answered = (await ask(both.front, { path, headers })) as { headers: string[] };
        expect(answered).toEqual(await ask(both.express, { path, headers }));
        etags.push(...answered.headers.filter((header) => header.startsWith("ETag: ")));
      }
      const asked = { path, headers: { "If-None-Match": etags[0]?.slice(6) ?? "none" } };
      const again = (await ask(both.front, asked)) as { status: number; headers: string[] };
      expect(again).toEqual(await ask(both.express, asked));
      const isKept = again.status === 304 && again.headers.includes("Age: 1");
      expect(isKept).toBe(etags.length > 0);
    }
  } finally {
    await close(both);
  }
});

test("a service with keys asks for them on both roads", async () => {
  const store = new SqliteAccessKeys({ folder: harness.folder });
  const clock = () => NOW_MS;
  const key = async (scope: string) =>
    (await createKey(store, newKeySchema.parse({ name: scope, scopes: [scope] }), NOW_MS)).text;
  const [write, read] = [await key("write"), await key("read")];
  const keys = await KeyRing.open({ store, clock, logger: pino({ level: "silent" }) });
  const both = await bothRoads(new Admission({ keys, origins: [ORIGIN], clock }), true);
  const as = (text: string) => ({ Authorization: `Bearer ${text}` });
  const asked: [number, Asked][] = [
    [401, post(event())],
    [401, post(event(), { ...json, ...as("nobody") })],
    [403, post(event(), { ...json, ...as(read) })],
    [202, post(event(), { ...json, ...as(write) })],
    [401, { path: pixel() }],
    [401, { path: pixel(write) }],
    [403, { path: pixel(), headers: as(read) }],
    [200, { path: pixel(), headers: as(write) }],
    [401, { path: "/v1/videos/v1" }],
    [403, { path: "/v1/videos/v1", headers: as(write) }],
    [200, { path: "/v1/videos/v1", headers: as(read) }],
    [200, { path: "/v1/videos/v1", headers: as(read) }],
    [401, { path: "/v1/videos/v1" }],
    [403, { path: "/v1/videos/v1", headers: as(write) }],
    [401, { path: "/v1/videos/v1/counts?eventType=VIEW", headers: { Origin: ORIGIN } }],
  ];
  try {
    viaExpress.length = 0;
    for (const [status, each] of asked) {
      const answered = await ask(both.front, each);
      expect(answered).toMatchObject({ status });
      expect(answered).toEqual(await ask(both.express, each));
    }
    expect(viaExpress).toEqual([]);
  } finally {
    await close(both);
    await keys.close();
    await store.close();
  }
});
