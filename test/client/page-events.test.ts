// SPDX-License-Identifier: Apache-2.0
/** The client in a page, without a browser: what it keeps, what it sends when the page goes away. */
import { EventQueue } from "../../client/browser/event-queue";
import { PageClient, type PageClientOptions } from "../../client/browser/page-client";
import type { EventError } from "../../client/index";
import { MemoryIndexedDb } from "./indexed-db";

const URL_OF_EVENTS = "http://127.0.0.1:1/v1/events";
type Sent = { url: string; init: RequestInit; events: { eventId: string; videoId: string }[] };

let storage: MemoryIndexedDb;
let page: EventTarget & { visibilityState: string };
let tab: EventTarget;
let beacons: { url: string; body: string }[];
let beaconsLeft: number;
let clients: PageClient[];

beforeEach(() => {
  storage = new MemoryIndexedDb();
  page = Object.assign(new EventTarget(), { visibilityState: "visible" });
  tab = new EventTarget();
  [beacons, beaconsLeft, clients] = [[], Number.POSITIVE_INFINITY, []];
  vi.stubGlobal("indexedDB", storage);
  vi.stubGlobal("document", page);
  vi.stubGlobal("addEventListener", tab.addEventListener.bind(tab));
  vi.stubGlobal("removeEventListener", tab.removeEventListener.bind(tab));
  vi.stubGlobal("navigator", {
    sendBeacon(url: string, body: string) {
      if (beaconsLeft-- <= 0) return false;
      beacons.push({ url, body });
      return true;
    },
  });
});
afterEach(async () => {
  for (const client of clients) await client.close({ withinMs: 0 });
  vi.unstubAllGlobals();
});

const hide = (state = "hidden") => {
  page.visibilityState = state;
  page.dispatchEvent(new Event("visibilitychange"));
};
const leave = () => void tab.dispatchEvent(new Event("pagehide"));
const turns = async () => {
  for (let n = 0; n < 3; n++) await new Promise((turn) => setImmediate(turn));
};

/** A client whose requests are answered by `answer`; without one they get no answer. */
function open(options: Partial<PageClientOptions> = {}, answer?: (sent: Sent) => unknown) {
  const sent: Sent[] = [];
  const send = async (url: string, init: RequestInit) => {
    const body = typeof init.body === "string" ? init.body : new TextDecoder().decode(init.body as Uint8Array);
    sent.push({ url, init, events: JSON.parse(body) });
    if (answer === undefined) return new Promise(() => {});
    return new Response(JSON.stringify(answer(sent.at(-1)!)), { status: 202 });
  };
  const client = new PageClient({
    ...{ url: "http://127.0.0.1:1", fetch: send as unknown as typeof fetch, compression: "none", lingerMs: 0 },
    ...options,
  });
  clients.push(client);
  return { client, sent };
}

const accepting = ({ events }: Sent) => ({ accepted: events.length, rejected: [] });
const event = (eventId: string) => ({ videoId: "v", eventType: "VIEW", eventId, eventTime: 5 });
const idsIn = (bodies: { body: string }[]) =>
  bodies.map(({ body }) => (JSON.parse(body) as { eventId: string }[]).map(({ eventId }) => eventId));

describe("the queue of an origin", () => {
  const kept = (eventId: string, json = "{}") => ({ eventId, json });

  it("keeps events until they are removed, for every page that names it", async () => {
    const [one, same, other] = [new EventQueue("q", 9), new EventQueue("q", 9), new EventQueue("r", 9)];
    await one.put({ ...kept("a", '{"a":1}'), more: "not kept" } as never);
    await one.put(kept("b"));
    await turns();
    expect(await same.load()).toEqual([kept("a", '{"a":1}'), kept("b")]);
    expect(await other.load()).toEqual([]);
    await same.remove("a");
    await turns();
    expect(await one.load()).toEqual([kept("b")]);
    await one.close();
    expect(await one.load()).toEqual([]);
    await one.put(kept("c"));
    await one.remove("b");
    expect(await same.load()).toEqual([kept("b")]);
  });

  it("keeps so many events and no more, and none that is longer than any", async () => {
    const queue = new EventQueue("q", 2);
    await queue.put(kept("too long", "x".repeat(2_049)));
    for (const id of ["a", "b", "c"]) {
      await queue.put(kept(id, "x".repeat(2_048)));
      await turns();
    }
    expect(storage.idsOf("q")).toEqual(["a", "b"]);
  });

  it("is empty where there is no database, and where it cannot be read", async () => {
    storage.fault = "no-database";
    const none = new EventQueue("q", 9);
    expect(await none.load()).toEqual([]);
    await Promise.all([none.put(kept("a")), none.remove("a"), none.close()]);
    storage.fault = "no-reads";
    const unreadable = new EventQueue("q", 9);
    await unreadable.put(kept("a"));
    await turns();
    expect(storage.idsOf("q")).toEqual(["a"]);
    expect(await unreadable.load()).toEqual([]);
  });
});

describe("an event of a page with a queue", () => {
  it("is kept until it has its answer, good or bad", async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const rejected = [{ index: 1, eventId: "bad", reason: "bad-value", detail: "d" }];
    const { client } = open({ queue: true }, () => held.then(() => ({ accepted: 1, rejected })));
    const answering = open({ queue: true }, () => ({ accepted: 1, rejected }));
    await answering.client.processEvents([event("good"), event("bad")]).catch(() => {});
    await turns();
    expect(storage.idsOf("viewmill")).toEqual([]);
    void client.processEvents([event("good"), event("bad")]);
    await turns();
    expect(storage.idsOf("viewmill")).toEqual(["good", "bad"]);
    release();
  });

  it("that is none is not looked for in the queue", async () => {
    const { client } = open({ queue: true }, accepting);
    await expect(client.processEvents([null as never, event("a")])).rejects.toMatchObject({
      ...{ accepted: 1, rejected: [{ index: 0, eventId: null }] },
    });
    await turns();
    expect(storage.idsOf("viewmill")).toEqual([]);
  });

  it("stays kept where it was not delivered, or found no room, and a later page sends it again", async () => {
    const options = { queue: { name: "mine" }, maxBufferedEvents: 1, maxWaitingEvents: 1, batchSize: 1 };
    const { client } = open(options);
    const calls = ["a", "b", "c"].map((id) => client.processEvents([event(id)]).catch((error) => error.reason));
    expect(await calls[2]).toBe("buffer-full");
    await turns();
    await client.close({ withinMs: 0 });
    expect(await Promise.all(calls)).toEqual(["undelivered", "undelivered", "buffer-full"]);
    expect(storage.idsOf("mine")).toEqual(["a", "b", "c"]);
    const seen: EventError[] = [];
    const rejected = [{ index: 1, eventId: "b", reason: "too-old", detail: "d" }];
    const later = open({ queue: { name: "mine" }, onRejected: (error) => void seen.push(error) }, () => ({
      ...{ accepted: 2, rejected },
    }));
    await vi.waitFor(() => expect(storage.idsOf("mine")).toEqual([]));
    expect(later.sent.map(({ events }) => events)).toEqual([
      ["a", "b", "c"].map((eventId) => ({ eventId, videoId: "v", eventType: "VIEW", eventTime: 5 })),
    ]);
    expect(seen.map(({ eventId, reason, index }) => [eventId, reason, index])).toEqual([["b", "too-old", 1]]);
  });

  it("is kept up to 1,000 events, or as many as the page says; without a queue none is", async () => {
    const { client } = open({ queue: { maxEvents: 2 } });
    for (const id of ["a", "b", "c"]) {
      void client.processEvents([event(id)]);
      await turns();
    }
    expect(storage.idsOf("viewmill")).toEqual(["a", "b"]);
    const plain = open();
    void plain.client.processEvents([event("d")]);
    const without = open({ queue: false });
    void without.client.processEvents([event("e")]);
    await turns();
    expect([...storage.databases.keys()]).toEqual(["viewmill"]);
    expect(storage.idsOf("viewmill")).toEqual(["a", "b"]);
    const others = new MemoryIndexedDb();
    vi.stubGlobal("indexedDB", others);
    open();
    open({ queue: false });
    await turns();
    expect(others.databases.size).toBe(0);
    vi.stubGlobal("indexedDB", storage);
    const all = new EventQueue("all", 1_000);
    await all.close();
    const many = open({ queue: { name: "all" } });
    for (let n = 0; n < 1_002; n++) {
      void many.client.processEvents([event(`${n}`)]);
      if (n > 990) await turns();
    }
    await turns();
    expect(storage.idsOf("all")).toHaveLength(1_000);
  });
});

describe("a page that goes away", () => {
  it("sends what has no answer by one beacon, each event once, and goes on delivering", async () => {
    const { client, sent } = open({ batchSize: 2, maxInFlightRequests: 1, lingerMs: 60_000 });
    void client.processEvents([event("a"), event("b"), event("c")]);
    await turns();
    hide("visible");
    expect(beacons).toEqual([]);
    hide();
    expect(beacons.map(({ url }) => url)).toEqual([URL_OF_EVENTS]);
    expect(idsIn(beacons)).toEqual([["a", "b", "c"]]);
    void client.processEvents([event("d")]);
    leave();
    expect(idsIn(beacons.slice(1))).toEqual([["d"]]);
    leave();
    hide();
    expect(beacons).toHaveLength(2);
    expect(sent.map(({ events }) => events.map(({ eventId }) => eventId))).toEqual([["a", "b"]]);
  });

  it("sends nothing where everything has its answer, or the client is closed", async () => {
    const { client } = open({}, accepting);
    await client.processEvents([event("a")]);
    leave();
    const other = open();
    void other.client.processEvents([event("b")]);
    await other.client.close({ withinMs: 0 });
    hide();
    leave();
    expect(beacons).toEqual([]);
  });

  it("leaves no listener behind when the client is closed", async () => {
    const kept = new Set<string>();
    for (const target of [page, tab]) {
      vi.spyOn(target, "addEventListener").mockImplementation((name) => void kept.add(name));
      vi.spyOn(target, "removeEventListener").mockImplementation((name) => void kept.delete(name));
    }
    vi.stubGlobal("addEventListener", tab.addEventListener.bind(tab));
    vi.stubGlobal("removeEventListener", tab.removeEventListener.bind(tab));
    const { client } = open();
    expect([...kept]).toEqual(["visibilitychange", "pagehide"]);
    await client.close({ withinMs: 0 });
    expect([...kept]).toEqual([]);
  });

  it("stops where the browser takes no more, and sends the rest at the next occasion", async () => {
    const { client } = open({ lingerMs: 60_000 });
    const long = (n: number) => ({ ...event(`${n}`), videoId: "v".repeat(40_000) });
    void client.processEvents([long(0), long(1), long(2)]);
    beaconsLeft = 1;
    leave();
    expect(idsIn(beacons)).toEqual([["0"]]);
    beaconsLeft = 9;
    hide();
    expect(idsIn(beacons)).toEqual([["0"], ["1"], ["2"]]);
  });

  it.each([1, 100, 1_000, 59_000])("fills beacons up to 60,000 bytes: events of %d more characters", (more) => {
    const { client } = open({ lingerMs: 60_000 });
    const events = Array.from({ length: Math.ceil(130_000 / (more + 60)) }, (_, n) => ({
      ...event(String(n).padStart(6, "0")),
      videoId: "v".repeat(more),
    }));
    void client.processEvents(events);
    leave();
    const { json } = {
      json: (JSON.parse(beacons[0]!.body) as unknown[]).slice(0, 1).map((each) => JSON.stringify(each)),
    };
    const fitting = Math.floor((60_000 - 2) / (json[0]!.length + 1));
    const bodies = idsIn(beacons);
    expect(bodies.slice(0, -1).map(({ length }) => length)).toEqual(Array(bodies.length - 1).fill(fitting));
    expect(bodies.flat()).toEqual(events.map(({ eventId }) => eventId));
  });

  it("fills a beacon to the last byte, and no further", () => {
    const empty = JSON.stringify({ eventId: "a", videoId: "", eventType: "VIEW", eventTime: 5 }).length;
    for (const [more, expected] of [
      [0, [["a", "b"]]],
      [1, [["a"], ["b"]]],
    ] as const) {
      beacons = [];
      const { client } = open({ lingerMs: 60_000 });
      const videoId = "v".repeat(30_000);
      const rest = "v".repeat(60_000 - 2 - 2 * (empty + 1) - videoId.length + more);
      void client.processEvents([
        { ...event("a"), videoId },
        { ...event("b"), videoId: rest },
      ]);
      leave();
      expect(idsIn(beacons)).toEqual(expected);
      if (more === 0) expect(beacons[0]!.body).toHaveLength(60_000 - 1);
      void client.close({ withinMs: 0 });
    }
  });

  it("sends an event alone that is larger than a beacon should be", () => {
    const { client } = open({ lingerMs: 60_000 });
    void client.processEvents([event("a"), { ...event("b"), videoId: "v".repeat(70_000) }, event("c")]);
    leave();
    expect(idsIn(beacons)).toEqual([["a"], ["b"], ["c"]]);
  });

  it("uses a fetch that outlives the page where requests carry headers, whatever becomes of it", async () => {
    const { client, sent } = open({ headers: { Authorization: "Bearer k" }, lingerMs: 60_000 });
    void client.processEvents([event("a"), event("b")]);
    leave();
    expect(beacons).toEqual([]);
    expect(sent).toMatchObject([
      {
        url: URL_OF_EVENTS,
        init: {
          ...{ method: "POST", keepalive: true },
          headers: { Authorization: "Bearer k", "Content-Type": "text/plain" },
        },
        events: [{ eventId: "a" }, { eventId: "b" }],
      },
    ]);
    leave();
    expect(sent).toHaveLength(1);
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on("unhandledRejection", note);
    try {
      const failing = open({ headers: {}, lingerMs: 60_000, fetch: () => Promise.reject(new Error("gone")) });
      void failing.client.processEvents([event("c")]);
      leave();
      await turns();
      expect(unhandled).toEqual([]);
    } finally {
      process.off("unhandledRejection", note);
    }
  });
});
