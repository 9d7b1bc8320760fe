// SPDX-License-Identifier: Apache-2.0
/** Every call of the client ends, for any value in place of an event and any answer of the other side. */

import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket } from "node:net";
import fc from "fast-check";
import { pause } from "../../client/exchange";
import { EventError, EventsError, ViewmillClient, type ViewmillClientOptions } from "../../client/index";

vi.setConfig({ testTimeout: 180_000 });
const ACCEPTING = (async (_url: string, init: RequestInit) => {
  const events = JSON.parse(new TextDecoder().decode(init.body as Uint8Array)) as unknown[];
  return new Response(JSON.stringify({ accepted: events.length, rejected: [] }), { status: 202 });
}) as typeof fetch;

/** Answers as ACCEPTING does, once `answerAll` was called. */
function heldBack(): { late: typeof fetch; answerAll: () => void } {
  const answered = Promise.withResolvers<void>();
  const late = (async (...request: Parameters<typeof fetch>) => {
    await answered.promise;
    return ACCEPTING(...request);
  }) as typeof fetch;
  return { late, answerAll: answered.resolve };
}

const client = (options: Partial<ViewmillClientOptions> = {}) =>
  new ViewmillClient({
    url: "http://127.0.0.1:1",
    compression: "none",
    lingerMs: 1,
    retries: 2,
    retryBaseMs: 1,
    retryMaxMs: 2,
    fetch: ACCEPTING,
    ...options,
  });

const thrower = (thrown: unknown) => () => {
  throw thrown;
};

/** Values by which code that reads, compares or prints a value comes to grief. */
const EXOTIC: readonly unknown[] = [
  null,
  undefined,
  1n,
  Symbol("s"),
  Number.NaN,
  Number.POSITIVE_INFINITY,
  -0,
  "",
  "x",
  () => 1,
  new Date(Number.NaN),
  new Date(0),
  new Map(),
  [],
  Object.create(null),
  (() => {
    const circular: Record<string, unknown> = { videoId: "v" };
    circular.eventType = circular;
    return circular;
  })(),
  {
    get videoId() {
      throw new Error("no");
    },
  },
  {
    get videoId() {
      throw Object.create(null);
    },
  },
  { videoId: "v", eventType: "VIEW", eventTime: { valueOf: thrower(1n) } },
  { videoId: "v", eventType: "VIEW", eventTime: Symbol("t") },
  { videoId: "v", eventType: "VIEW", eventId: 1n },
  { videoId: "v", eventType: "VIEW", value: 1n },
  { videoId: "v", eventType: "VIEW", eventTime: 1n },
  { videoId: "v", eventType: "VIEW", function: "MEDIAN" },
  { videoId: { toString: thrower("no") }, eventType: "VIEW" },
  { videoId: "v".repeat(5 << 20), eventType: "VIEW" },
  new Proxy({}, { get: thrower(Symbol("no")) }),
];

const anyValue = fc.oneof(
  fc.constantFrom(...EXOTIC),
  fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true, withSparseArray: true }),
  fc.record(
    {
      videoId: fc.oneof(fc.constant("v"), fc.constantFrom(...EXOTIC)),
      eventType: fc.oneof(fc.constant("VIEW"), fc.constantFrom(...EXOTIC)),
      function: fc.oneof(fc.constantFrom("COUNT", "SUM"), fc.constantFrom(...EXOTIC)),
      value: fc.oneof(fc.integer(), fc.constantFrom(...EXOTIC)),
      eventId: fc.oneof(fc.constant("e"), fc.constantFrom(...EXOTIC)),
      eventTime: fc.oneof(fc.date(), fc.constantFrom(...EXOTIC)),
    },
    { requiredKeys: ["videoId", "eventType"] },
  ),
);

const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};

const asAny = (value: unknown) => value as never;
const outcomes = (calls: Promise<void>[]) => Promise.allSettled(calls);

describe("an event that is none", () => {
  it("rejects its own promise with a typed error, the others of the list are accepted, and close ends", async () => {
    for (const bad of [...EXOTIC, revoked()]) {
      const viewmill = client();
      const list = viewmill.processEvents([{ videoId: "a", eventType: "VIEW" }, asAny(bad)]);
      const error = await list.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(EventsError);
      expect((error as EventsError).accepted).toBe(1);
      expect((error as EventsError).rejected.map(({ index }) => index)).toEqual([1]);
      await viewmill.close();
    }
  });

  it("of any kind whatever: no call throws, each ends, with an EventsError that accounts for every event", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyValue, { maxLength: 8 }), async (values) => {
        const seen: EventError[] = [];
        const viewmill = client({ onRejected: (error) => void seen.push(error) });
        const call = viewmill.processEvents(asAny(values));
        await viewmill.close();
        const [end] = await outcomes([call]);
        if (end!.status === "fulfilled") {
          expect(seen).toEqual([]);
          return;
        }
        expect(end!.reason).toBeInstanceOf(EventsError);
        const { accepted, rejected } = end!.reason as EventsError;
        expect(accepted + rejected.length).toBe(values.length);
        expect(seen.map(({ index }) => index).sort()).toEqual(rejected.map(({ index }) => index).sort());
        for (const error of rejected) expect(error).toBeInstanceOf(EventError);
      }),
      { numRuns: 300 },
    );
  });

  it("is refused by every call, and so is what is no list", async () => {
    await fc.assert(
      fc.asyncProperty(anyValue, anyValue, anyValue, async (first, second, third) => {
        const viewmill = client();
        const ends = outcomes([
          viewmill.countViewEvent(asAny(first)),
          viewmill.countEvent(asAny(first), asAny(second)),
          viewmill.processEvent(asAny(first), asAny(second), asAny(third), asAny(first)),
          viewmill.processEvents(asAny(first)),
        ]);
        await viewmill.close();
        for (const end of await ends) if (end.status === "rejected") expect(end.reason).toSatisfy(isTyped);
      }),
      { numRuns: 300 },
    );
    const endless = new Proxy([], { get: (_target, name) => (name === "length" ? 1e15 : undefined) });
    await expect(client().processEvents(endless)).rejects.toMatchObject({ reason: "too-large" });
    await expect(client().processEvents(asAny("ab"))).rejects.toMatchObject({ reason: "bad-event" });
    await expect(client({ clock: thrower("no") }).countViewEvent("v")).rejects.toMatchObject({ reason: "bad-event" });
  });

  it("is refused as a list that states a length which no list has, and so is a clock that tells no number", async () => {
    for (const length of [...EXOTIC.filter((one) => one !== 0), -1, 1.5, 1n, "2", { valueOf: thrower("no") }]) {
      const list = new Proxy([{ videoId: "v", eventType: "VIEW" }], {
        get: (target, name) => (name === "length" ? length : Reflect.get(target, name)),
      });
      const viewmill = client();
      const [end] = await outcomes([viewmill.processEvents(asAny(list))]);
      expect(end).toMatchObject({ status: "rejected", reason: { reason: "bad-event" } });
      expect(await viewmill.close()).toEqual({ unanswered: 0 });
    }
    for (const time of [...EXOTIC, 1n, -1]) {
      const viewmill = client({ clock: () => asAny(time) });
      const [end] = await outcomes([viewmill.countViewEvent("v")]);
      if (end!.status === "rejected") expect(end!.reason).toSatisfy(isTyped);
      expect(await viewmill.close()).toEqual({ unanswered: 0 });
    }
  });

  it("is read once: a getter that changes its mind cannot send another event", async () => {
    let reads = 0;
    const changing = {
      get videoId() {
        return reads++ === 0 ? "v" : 1n;
      },
      eventType: "VIEW",
    };
    await client().processEvents([asAny(changing)]);
    expect(reads).toBe(1);
  });
});

const isTyped = (error: unknown) => error instanceof EventError || error instanceof EventsError;

describe("a request that can never be made", () => {
  it.each([
    ["an unknown scheme", "ftp://127.0.0.1/"],
    ["a host without a scheme", "localhost:8080"],
    ["a port that fetch refuses", "http://127.0.0.1:6000"],
    ["credentials within the URL", "http://me:secret@127.0.0.1:8080"],
  ])("%s: refused at once, without a retry", async (_name, url) => {
    const startedMs = performance.now();
    const viewmill = new ViewmillClient({ url });
    const error = await viewmill.countViewEvent("v").catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: "EventError", reason: "refused" });
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    expect(await viewmill.close()).toEqual({ unanswered: 0 });
  });

  it("a header that no request can carry: refused at once", async () => {
    const viewmill = new ViewmillClient({ url: "http://127.0.0.1:1", headers: { Authorization: "a\nb" } });
    await expect(viewmill.countViewEvent("v")).rejects.toMatchObject({ reason: "refused" });
  });

  it("a URL that is none, or an option by which calls would hang, throws where the client is made", () => {
    expect(() => new ViewmillClient({ url: "nonsense" })).toThrow(/url must be a URL/);
    for (const option of [
      { maxInFlightRequests: 0 },
      { maxInFlightRequests: Number.NaN },
      { requestTimeoutMs: Number.POSITIVE_INFINITY },
      { batchSize: -1 },
      { drainWithinMs: 2 ** 40 },
    ])
      expect(() => client(option)).toThrow(new RegExp(Object.keys(option)[0]!));
  });
});

describe("an end", () => {
  const never = (() => new Promise(() => {})) as unknown as typeof fetch;

  it("of close comes in its time, though fetch heeds no signal: what has no answer fails as undelivered", async () => {
    const viewmill = client({
      fetch: never,
      batchSize: 2,
      maxInFlightRequests: 2,
      maxBufferedEvents: 6,
      maxWaitingEvents: 99,
    });
    const calls = Array.from({ length: 20 }, () => viewmill.countViewEvent("v"));
    const ready = viewmill.ready();
    expect(await viewmill.close({ withinMs: 50 })).toEqual({ unanswered: 20 });
    for (const end of await outcomes(calls)) expect(end).toMatchObject({ reason: { reason: "undelivered" } });
    await ready;
    expect(await viewmill.close()).toEqual({ unanswered: 0 });
  });

  it("of flush comes in its time, and what has no answer stays on its way", async () => {
    const { late, answerAll } = heldBack();
    const viewmill = client({ fetch: late });
    const call = viewmill.countViewEvent("v");
    expect(await viewmill.flush({ withinMs: 30 })).toEqual({ unanswered: 1 });
    answerAll();
    await call;
    expect(await viewmill.flush()).toEqual({ unanswered: 0 });
  });

  it.each([Number.POSITIVE_INFINITY, 2 ** 31, 1e300])(
    "of close waits for %d ms as for any other time",
    async (withinMs) => {
      const { late, answerAll } = heldBack();
      const viewmill = client({ fetch: late });
      const call = viewmill.countViewEvent("v");
      const closing = viewmill.close({ withinMs });
      expect(await Promise.race([closing, pause(50, undefined)])).toBeUndefined();
      answerAll();
      expect(await closing).toEqual({ unanswered: 0 });
      await call;
    },
  );

  it("of close comes within the usual time for a time that is none", async () => {
    for (const withinMs of [Number.NaN, -1, null, "5", 1n, Symbol("s")]) {
      const viewmill = client({ fetch: never, drainWithinMs: 20 });
      void viewmill.countViewEvent("v");
      expect(await viewmill.close({ withinMs: asAny(withinMs) })).toEqual({ unanswered: 1 });
      expect(await viewmill.close(asAny(null))).toEqual({ unanswered: 0 });
    }
  });

  it("of close comes though a compressor never ends", async () => {
    const compression = { encoding: "gzip", compress: () => new Promise<Uint8Array>(() => {}) } as const;
    const viewmill = client({ compression });
    const call = viewmill.processEvents(Array.from({ length: 50 }, () => ({ videoId: "v", eventType: "VIEW" })));
    expect(await viewmill.close({ withinMs: 50 })).toEqual({ unanswered: 50 });
    await expect(call).rejects.toMatchObject({ reason: "undelivered" });
  });
});

type Behaviour = (socket: Socket) => void;

const reply = (status: number, body: string, headers = "") =>
  `HTTP/1.1 ${status} X\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`;

/** The possible behaviours of a server, or of a proxy before it, towards a request. */
const misbehaviour: fc.Arbitrary<Behaviour> = fc.oneof(
  fc.constant<Behaviour>(() => {}),
  fc.constant<Behaviour>((socket) => void socket.destroy()),
  fc.constant<Behaviour>((socket) => void socket.end("HTTP/1.1 20")),
  fc.constant<Behaviour>((socket) => void socket.end("HTTP/1.1 202 X\r\nContent-Length: 500\r\n\r\n{")),
  fc.uint8Array({ minLength: 1, maxLength: 200 }).map<Behaviour>((bytes) => (socket) => void socket.end(bytes)),
  fc.tuple(fc.constantFrom(200, 204, 302, 400, 401, 404, 408, 413, 429, 500, 503), fc.json()).map<Behaviour>(
    ([status, body]) =>
      (socket) =>
        void socket.end(reply(status, body)),
  ),
  fc.json().map<Behaviour>((body) => (socket) => void socket.end(reply(202, body))),
  fc
    .record({
      accepted: fc.oneof(fc.nat(3), fc.constant(null), fc.constant(1e300)),
      rejected: fc.array(
        fc.oneof(
          fc.constant(null),
          fc.record({ index: fc.integer({ min: -1, max: 3 }), reason: fc.string(), detail: fc.string() }),
          fc.record({ index: fc.nat(2), reason: fc.integer(), detail: fc.constant(null) }),
        ),
        { maxLength: 3 },
      ),
    })
    .map<Behaviour>((body) => (socket) => void socket.end(reply(202, JSON.stringify(body)))),
  fc.constant<Behaviour>((socket) => void socket.end(reply(503, "{}", "Retry-After: 99999999\r\n"))),
);

describe("a server that does anything at all", () => {
  let server: Server;
  let url: string;
  let script: Behaviour[] = [];
  const sockets = new Set<Socket>();

  beforeAll(async () => {
    server = createServer((socket) => {
      sockets.add(socket.on("error", () => {}));
      socket.once("data", () => (script.shift() ?? ((last: Socket) => void last.destroy()))(socket));
      socket.once("close", () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  it("every call ends, and close ends with them", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(misbehaviour, { maxLength: 5 }), async (behaviours) => {
        script = [...behaviours];
        const options = { requestTimeoutMs: 30, breaker: { failures: 3, halfOpenAfterMs: 5 } };
        const viewmill = new ViewmillClient({
          url,
          lingerMs: 0,
          retries: 3,
          retryBaseMs: 1,
          retryMaxMs: 2,
          ...options,
        });
        const calls = [
          viewmill.countViewEvent("v"),
          viewmill.processEvents([
            { videoId: "v", eventType: "VIEW" },
            { videoId: "v", eventType: "LIKE" },
          ]),
        ];
        await viewmill.close({ withinMs: 200 });
        for (const end of await outcomes(calls)) if (end.status === "rejected") expect(end.reason).toSatisfy(isTyped);
      }),
      { numRuns: 60 },
    );
  });

  it("a 202 that does not account for every event is no answer", async () => {
    const wrong = [
      { accepted: 0, rejected: [] },
      { accepted: 1, rejected: [null] },
      { accepted: 2, rejected: [] },
    ];
    script = wrong.map((body) => (socket) => void socket.end(reply(202, JSON.stringify(body))));
    const viewmill = new ViewmillClient({ url, retries: 2, retryBaseMs: 1, retryMaxMs: 2 });
    await expect(viewmill.countViewEvent("v")).rejects.toMatchObject({ reason: "undelivered" });
  });
});
