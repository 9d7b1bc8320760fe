// SPDX-License-Identifier: Apache-2.0
/**
 * A client that goes on far beyond its limit costs the others little: a refused request takes nothing that the others
 * need. How much processor time is left is a figure of the bench (docs/bench/keys.md).
 */
import type { Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import pino from "pino";
import { Registry } from "prom-client";
import { Admission } from "../../../../admission/admission";
import { KeyRing } from "../../../../admission/key-ring";
import { createKey, newKeySchema } from "../../../../admission/new-key";
import { HttpConnection } from "../../../../bench/load/http-connection";
import type { Settings } from "../../../../cli/config/schema";
import { httpListener } from "../../../../cli/programs/http-listener";
import { frontListener } from "../../../../cli/programs/serve/front";
import { createIngestRouter } from "../../../../ingest-api/ingest-router";
import type { KeyLimits } from "../../../../io/ports/access-keys";
import { SqliteAccessKeys } from "../../../../io/sqlite/access-keys";
import { SqliteDeadLetters } from "../../../../io/sqlite/dead-letters";
import { SqliteEventLog } from "../../../../io/sqlite/event-log";
import { removeFolders, temporaryFolder } from "../../../io/ports/condition";
import { until } from "../../../until";

const REFUSED = 1_000;
const JSON_TYPE = { "Content-Type": "application/json" };

/** Passes every call on to a real store, and counts the calls. */
function counted<T extends object>(store: T): { store: T; calls: () => number } {
  let calls = 0;
  const get = (_target: T, name: string | symbol) => {
    const member = Reflect.get(store, name) as unknown;
    if (typeof member !== "function") return member;
    return (...given: unknown[]) => {
      calls++;
      return (member as (...all: unknown[]) => unknown).apply(store, given);
    };
  };
  return { store: new Proxy(store, { get }), calls: () => calls };
}

async function world() {
  const folder = temporaryFolder();
  const kept = new SqliteAccessKeys({ folder });
  const key = async (limits: KeyLimits) =>
    (await createKey(kept, newKeySchema.parse({ name: "test", scopes: ["write"], limits }), Date.now())).text;
  // One request in ten days: however slow the machine is, only the first one is admitted.
  const [good, greedy] = [await key({}), await key({ requestsPerSecond: 1 / 864_000 })];
  const keys = counted(kept);
  const log = counted(await SqliteEventLog.open({ folder }));
  const deadLetters = counted(new SqliteDeadLetters({ folder }));
  const logger = pino({ level: "silent" });
  const ring = await KeyRing.open({
    store: keys.store,
    clock: Date.now,
    logger,
    refreshMs: 86_400_000,
    maxStaleMs: 1e9,
  });
  const admission = new Admission({ keys: ring, clock: Date.now });
  const registry = new Registry();
  const ingest = createIngestRouter({
    ...{
      log: log.store,
      deadLetters: deadLetters.store,
      recentStamps: [],
      admission,
      clock: Date.now,
      logger,
      registry,
    },
    limits: { maxInFlightRequests: 1 },
  });
  let byExpress = 0;
  const app = () => void byExpress++;
  const http = { keepAliveSeconds: 600, requestSeconds: 600, maxConnections: 100 };
  const listener = frontListener({ admission, ingest, reads: () => undefined, secured: [], app });
  const server = httpListener({ http } as Settings<"http">, listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    await ring.close();
    for (const each of [log.store, deadLetters.store, kept]) await each.close();
  };
  return {
    ...{ server, port, url: `http://127.0.0.1:${port}`, good, greedy, registry, close },
    /** What a refused request must not raise. */
    touched: () => ({ keys: keys.calls(), log: log.calls(), deadLetters: deadLetters.calls(), byExpress }),
  };
}

let at: Awaited<ReturnType<typeof world>>;
let server: Server;
const opened: { close(): void }[] = [];
beforeEach(async () => {
  at = await world();
  server = at.server;
});
afterEach(async () => {
  for (const each of opened.splice(0)) each.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await at.close();
  removeFolders();
});

const event = (n: number) =>
  Buffer.from(`{"eventId":"e-${n}","videoId":"v","eventType":"VIEW","eventTime":${Date.now()}}`);
const bearer = (key: string) => ({ Authorization: `Bearer ${key}` });

async function connection(): Promise<HttpConnection> {
  const made = await HttpConnection.open(at.url);
  opened.push(made);
  return made;
}

/** Sends the head of a request, and as much of its body as `sent` holds. */
async function begun(key: string, announced: number, sent = ""): Promise<Socket> {
  const socket = connect(at.port, "127.0.0.1");
  opened.push({ close: () => socket.destroy() });
  await new Promise((resolve) => socket.once("connect", resolve));
  const head = `POST /v1/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\n`;
  socket.write(`${head}Content-Length: ${announced}\r\n\r\n${sent}`);
  return socket;
}

const ofMetric = async (name: string): Promise<number> => {
  const { values } = await at.registry.getSingleMetric(name)!.get();
  return values.reduce((sum, { value }) => sum + value, 0);
};

it("a request beyond its key's limit takes no place, and touches no log, no parser, no key file and no Express", async () => {
  const greedy = await connection();
  const post = () => greedy.post("/v1/events", { ...JSON_TYPE, ...bearer(at.greedy) }, Buffer.from("no JSON"));
  const pixel = () =>
    greedy.send(`GET /v1/pixel.gif?videoId=v HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${at.greedy}\r\n\r\n`);
  expect((await post()).status).toBe(400);
  // The only place among the requests in flight belongs to another key, whose body has not come yet.
  const others = await begun(at.good, event(0).length);
  await until(
    "the other's request is in flight",
    async () => (await ofMetric("viewmill_ingest_in_flight_requests")) === 1,
  );
  const [before, bodies] = [at.touched(), await ofMetric("viewmill_ingest_body_bytes_total")];
  const instances = new Set<string>();
  for (let n = 0; n < REFUSED; n++) {
    const { status, body } = await (n % 10 === 0 ? pixel() : post());
    const problem = JSON.parse(body) as Record<string, unknown>;
    expect([status, problem.type, problem.status]).toEqual([429, "urn:viewmill:problem:rate-limited", 429]);
    instances.add(String(problem.instance));
  }
  expect(instances.size).toBe(REFUSED);
  expect(at.touched()).toEqual(before);
  expect(await ofMetric("viewmill_ingest_body_bytes_total")).toBe(bodies);
  expect(await ofMetric("viewmill_ingest_in_flight_requests")).toBe(1);
  const answer = new Promise<string>((resolve) => others.once("data", (bytes) => resolve(String(bytes))));
  others.write(event(0));
  expect(await answer).toMatch(/^HTTP\/1\.1 202 /);
});

it("a refusal is answered before the body has come, and its connection goes on, however large the body is", async () => {
  const refusedOn = async (announced: number) => {
    const socket = await begun(at.greedy, announced);
    let text = "";
    socket.on("data", (bytes) => {
      text += String(bytes);
    });
    await until("answered", () => text.includes("rate-limited"));
    expect(text).toMatch(/^HTTP\/1\.1 429 /);
    expect(text).toMatch(/\r\nRetry-After: \d+\r\n/);
    expect(text).toMatch(/\r\nRateLimit: "requests";r=0;t=\d+\r\n/);
    text = "";
    for (let left = announced; left > 0; left -= 1 << 16) socket.write(" ".repeat(Math.min(left, 1 << 16)));
    socket.write(`POST /v1/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${at.good}\r\n`);
    socket.write(`Content-Type: application/json\r\nContent-Length: ${event(1).length}\r\n\r\n`);
    socket.write(event(1));
    await until("the next request is answered", () => text.includes("accepted"));
    expect(text).toMatch(/^HTTP\/1\.1 202 /);
    socket.destroy();
  };
  const first = await connection();
  expect((await first.post("/v1/events", { ...JSON_TYPE, ...bearer(at.greedy) }, event(0))).status).toBe(202);
  for (const announced of [1, 60_000, 4 << 20]) await refusedOn(announced);
});

it("a client that leaves in the middle of a refused body leaves the service whole", async () => {
  const first = await connection();
  expect((await first.post("/v1/events", { ...JSON_TYPE, ...bearer(at.greedy) }, event(0))).status).toBe(202);
  for (const announced of ["Content-Length: 60000", "Transfer-Encoding: chunked"]) {
    const socket = connect(at.port, "127.0.0.1");
    const answered = new Promise<void>((resolve) => socket.once("data", () => resolve()));
    socket.write(`POST /v1/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${at.greedy}\r\n${announced}\r\n\r\n`);
    await answered;
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.resetAndDestroy();
    await closed;
  }
  const connections = () => new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)));
  await until("the connections have ended", async () => (await connections()) === 1);
  expect((await first.post("/v1/events", { ...JSON_TYPE, ...bearer(at.good) }, event(2))).status).toBe(202);
});
