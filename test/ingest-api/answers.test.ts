// SPDX-License-Identifier: Apache-2.0
/**
 * The write API without a connection: requests in memory, real stores. Its bounds and refusals, and how callers and
 * replayed letters fare, cost milliseconds here.
 */
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { Writable } from "node:stream";
import { gzipSync } from "node:zlib";
import express from "express";
import pino from "pino";
import { Registry } from "prom-client";
import { Admission } from "../../admission/admission";
import { KeyRing } from "../../admission/key-ring";
import { createKey, newKeySchema } from "../../admission/new-key";
import { createIngestRouter, type IngestApi, type IngestLimits } from "../../ingest-api/ingest-router";
import { KnownEventTypes } from "../../intake/known-types";
import { decodeBatch, encodeBatch } from "../../io/formats/avro/batch";
import { StoreUnavailableError } from "../../io/ports";
import { SqliteAccessKeys } from "../../io/sqlite/access-keys";
import { columnsOf } from "../domain/model";
import { removeFolders, temporaryFolder } from "../io/ports/condition";
import { emptiedStores } from "../io/sqlite/emptied-stores";
import { event, NOW_MS } from "./ingest-harness";

const stores = emptiedStores();
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  removeFolders();
});

interface Options {
  limits?: Partial<IngestLimits>;
  admission?: Admission;
  eventTypes?: KnownEventTypes;
}

async function start(options: Options = {}) {
  const { log, deadLetters } = await stores();
  const registry = new Registry();
  const logged: { msg: string; problem?: { kind: string } }[] = [];
  const logger = pino({ level: "warn" }, { write: (line) => void logged.push(JSON.parse(line)) });
  // The log forgets stamps by the clock of the machine, and this process may have run for long before this test.
  const nowMs = Date.now();
  const common = { log, deadLetters, clock: () => nowMs, logger, ...options };
  const api = createIngestRouter({ ...common, recentStamps: await log.recentStamps(nowMs), registry });
  /** The service of another process, a minute later. */
  const restarted = async () =>
    createIngestRouter({
      ...{ ...common, recentStamps: await log.recentStamps(nowMs), registry: new Registry() },
      clock: () => nowMs + 60_000,
    });
  return { api, log, deadLetters, logged, registry, restarted, nowMs };
}

interface Sent {
  body?: string | Uint8Array;
  headers?: Record<string, string>;
  method?: string;
  url?: string;
  /** What happens to the request and its response before the request is handled. */
  before?: (request: IncomingMessage, response: ServerResponse) => void;
}

const JSON_TYPE = { "content-type": "application/json" };

/** A request whose body has arrived, and what was written for it. */
async function send(api: IngestApi, { body, headers = JSON_TYPE, method = "POST", url = "/v1/events", before }: Sent) {
  const request = new IncomingMessage(new Socket());
  Object.assign(request, { method, url, headers });
  const written: Buffer[] = [];
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      written.push(chunk);
      done();
    },
  });
  const response = new ServerResponse(request);
  response.assignSocket(sink as Socket);
  if (body !== undefined) {
    request.push(Buffer.from(body as Uint8Array));
    request.push(null);
  }
  before?.(request, response);
  if (url === "/v1/events" && method === "POST") await api.handle(request, response);
  else {
    const ended = new Promise((resolve) => response.once("close", resolve).once("finish", resolve));
    express().use(api.router)(request as never, response as never, () => undefined);
    await ended;
  }
  const [head = "", text = ""] = Buffer.concat(written).toString("latin1").split("\r\n\r\n");
  const fields = new Map(
    head
      .split("\r\n")
      .slice(1)
      .map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 2)]),
  );
  return { request, head, text, fields, status: Number(head.split(" ")[1] ?? 0), response };
}

const kindOf = (answer: { text: string }) =>
  (JSON.parse(answer.text) as { type: string }).type.replace("urn:viewmill:problem:", "");
const json = (...events: object[]) => JSON.stringify(events);
const isDiscarded = (request: IncomingMessage) => request.listenerCount("data") === 1;

describe("a request that is stored or refused", () => {
  it("has its length in its answer, and its rejections by index", async () => {
    const { api, log } = await start();
    const answer = await send(api, { body: json(event({ eventId: "a" }), event({ eventId: "b", value: "x" })) });
    expect(answer.status).toBe(202);
    expect(answer.fields.get("content-length")).toBe(String(answer.text.length));
    expect(answer.fields.get("content-type")).toBe("application/json");
    expect(JSON.parse(answer.text)).toMatchObject({
      ...{ accepted: 1, rejected: [{ index: 1, eventId: "b", reason: "bad-value" }] },
    });
    expect(await log.head()).toBe(1);
  });

  it("that is refused before its body came has the body discarded", async () => {
    const { api } = await start({ limits: { maxInFlightRequests: 0 } });
    const full = await send(api, {});
    expect([full.status, kindOf(full), isDiscarded(full.request)]).toEqual([429, "overloaded", true]);
    const { api: open } = await start();
    const unsupported = await send(open, { headers: { "content-type": "text/html" } });
    expect([unsupported.status, isDiscarded(unsupported.request)]).toEqual([415, true]);
    await open.drain();
    const draining = await send(open, {});
    expect([draining.status, kindOf(draining)]).toEqual([503, "unavailable"]);
  });

  it("is too large or corrupt after decompression as before it", async () => {
    const { api, log, logged } = await start({ limits: { maxBodyBytes: 200, maxInFlightBytes: 1_000 } });
    const gzip = { ...JSON_TYPE, "content-encoding": "gzip" };
    const padded = (bytes: number) => json(event()).padEnd(bytes);
    expect((await send(api, { body: gzipSync(padded(200)), headers: gzip })).status).toBe(202);
    const large = await send(api, { body: gzipSync(padded(201)), headers: gzip });
    expect([large.status, kindOf(large)]).toEqual([413, "too-large"]);
    const corrupt = await send(api, { body: "no gzip", headers: gzip });
    expect([corrupt.status, kindOf(corrupt)]).toEqual([400, "malformed-body"]);
    expect((JSON.parse(corrupt.text) as { detail: string }).detail).toContain("the body is no gzip stream: ");
    expect(JSON.parse(corrupt.text)).not.toHaveProperty("reason");
    const { api: narrow } = await start({ limits: { maxInFlightBytes: 150 } });
    const beyond = await send(narrow, { body: gzipSync(padded(150)), headers: gzip });
    expect([beyond.status, kindOf(beyond)]).toEqual([429, "overloaded"]);
    expect((JSON.parse(beyond.text) as { detail: string }).detail).toBe("too many bytes are being handled");
    const plain = await send(narrow, { body: padded(151) });
    expect([plain.status, kindOf(plain)]).toEqual([429, "overloaded"]);
    expect((await send(narrow, { body: padded(150) })).status).toBe(202);
    expect([await log.head(), logged.length]).toEqual([1, 0]);
  });

  it("of a client that has gone gets no answer and is not stored, and neither is one that has its answer", async () => {
    const { api, log, logged } = await start();
    const gone = await send(api, { before: (request) => void request.destroy() });
    expect([gone.head, gone.response.headersSent]).toEqual(["", false]);
    expect([await log.head(), logged.length]).toEqual([0, 0]);
    const closed = await send(api, {
      body: json(event()),
      before: (_, response) => void response.destroy(),
    });
    expect([closed.head, closed.response.headersSent]).toEqual(["", false]);
    const answered = await send(api, {
      headers: { "content-type": "text/html" },
      before: (_, response) => void response.writeHead(204).end(),
    });
    expect([answered.status, logged.length]).toEqual([204, 0]);
  });

  it("of a store that is away is a 503 that the log knows of, and a bug is a 500 without details", async () => {
    const { api, log, logged } = await start();
    log.append = () => Promise.reject(new StoreUnavailableError("disk 7"));
    const away = await send(api, { body: json(event()) });
    expect([away.status, kindOf(away)]).toEqual([503, "unavailable"]);
    log.append = () => Promise.reject(new Error("a bug"));
    const bug = await send(api, { body: json(event()) });
    expect([bug.status, kindOf(bug), bug.text.includes("a bug")]).toEqual([500, "internal", false]);
    expect(logged.map(({ msg }) => msg)).toEqual(["request refused", "request failed", "request refused"]);
  });

  it("keeps its stamps over a restart", async () => {
    const { api, log, restarted, nowMs } = await start();
    const untimed = json({ eventId: "a", videoId: "v", eventType: "VIEW" });
    await send(api, { body: untimed });
    await send(await restarted(), { body: untimed });
    const times = (await log.read(0, 10, 1 << 20)).map(({ payload }) => decodeBatch(payload).columns.timesMs[0]);
    expect(times).toEqual([nowMs, nowMs]);
  });
});

describe("the image", () => {
  const image = (query: string, method = "GET"): Sent => ({ method, url: `/v1/pixel.gif${query}` });
  const good = "?eventId=a&videoId=v&eventType=VIEW";

  it("is a GIF once its event is stored, and a problem where the event is refused or the store is away", async () => {
    const { api, log } = await start();
    const counted = await send(api, image(good));
    expect([counted.status, counted.fields.get("content-type"), await log.head()]).toEqual([200, "image/gif", 1]);
    const bad = await send(api, image("?eventId=a&videoId=v"));
    expect([bad.status, kindOf(bad)]).toEqual([400, "malformed-body"]);
    expect((await send(api, image(good, "PUT"))).fields.get("allow")).toBe("GET");
    log.append = () => Promise.reject(new StoreUnavailableError("away"));
    const away = await send(api, image(good));
    expect([away.status, kindOf(away)]).toEqual([503, "unavailable"]);
    log.append = () => Promise.reject(new Error("a bug"));
    expect(kindOf(await send(api, image(good)))).toBe("internal");
    await api.drain();
    expect((await send(api, image(good))).status).toBe(503);
  });

  it("takes a place among the requests, and gives it back", async () => {
    const { api } = await start({ limits: { maxInFlightRequests: 1 } });
    for (let n = 0; n < 3; n++) expect((await send(api, image(good))).status).toBe(200);
    const { api: none } = await start({ limits: { maxInFlightRequests: 0 } });
    expect(kindOf(await send(none, image(good)))).toBe("overloaded");
  });

  it("has integers as numbers, and no text that ends like one", async () => {
    const { api } = await start();
    expect((await send(api, image(`${good}&value=-12&eventTime=${NOW_MS}`))).status).toBe(200);
    for (const value of ["x12", "12x", "1.5"]) {
      const answer = await send(api, image(`${good}&value=${value}`));
      expect([answer.status, JSON.parse(answer.text)]).toMatchObject([400, { reason: "bad-value" }]);
    }
  });
});

describe("keys", () => {
  async function withKey(spec: object, maxStaleMs?: number) {
    const keys = new SqliteAccessKeys({ folder: temporaryFolder() });
    const { text } = await createKey(keys, newKeySchema.parse({ name: "t", scopes: ["write"], ...spec }), NOW_MS);
    const bound = maxStaleMs === undefined ? {} : { maxStaleMs };
    const logger = pino({ level: "silent" });
    const ring = await KeyRing.open({ store: keys, clock: () => NOW_MS, logger, ...bound });
    closing.push(async () => {
      await ring.close();
      await keys.close();
    });
    const started = await start({ admission: new Admission({ keys: ring, clock: () => NOW_MS }) });
    return { ...started, headers: { ...JSON_TYPE, authorization: `Bearer ${text}` } };
  }

  it("that are missing or unknown refuse a request before its body", async () => {
    const { api, log, headers, logged } = await withKey({});
    const refused = await send(api, {});
    expect([refused.status, kindOf(refused), isDiscarded(refused.request)]).toEqual([401, "unauthorized", true]);
    expect(refused.fields.get("www-authenticate")).toContain("Bearer");
    const answered = { before: (_: unknown, response: ServerResponse) => void response.writeHead(204).end() };
    expect((await send(api, answered)).status).toBe(204);
    expect((await send(api, { before: (_, response) => void response.destroy() })).head).toBe("");
    expect((await send(api, { body: json(event()), headers })).status).toBe(202);
    expect([await log.head(), logged.length]).toEqual([1, 0]);
  });

  it("that cannot be read any more refuse every request, and the log knows of it", async () => {
    const { api, headers, logged, registry } = await withKey({}, -1);
    const stale = await send(api, { body: json(event()), headers });
    expect([stale.status, logged.map(({ msg }) => msg)]).toEqual([503, ["request refused"]]);
    expect(logged[0]).toMatchObject({ problem: { status: 503 }, instance: expect.stringMatching(/^urn:uuid:/) });
    expect(await registry.metrics()).toContain('viewmill_ingest_requests_total{status="503",format="none"} 1\n');
  });

  it("with types of their own refuse a request with any other, used ones alone", async () => {
    const { api, log, headers } = await withKey({ eventTypes: ["VIEW"] });
    const like = event({ eventType: "LIKE" });
    for (const events of [[like], [event(), like], [like, event()]]) {
      const answer = await send(api, { body: json(...events), headers });
      expect([answer.status, kindOf(answer)]).toEqual([403, "forbidden"]);
    }
    expect(await log.head()).toBe(0);
    const used = await send(api, { body: json(event(), { ...like, value: "x" }), headers });
    expect(JSON.parse(used.text)).toMatchObject({ accepted: 1, rejected: [{ index: 1 }] });
    expect(used.fields.has("ratelimit")).toBe(false);
    const columns = columnsOf([{ eventId: "a", videoId: "v", eventType: "VIEW", eventTimeMs: NOW_MS }]);
    columns.types.push("LIKE");
    const batch = encodeBatch(columns, { receivedAtMs: 0, producerId: "", batchId: "" });
    const typed = { ...headers, "content-type": "application/vnd.viewmill.batch+avro" };
    expect((await send(api, { body: batch, headers: typed })).status).toBe(202);
  });

  it("with limits say in each answer what is left", async () => {
    const { api, headers } = await withKey({ limits: { eventsPerDay: 3, requestsPerSecond: 100 } });
    const paid = await send(api, { body: json(event(), event()), headers });
    expect([paid.status, paid.fields.has("ratelimit"), paid.fields.has("ratelimit-policy")]).toEqual([202, true, true]);
    expect((await send(api, { body: json(event(), event()), headers })).status).toBe(429);
    expect((await send(api, { body: json(event()), headers })).status).toBe(202);
  });
});

describe("a letter that is replayed", () => {
  const again = (api: IngestApi, body: string, type = "application/json") => api.again(Buffer.from(body), type);

  it("is stored, or says why it is refused again", async () => {
    const { api, log, registry } = await start();
    expect(await again(api, json(event()))).toBeUndefined();
    expect(await log.head()).toBe(1);
    expect(await again(api, json(event()), "text/html")).toMatch(/text\/html/);
    expect(await again(api, "{")).toMatch(/^not-json: /);
    expect(await again(api, json(event({ value: "x" })))).toMatch(/^bad-value: /);
    expect(await again(api, "[]")).toBe("it holds no event");
    expect(await log.head()).toBe(1);
    const metrics = await registry.metrics();
    expect(metrics).toContain('viewmill_ingest_accepted_events_total{format="json"} 1\n');
    expect(metrics).not.toContain("viewmill_ingest_rejected_events_total{");
  });

  it("stays where the log, the event types or the stamps are away", async () => {
    const types = { admit: () => Promise.reject(new StoreUnavailableError("away")) };
    const { api } = await start({ eventTypes: new KnownEventTypes(types, 5) });
    await expect(again(api, json(event()))).rejects.toThrow("the event types cannot be asked for now");
    const { api: stampless } = await start({ limits: { maxStamps: 0 } });
    const untimed = { eventId: "a", videoId: "v", eventType: "VIEW" };
    await expect(again(stampless, json(untimed))).rejects.toThrow("too many events without a time came");
    const { api: logless, log } = await start();
    log.append = () => Promise.reject(new StoreUnavailableError("away"));
    await expect(again(logless, json(event()))).rejects.toBeInstanceOf(StoreUnavailableError);
  });
});
