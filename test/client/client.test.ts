// SPDX-License-Identifier: Apache-2.0

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { platformGzip } from "../../client/compress";
import { EventError, EventsError, uuidV7, ViewmillClient, type ViewmillClientOptions } from "../../client/index";
import { streamGzip } from "../../client/stream-gzip";
import { uuidV7TimeMs } from "../../domain/event";
import { IngestHarness } from "../ingest-api/ingest-harness";
import { emptiedStores } from "../io/sqlite/emptied-stores";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** The real ingest behind a door that misbehaves as told: one fault a request, then none. */
class FaultyServer {
  readonly faults: ((request: IncomingMessage, response: ServerResponse, pass: () => void) => void)[] = [];
  readonly requests: { at: number; body: Buffer; encoding: string | undefined }[] = [];
  private server!: Server;
  url = "";

  async start(harness: IngestHarness): Promise<this> {
    harness.nowMs = Date.now();
    const inner = harness.server.listeners("request")[0] as Handler;
    this.server = createServer((request, response) => {
      const seen = { at: performance.now(), body: Buffer.alloc(0), encoding: request.headers["content-encoding"] };
      this.requests.push(seen);
      request.on("data", (chunk: Buffer) => {
        seen.body = Buffer.concat([seen.body, chunk]);
      });
      const fault = this.faults.shift();
      const pass = () => inner(request, response);
      if (fault === undefined) pass();
      else fault(request, response, pass);
    });
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    return this;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

const answer =
  (status: number, headers: Record<string, string> = {}): Handler =>
  (request, response) => {
    request.resume().on("end", () => response.writeHead(status, headers).end("{}"));
  };
/** Lets the server accept the events, then cuts the connection instead of answering. */
const acceptThenCut = (request: IncomingMessage, response: ServerResponse, pass: () => void) => {
  response.end = (() => {
    request.socket.destroy();
    return response;
  }) as typeof response.end;
  pass();
};
const hang: Handler = (request) => void request.resume();

let harness: IngestHarness;
const stores = emptiedStores();
let server: FaultyServer;
beforeEach(async () => {
  harness = await IngestHarness.start({ stores: await stores() });
  server = await new FaultyServer().start(harness);
});
afterEach(async () => {
  await server.stop();
  await harness.stop();
});

const client = (options: Partial<ViewmillClientOptions> = {}) =>
  new ViewmillClient({ url: server.url, retryBaseMs: 5, retryMaxMs: 20, ...options });

const distinct = async () => new Set((await harness.events()).map((e) => `${e.eventId} ${e.videoId} ${e.eventTimeMs}`));
const decoded = (body: Buffer, encoding: string | undefined) =>
  (encoding === "gzip" ? gunzipSync(body) : body).toString();

describe("calls", () => {
  it("resolve when the event is durable, with what was asked to be counted", async () => {
    const viewmill = client();
    await Promise.all([
      viewmill.countViewEvent("v1"),
      viewmill.countEvent("v1", "LIKE"),
      viewmill.processEvent("v1", "WATCH", "SUM", 1500),
      viewmill.processEvent("v1", "WATCH", "AVERAGE", -5),
      viewmill.processEvent("v1", "SHARE", "COUNT"),
      viewmill.processEvents([
        { videoId: "v2", eventType: "VIEW", eventId: "mine", eventTime: new Date(harness.nowMs - 5000) },
        { videoId: "v2", eventType: "VIEW" },
      ]),
    ]);
    const events = await harness.events();
    expect(events.map((e) => [e.videoId, e.eventType, e.value])).toEqual([
      ["v1", "VIEW", undefined],
      ["v1", "LIKE", undefined],
      ["v1", "WATCH", 1500],
      ["v1", "WATCH", -5],
      ["v1", "SHARE", undefined],
      ["v2", "VIEW", undefined],
      ["v2", "VIEW", undefined],
    ]);
    expect(events[5]).toMatchObject({ eventId: "mine", eventTimeMs: harness.nowMs - 5000 });
    expect(uuidV7TimeMs(events[0]!.eventId)).toBe(events[0]!.eventTimeMs);
    expect(server.requests).toHaveLength(1);
    expect(server.requests[0]!.encoding).toBe("gzip");
  });

  it("reject with the reason, each for its own event", async () => {
    const seen: EventError[] = [];
    const viewmill = client({ onRejected: (error) => void seen.push(error) });
    const good = viewmill.countViewEvent("fine");
    const bad = viewmill.countViewEvent("not fine");
    const list = viewmill.processEvents([
      { videoId: "a", eventType: "VIEW" },
      { videoId: "b", eventType: "view", eventId: "x" },
      { videoId: "c", eventType: "VIEW", value: 1.5 },
      { videoId: "d", eventType: "VIEW", function: "SUM" },
      { videoId: "e", eventType: "VIEW", eventTime: new Date("nonsense") },
    ]);
    await good;
    await expect(bad).rejects.toMatchObject({ name: "EventError", reason: "bad-video-id" });
    const error = await list.catch((e: unknown) => e);
    expect(error).toBeInstanceOf(EventsError);
    expect((error as EventsError).accepted).toBe(1);
    expect((error as EventsError).rejected.map((r) => [r.index, r.reason])).toEqual([
      [1, "bad-event-type"],
      [2, "bad-value"],
      [3, "bad-value"],
      [4, "bad-event-time"],
    ]);
    expect(seen).toHaveLength(5);
    expect(seen[0]).toBeInstanceOf(EventError);
    await viewmill.close();
    await expect(viewmill.countViewEvent("late")).rejects.toMatchObject({ reason: "closed" });
  });

  it("are batched by size, and by linger where they do not fill a batch", async () => {
    const viewmill = client({ batchSize: 10, lingerMs: 30 });
    await Promise.all(Array.from({ length: 25 }, () => viewmill.countViewEvent("v")));
    expect(server.requests.map(({ body, encoding }) => JSON.parse(decoded(body, encoding)).length).sort()).toEqual([
      10, 10, 5,
    ]);
  });

  it("nobody awaits cannot end the process", async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on("unhandledRejection", note);
    try {
      const { promise, resolve } = Promise.withResolvers<EventError>();
      const viewmill = client({ onRejected: resolve });
      void viewmill.countViewEvent("not fine");
      expect(await promise).toMatchObject({ reason: "bad-video-id" });
      // Node reports a rejection without a handler when the microtasks are done, before the next turn. Neither flush
      // nor close may come first: both handle the rejection themselves.
      await new Promise((turn) => setImmediate(turn));
      expect(unhandled).toEqual([]);
      await viewmill.close();
    } finally {
      process.off("unhandledRejection", note);
    }
  });
});

describe("a server that fails", () => {
  it("any way it likes: every event counts once in the end, by the same bodies", async () => {
    server.faults.push(
      answer(503, { "Retry-After": "0" }),
      (request) => void request.socket.destroy(),
      answer(429),
      acceptThenCut,
      answer(500),
      hang,
      (request, response) => void request.resume().on("end", () => response.writeHead(202).end('{"accepted":')),
      acceptThenCut,
      answer(408),
    );
    const viewmill = client({ batchSize: 20, requestTimeoutMs: 1_000, breaker: { failures: 4, halfOpenAfterMs: 20 } });
    const sends = Array.from({ length: 100 }, (_, i) => viewmill.countViewEvent(`v${i}`));
    await viewmill.close();
    expect((await Promise.allSettled(sends)).every((r) => r.status === "fulfilled")).toBe(true);
    // On a loaded machine the time of a request may end before the server has answered it.
    expect(server.requests.length).toBeGreaterThanOrEqual(5 + 9);
    expect((await harness.events()).length).toBeGreaterThan(100);
    expect((await distinct()).size).toBe(100);
    expect(new Set(server.requests.filter((r) => r.body.length > 0).map((r) => r.body.toString("hex"))).size).toBe(5);
  });

  it("with Retry-After is not asked again before", async () => {
    server.faults.push(answer(503, { "Retry-After": "1" }));
    await client().countViewEvent("v");
    expect(server.requests[1]!.at - server.requests[0]!.at).toBeGreaterThanOrEqual(990);
  });

  it("for good lets calls fail as undelivered after the retries", async () => {
    server.faults.push(...Array.from({ length: 100 }, () => answer(503)));
    const viewmill = client({ retries: 3 });
    await expect(viewmill.countViewEvent("v")).rejects.toMatchObject({ reason: "undelivered" });
    expect(server.requests).toHaveLength(4);
  });

  it("is left alone while the circuit is open, and used again when it is well", async () => {
    server.faults.push(...Array.from({ length: 6 }, () => answer(503)));
    const viewmill = client({ batchSize: 1, maxInFlightRequests: 4, breaker: { failures: 5, halfOpenAfterMs: 300 } });
    const sends = Array.from({ length: 8 }, () => viewmill.countViewEvent("v"));
    await Promise.all(sends);
    const gaps = server.requests.map((r, i) => r.at - (server.requests[i - 1]?.at ?? r.at));
    expect(Math.max(...gaps)).toBeGreaterThan(140);
    expect((await distinct()).size).toBe(8);
  });

  it("because it is not there is a failure within the connect timeout", async () => {
    await server.stop();
    const viewmill = client({ retries: 1 });
    await expect(viewmill.countViewEvent("v")).rejects.toMatchObject({ reason: "undelivered" });
    await server.start(harness);
  });

  it("that does not take the connection is given up after the connect timeout, not the request timeout", async () => {
    // A stopped process with a full backlog: the kernel leaves further connections unanswered.
    const script =
      "require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, function () { console.log(this.address().port) })";
    const deaf = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    const port = Number(String((await once(deaf.stdout, "data"))[0]));
    deaf.kill("SIGSTOP");
    const fillers = Array.from({ length: 8 }, () => connect(port, "127.0.0.1").on("error", () => {}));
    await vi.waitFor(() => expect(fillers.filter((socket) => !socket.connecting).length).toBeGreaterThanOrEqual(2));
    const startedMs = performance.now();
    const viewmill = client({ url: `http://127.0.0.1:${port}`, retries: 0, connectTimeoutMs: 300 });
    await expect(viewmill.countViewEvent("v")).rejects.toThrow(/Connect Timeout/);
    expect(performance.now() - startedMs).toBeLessThan(5000);
    for (const socket of fillers) socket.destroy();
    deaf.kill("SIGKILL");
  });

  it("with 4xx for the request itself fails its events at once", async () => {
    server.faults.push(answer(401));
    await expect(client().countViewEvent("v")).rejects.toMatchObject({ reason: "refused" });
    expect(server.requests).toHaveLength(1);
  });

  it("with 413 gets smaller batches", async () => {
    server.faults.push(answer(413), answer(413));
    await client().processEvents(Array.from({ length: 9 }, () => ({ videoId: "v", eventType: "VIEW" })));
    expect((await distinct()).size).toBe(9);
  });
});

describe("bounds", () => {
  it("the buffer holds calls back, later ones wait, too many fail, and none is lost", async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    server.faults.push((_request, response, pass) => {
      const end = response.end.bind(response) as (text?: unknown) => ServerResponse;
      response.end = ((text?: unknown) => {
        void held.then(() => end(text));
        return response;
      }) as typeof response.end;
      pass();
    });
    const viewmill = client({
      batchSize: 5,
      maxBufferedEvents: 5,
      maxWaitingEvents: 3,
      maxInFlightRequests: 1,
    });
    const sends = Array.from({ length: 10 }, () => viewmill.countViewEvent("v"));
    let ready = false;
    const becomesReady = viewmill.ready().then(() => {
      ready = true;
    });
    await expect(sends[8]).rejects.toMatchObject({ reason: "buffer-full" });
    await expect(sends[9]).rejects.toMatchObject({ reason: "buffer-full" });
    expect(ready).toBe(false);
    release();
    await Promise.all(sends.slice(0, 8));
    await becomesReady;
    expect((await distinct()).size).toBe(8);
  });

  it("flush waits for the calls made before it, and for those that wait for room", async () => {
    const viewmill = client({ lingerMs: 60_000, maxBufferedEvents: 4, batchSize: 3, maxWaitingEvents: 100 });
    let settled = 0;
    for (let i = 0; i < 50; i++) void viewmill.countViewEvent("v").finally(() => settled++);
    await viewmill.flush();
    expect(settled).toBe(50);
    expect((await distinct()).size).toBe(50);
  });
});

describe("in a browser", () => {
  it("no file of the client imports from node", () => {
    const folder = join(process.cwd(), "client");
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
    expect(files.length).toBeGreaterThan(10);
    for (const file of files) expect(readFileSync(join(folder, file), "utf8")).not.toMatch(/from "node:/);
  });

  it("CompressionStream and node:zlib give the same bytes back", async () => {
    const bytes = new TextEncoder().encode("abc".repeat(1000));
    expect(gunzipSync(await streamGzip(bytes)).equals(bytes)).toBe(true);
    expect(gunzipSync(await platformGzip()!.compress(bytes)).equals(bytes)).toBe(true);
  });

  it("a fetch that was passed in is the only way out", async () => {
    const bodies: string[] = [];
    const fakeFetch = (async (_url: string, init: RequestInit) => {
      bodies.push(new TextDecoder().decode(init.body as Uint8Array));
      return new Response('{"accepted":1,"rejected":[]}', { status: 202 });
    }) as typeof fetch;
    await client({ fetch: fakeFetch, compression: "none" }).countViewEvent("v");
    expect(JSON.parse(bodies[0]!)).toMatchObject([{ videoId: "v", eventType: "VIEW" }]);
    expect(server.requests).toEqual([]);
  });
});

it("a UUIDv7 carries its time, is canonical and does not repeat", () => {
  const ids = Array.from({ length: 10_000 }, () => uuidV7(1_700_000_000_123));
  expect(new Set(ids).size).toBe(10_000);
  for (const id of ids) {
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(uuidV7TimeMs(id)).toBe(1_700_000_000_123);
  }
});
