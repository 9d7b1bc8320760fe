// SPDX-License-Identifier: Apache-2.0
/** When the client sends, how often, how much at once, and with which defaults: on a clock that stands still. */
import { gunzipSync } from "node:zlib";
import { platformGzip } from "../../client/compress";
import { connectTimeout } from "../../client/connect-timeout";
import { Delivery, type DeliveryOptions } from "../../client/delivery";
import { type EventError, ViewmillClient, type ViewmillClientOptions } from "../../client/index";

beforeEach(() => void vi.useFakeTimers({ now: Date.parse("2026-11-21T10:00:00Z") }));
afterEach(() => void vi.useRealTimers());

const BODY = new TextEncoder().encode("[]");
const answered = (status: number, body: object = {}, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(body), { status, headers });
const accepted = () => answered(202, { accepted: 0, rejected: [] });
const never = () => new Promise<Response>(() => {});

/** A delivery whose attempts are answered in turn, the last answer for ever. */
function delivery(answers: (() => Response | Promise<Response>)[], options: Partial<DeliveryOptions> = {}) {
  const at: number[] = [];
  const requests: { url: string; init: RequestInit }[] = [];
  const started = performance.now();
  const fetch = (async (url: string, init: RequestInit) => {
    at.push(performance.now() - started);
    requests.push({ url, init });
    return (answers.length > 1 ? answers.shift()! : answers[0]!)();
  }) as unknown as DeliveryOptions["fetch"];
  const made = new Delivery({ url: "http://h", fetch, random: () => 0.5, ...options } as DeliveryOptions);
  return { made, at, requests };
}
const NEVER_OPEN = { breaker: { failures: 1_000 } };

describe("the address", () => {
  it.each([
    ["http://h", "http://h/v1/events"],
    ["http://h/", "http://h/v1/events"],
    ["https://h:1/a/b//", "https://h:1/a/b/v1/events"],
    ["http://h/a/?tenant=x", "http://h/a/v1/events?tenant=x"],
  ])("%s posts to %s", (url, endpoint) => {
    expect(new Delivery({ url }).endpoint).toBe(endpoint);
  });

  it("is a URL, or the client is not made", () => {
    for (const url of ["", "h", "//h", undefined]) expect(() => new Delivery({ url } as never)).toThrow(TypeError);
  });
});

describe("one body", () => {
  it("is posted with the headers of the client and its own, which come first", async () => {
    const { made, requests } = delivery([accepted], { headers: { Authorization: "k", "Content-Type": "x" } });
    expect(await made.deliver(BODY, { "Content-Type": "application/json" })).toEqual({
      ...{ kind: "answered", accepted: 0, rejected: [] },
    });
    expect(requests).toMatchObject([
      {
        url: "http://h/v1/events",
        init: { method: "POST", body: BODY, headers: { Authorization: "k", "Content-Type": "application/json" } },
      },
    ]);
  });

  it("is tried 21 times with pauses that double from 0.1 s to 10 s, of which chance takes a part", async () => {
    const { made, at } = delivery([() => answered(503, { detail: "later" })], NEVER_OPEN);
    const outcome = made.deliver(BODY, {});
    await vi.runAllTimersAsync();
    expect(await outcome).toEqual({ kind: "undelivered", attempts: 21, detail: "503 later" });
    const pauses = at.slice(1).map((ms, n) => Math.round(ms - at[n]!));
    expect(pauses).toEqual(Array.from({ length: 20 }, (_, n) => Math.min(10_000, 100 * 2 ** n) / 2));
  });

  it("is tried as often, and with such pauses, as is asked for", async () => {
    const options = { ...NEVER_OPEN, retries: 3, retryBaseMs: 8, retryMaxMs: 20, random: () => 0.25 };
    const { made, at } = delivery([() => answered(500)], options);
    const outcome = made.deliver(BODY, {});
    await vi.runAllTimersAsync();
    expect(await outcome).toMatchObject({ kind: "undelivered", attempts: 4 });
    expect(at.map(Math.round)).toEqual([0, 2, 6, 11]);
    const once = delivery([() => answered(500)], { retries: 0 });
    expect(await once.made.deliver(BODY, {})).toMatchObject({ attempts: 1 });
  });

  it("waits as long as the server says, and then its own pause", async () => {
    const { made, at } = delivery([() => answered(429, {}, { "Retry-After": "3" }), accepted]);
    const outcome = made.deliver(BODY, {});
    await vi.runAllTimersAsync();
    expect(await outcome).toMatchObject({ kind: "answered" });
    expect(at).toEqual([0, 3_050]);
  });

  it("is given up before a pause that would end beyond its time, not before one that ends with it", async () => {
    const options = { ...NEVER_OPEN, retryBaseMs: 200, retryMaxMs: 200 };
    const within = async (deliverWithinMs: number | undefined, more: Partial<DeliveryOptions> = {}) => {
      const { made, at } = delivery([() => answered(503)], {
        ...{ ...options, ...more },
        ...(deliverWithinMs === undefined ? {} : { deliverWithinMs }),
      });
      const outcome = made.deliver(BODY, {});
      await vi.runAllTimersAsync();
      expect(await outcome).toMatchObject({ kind: "undelivered", attempts: at.length });
      return at.length;
    };
    expect(await within(400)).toBe(5);
    expect(await within(399)).toBe(4);
    expect(await within(0)).toBe(1);
    // 300 s by default.
    expect(await within(undefined, { retryBaseMs: 40_000, retryMaxMs: 40_000 })).toBe(16);
  });

  it("is refused once and for all where the server, or the platform, will never take it", async () => {
    const { made, at } = delivery([() => answered(400, { detail: "no", reason: "not-json" })]);
    expect(await made.deliver(BODY, {})).toEqual({
      kind: "refused",
      status: 400,
      detail: "400 no",
      reason: "not-json",
    });
    const failed = new TypeError("fetch failed", { cause: new Error("bad port") });
    const port = delivery([() => Promise.reject(failed)]);
    expect(await port.made.deliver(BODY, {})).toEqual({ kind: "refused", status: 0, detail: "fetch failed: bad port" });
    expect([at.length, port.at.length]).toEqual([1, 1]);
    const scheme = new Delivery({ url: "ftp://h" });
    expect(await scheme.deliver(BODY, {})).toMatchObject({ kind: "refused", status: 0 });
    const own = delivery([accepted], { url: "ftp://h" });
    expect(await own.made.deliver(BODY, {})).toMatchObject({ kind: "answered" });
  });

  it("must be accounted for, event by event, where their number is known", async () => {
    const { made, at } = delivery([accepted], { retries: 1 });
    const outcome = made.deliver(BODY, {}, { events: 1 });
    await vi.runAllTimersAsync();
    expect(await outcome).toMatchObject({ kind: "undelivered", attempts: 2 });
    expect(at).toHaveLength(2);
  });
});

describe("an attempt", () => {
  it("without an answer ends after 30 s, or the time that is asked for, and its request is aborted", async () => {
    for (const [requestTimeoutMs, ms] of [
      [undefined, 30_000],
      [700, 700],
    ] as const) {
      const options = requestTimeoutMs === undefined ? {} : { requestTimeoutMs };
      const { made, requests } = delivery([never], { retries: 0, ...options });
      let outcome: unknown;
      void made.deliver(BODY, {}).then((found) => {
        outcome = found;
      });
      await vi.advanceTimersByTimeAsync(ms - 1);
      expect([outcome, requests[0]!.init.signal!.aborted]).toEqual([undefined, false]);
      await vi.advanceTimersByTimeAsync(1);
      expect(outcome).toEqual({ kind: "undelivered", attempts: 1, detail: `no answer within ${ms} ms` });
      expect(requests[0]!.init.signal!.aborted).toBe(true);
    }
  });

  it("that was answered leaves no timer behind", async () => {
    await delivery([accepted]).made.deliver(BODY, {});
    expect(vi.getTimerCount()).toBe(0);
  });

  it("ends where the delivery is given up, and none is made afterwards", async () => {
    const given = new AbortController();
    const { made, requests } = delivery([never]);
    const outcome = made.deliver(BODY, {}, { signal: given.signal });
    await vi.advanceTimersByTimeAsync(10);
    given.abort();
    expect(await outcome).toEqual({
      ...{ kind: "undelivered", attempts: 1 },
      detail: "given up before it had an answer; the last: given up before it had an answer",
    });
    expect(requests[0]!.init.signal!.aborted).toBe(true);
    expect(await made.deliver(BODY, {}, { signal: given.signal })).toEqual({
      ...{ kind: "undelivered", attempts: 0, detail: "given up before it had an answer" },
    });
    expect(requests).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("that fails before it has an answer says why", async () => {
    const { made } = delivery([() => Promise.reject(new Error("away"))], { retries: 0 });
    expect(await made.deliver(BODY, {})).toEqual({ kind: "undelivered", attempts: 1, detail: "away" });
  });
});

describe("the circuit", () => {
  it("opens after ten failures in a row, and lets a trial through after two seconds", async () => {
    const { made, at } = delivery([...Array.from({ length: 11 }, () => () => answered(503)), accepted], {
      ...{ retryBaseMs: 0, random: () => 0.5 },
    });
    expect(made.circuit).toBe("closed");
    const outcome = made.deliver(BODY, {});
    await vi.advanceTimersByTimeAsync(100);
    expect([at.length, made.circuit]).toEqual([10, "open"]);
    // While it is open, looks come every 1.5 s here, and are no attempts.
    await vi.advanceTimersByTimeAsync(1_800);
    expect(at).toHaveLength(10);
    await vi.runAllTimersAsync();
    expect(await outcome).toMatchObject({ kind: "answered" });
    expect([at.length, made.circuit]).toEqual([12, "closed"]);
    expect(Math.round(at[10]! - at[9]!)).toBeGreaterThanOrEqual(2_000);
  });

  it("opens after as many failures as are asked for, and 429 is none", async () => {
    const options = { retries: 5, retryBaseMs: 1, breaker: { failures: 3, halfOpenAfterMs: 400 } };
    const alive = delivery([() => answered(429)], options);
    const limited = alive.made.deliver(BODY, {});
    await vi.runAllTimersAsync();
    expect(await limited).toMatchObject({ attempts: 6 });
    expect(alive.made.circuit).toBe("closed");
    const { made, at } = delivery([() => answered(503), () => answered(503), () => answered(503), never], options);
    void made.deliver(BODY, {});
    await vi.advanceTimersByTimeAsync(100);
    expect([at.length, made.circuit]).toEqual([3, "open"]);
    await vi.advanceTimersByTimeAsync(600);
    expect([at.length, made.circuit]).toEqual([4, "half-open"]);
  });

  it("is looked at again after half of its time to all of it, as chance has it", async () => {
    const breaker = { failures: 1, halfOpenAfterMs: 1_000 };
    const { made, at } = delivery([() => answered(503), accepted], { breaker, retryBaseMs: 0, random: () => 0.4 });
    const outcome = made.deliver(BODY, {});
    await vi.runAllTimersAsync();
    expect(await outcome).toMatchObject({ kind: "answered" });
    // The first look, after 700 ms, comes too early.
    expect(at.map(Math.round)).toEqual([0, 1_400]);
  });

  it("stays closed over answers that are no failures, however many", async () => {
    for (const answer of [accepted, () => answered(400, { detail: "no" })]) {
      const { made } = delivery([answer], { breaker: { failures: 2 } });
      for (let n = 0; n < 4; n++) await made.deliver(BODY, {});
      expect(made.circuit).toBe("closed");
    }
  });

  it("says that it is open where the time of a body ends meanwhile", async () => {
    const { made } = delivery([() => answered(503)], { retryBaseMs: 0, deliverWithinMs: 1_000 });
    const outcome = made.deliver(BODY, {});
    await vi.runAllTimersAsync();
    expect(await outcome).toEqual({
      ...{ kind: "undelivered", attempts: 10, detail: "the circuit is open after repeated failures" },
    });
  });
});

describe("batches", () => {
  type Batch = { at: number; events: { videoId: string }[]; encoding: string | undefined; bytes: number };

  function client(options: Partial<ViewmillClientOptions> = {}, hold?: Promise<void>) {
    const batches: Batch[] = [];
    const started = Date.now();
    const fetch = async (_url: string, init: RequestInit) => {
      const body = Buffer.from(init.body as Uint8Array);
      const encoding = (init.headers as Record<string, string>)["Content-Encoding"];
      const text = encoding === "gzip" ? gunzipSync(body) : body;
      const events = JSON.parse(text.toString()) as { videoId: string }[];
      batches.push({ at: Date.now() - started, events, encoding, bytes: text.length });
      await hold;
      return answered(202, { accepted: events.length, rejected: [] });
    };
    const seen: EventError[] = [];
    const viewmill = new ViewmillClient({
      ...{ url: "http://h", fetch: fetch as typeof globalThis.fetch, compression: "none" },
      ...{ onRejected: (error) => void seen.push(error), ...options },
    });
    return { viewmill, batches, seen };
  }
  const views = (n: number, videoId = "v") => Array.from({ length: n }, () => ({ videoId, eventType: "VIEW" }));
  const sizes = (batches: Batch[]) => batches.map(({ events }) => events.length);

  it("have 500 events, and four of them are under way", async () => {
    const { viewmill, batches } = client({}, new Promise(() => {}));
    void viewmill.processEvents(views(3_001));
    await vi.advanceTimersByTimeAsync(0);
    expect(sizes(batches)).toEqual([500, 500, 500, 500]);
  });

  it("that are not full leave after 20 ms, or the time that is asked for, and at once in a flush", async () => {
    for (const [options, ms] of [
      [{}, 20],
      [{ lingerMs: 70 }, 70],
    ] as const) {
      const { viewmill, batches } = client(options);
      void viewmill.countViewEvent("v");
      await vi.advanceTimersByTimeAsync(ms - 1);
      expect(batches).toEqual([]);
      void viewmill.countViewEvent("v");
      await vi.advanceTimersByTimeAsync(1);
      expect(batches.map(({ at, events }) => [at, events.length])).toEqual([[ms, 2]]);
    }
    const { viewmill, batches } = client({ lingerMs: 1e6 });
    void viewmill.countViewEvent("v");
    const flushed = viewmill.flush();
    void viewmill.countViewEvent("w");
    await vi.advanceTimersByTimeAsync(0);
    expect(sizes(batches)).toEqual([1, 1]);
    expect(await flushed).toEqual({ unanswered: 0 });
  });

  it("have at most a megabyte, and an event that is larger is refused", async () => {
    const { viewmill, batches } = client();
    void viewmill.processEvents(views(5, "v".repeat(400_000)));
    await vi.advanceTimersByTimeAsync(20);
    expect(sizes(batches)).toEqual([2, 2, 1]);
    const call = viewmill.processEvents(views(1, "v".repeat(2 ** 20))).catch((error) => error);
    expect(await call).toMatchObject({ reason: "too-large" });
  });

  it("are filled to the byte", async () => {
    const sample = client();
    void sample.viewmill.processEvents(views(1));
    await vi.advanceTimersByTimeAsync(20);
    const eventBytes = sample.batches[0]!.bytes - 2;
    for (const [maxBatchBytes, wanted] of [
      [eventBytes + 3, [1, 1, 1, 1]],
      [2 * eventBytes + 3, [1, 1, 1, 1]],
      [2 * (eventBytes + 1) + 2, [2, 2]],
      [3 * (eventBytes + 1) + 2, [3, 1]],
    ] as const) {
      const { viewmill, batches } = client({ maxBatchBytes });
      void viewmill.processEvents(views(4));
      await vi.advanceTimersByTimeAsync(20);
      expect(sizes(batches)).toEqual(wanted);
      for (const { bytes } of batches) expect(bytes).toBeLessThanOrEqual(maxBatchBytes);
    }
    const { viewmill, seen } = client({ maxBatchBytes: eventBytes + 2 });
    await viewmill.processEvents([...views(1), { videoId: "é", eventType: "VIEW" }]).catch(() => {});
    expect(seen.map(({ reason, index }) => [reason, index])).toEqual([
      ["too-large", 0],
      ["too-large", 1],
    ]);
    const bytes = client({ maxBatchBytes: eventBytes + 3 });
    await bytes.viewmill.processEvents([{ videoId: "é", eventType: "VIEW" }]).catch(() => {});
    expect(bytes.seen.map(({ reason }) => reason)).toEqual(["too-large"]);
  });

  it("of less than 256 bytes are not compressed, larger ones are", async () => {
    for (const [n, encoding] of [
      [1, undefined],
      [4, "gzip"],
    ] as const) {
      const { viewmill, batches } = client({ compression: "gzip" });
      void viewmill.processEvents(views(n));
      await vi.advanceTimersByTimeAsync(20);
      vi.useRealTimers();
      await vi.waitFor(() => expect(batches.map((batch) => batch.encoding)).toEqual([encoding]));
      vi.useFakeTimers();
    }
    const mine = { encoding: "zstd" as const, compress: (bytes: Uint8Array) => bytes };
    for (const size of [255, 256]) {
      const { viewmill, batches } = client({ compression: mine });
      void viewmill.processEvents([
        { videoId: "v".repeat(size - 104), eventType: "VIEW", eventTime: 1_700_000_000_000 },
      ]);
      await vi.advanceTimersByTimeAsync(20);
      const [batch] = batches;
      expect([batch!.bytes, batch!.encoding]).toEqual([batch!.bytes, batch!.bytes < 256 ? undefined : "zstd"]);
    }
  });

  it("wait in a buffer of 50,000 events and 32 MiB, and as many calls for room", async () => {
    const { viewmill, seen } = client({}, new Promise(() => {}));
    const call = viewmill.processEvents(views(100_001)).catch(() => {});
    await vi.advanceTimersByTimeAsync(0);
    expect(seen.map(({ reason, index }) => [reason, index])).toEqual([["buffer-full", 100_000]]);
    const heavy = client({ maxWaitingEvents: 0, maxBatchBytes: 8 << 20 }, new Promise(() => {}));
    void heavy.viewmill.processEvents(views(9, "v".repeat((4 << 20) - 200)));
    await vi.advanceTimersByTimeAsync(0);
    expect(heavy.seen.map(({ reason, index }) => [reason, index])).toEqual([["buffer-full", 8]]);
    void call;
  });

  it("hold back what has no room, in the order of the calls, by events and by bytes", async () => {
    let release = () => {};
    const hold = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { viewmill, batches, seen } = client({ batchSize: 1, maxBufferedEvents: 2, maxWaitingEvents: 2 }, hold);
    for (const videoId of ["a", "b", "c", "d", "e"]) void viewmill.countViewEvent(videoId);
    let isReady = false;
    void viewmill.ready().then(() => {
      isReady = true;
    });
    await vi.advanceTimersByTimeAsync(0);
    expect([batches.length, isReady, seen.map(({ reason }) => reason)]).toEqual([2, false, ["buffer-full"]]);
    release();
    await vi.advanceTimersByTimeAsync(0);
    expect(isReady).toBe(true);
    expect(batches.flatMap(({ events }) => events.map(({ videoId }) => videoId))).toEqual(["a", "b", "c", "d"]);
    await viewmill.ready();
  });

  it("of lists beyond a million events are refused as a whole", async () => {
    const { viewmill, batches } = client();
    const list = new Array(1_000_001).fill(null);
    await expect(viewmill.processEvents(list)).rejects.toMatchObject({
      ...{ reason: "too-large", rejected: [{ detail: "a list holds at most 1000000 events" }] },
    });
    expect(batches).toEqual([]);
  });

  it("are waited for 30 s, or the time that is asked for", async () => {
    for (const [options, given, ms] of [
      [{}, {}, 30_000],
      [{ drainWithinMs: 400 }, {}, 400],
      [{ drainWithinMs: 400 }, { withinMs: 50 }, 50],
    ] as const) {
      const { viewmill } = client(options, new Promise(() => {}));
      void viewmill.processEvents(views(3)).catch(() => {});
      let drained: unknown;
      void viewmill.close(given).then((found) => {
        drained = found;
      });
      await vi.advanceTimersByTimeAsync(ms - 1);
      expect(drained).toBeUndefined();
      await vi.advanceTimersByTimeAsync(1);
      expect(drained).toEqual({ unanswered: 3 });
    }
  });

  it("lose no event to a compressor that fails: the call says why", async () => {
    const compress = () => Promise.reject(new Error("full"));
    const { viewmill, batches } = client({ compression: { encoding: "gzip", compress } });
    const call = viewmill.processEvents(views(4)).catch((error) => error);
    await vi.advanceTimersByTimeAsync(20);
    expect(await call).toMatchObject({
      accepted: 0,
      rejected: Array(4).fill({ reason: "undelivered", detail: "full" }),
    });
    expect(batches).toEqual([]);
  });

  it("of one event that is too large for the server are not sent again", async () => {
    const refusing = async () => answered(413, { detail: "too long" });
    const { viewmill } = client({ fetch: refusing as typeof fetch });
    const call = viewmill.countViewEvent("v").catch((error) => error);
    await vi.advanceTimersByTimeAsync(20);
    expect(await call).toMatchObject({ reason: "too-large", detail: "413 too long" });
  });

  it("go on where the application fails at a failure, which surfaces as an error of its own", async () => {
    const thrown: unknown[] = [];
    const { queueMicrotask: later } = globalThis;
    vi.stubGlobal("queueMicrotask", (work: () => void) =>
      later(() => {
        try {
          work();
        } catch (error) {
          thrown.push(error);
        }
      }),
    );
    onTestFinished(() => void vi.unstubAllGlobals());
    const bug = new Error("a bug of the application");
    const onRejected = () => {
      throw bug;
    };
    const { viewmill } = client({ onRejected });
    const call = viewmill.processEvents([...views(1), null as never, ...views(1)]).catch((error) => error);
    await vi.advanceTimersByTimeAsync(20);
    expect(await call).toMatchObject({ accepted: 2, rejected: [{ index: 1 }] });
    expect(thrown).toEqual([bug]);
  });

  it("take the other events of a list that cannot be read in whole", async () => {
    const list = [...views(2)];
    Object.defineProperty(list, 1, {
      get() {
        throw new Error("gone");
      },
    });
    const { viewmill, batches } = client();
    const call = viewmill.processEvents(list).catch((error) => error);
    await vi.advanceTimersByTimeAsync(20);
    expect(await call).toMatchObject({
      ...{ accepted: 1, rejected: [{ index: 1, reason: "bad-event", detail: "the event cannot be read: gone" }] },
    });
    expect(sizes(batches)).toEqual([1]);
  });

  it("have no event whose value and function disagree", async () => {
    const { viewmill } = client();
    const refused = (...given: Parameters<typeof viewmill.processEvent>) =>
      viewmill.processEvent(...given).catch(({ reason, detail }: EventError) => [reason, detail]);
    expect(await refused("v", "WATCH", "COUNT", 1)).toEqual(["bad-value", "COUNT takes no value"]);
    expect(await refused("v", "WATCH", "SUM")).toEqual(["bad-value", "SUM needs a value"]);
    expect(await refused("v", "WATCH", "AVERAGE")).toEqual(["bad-value", "AVERAGE needs a value"]);
  });

  it("take nothing after close, whatever it is", async () => {
    const { viewmill } = client();
    await viewmill.close();
    await expect(viewmill.countViewEvent("v")).rejects.toMatchObject({
      reason: "closed",
      detail: "the client is closed",
    });
    await expect(viewmill.processEvents([{ videoId: 5 as never, eventType: "VIEW" }])).rejects.toMatchObject({
      rejected: [{ reason: "closed" }],
    });
  });
});

describe("the platform", () => {
  it("has gzip of its own, else the Web's, else none", () => {
    const { process: host } = globalThis;
    try {
      vi.stubGlobal("process", undefined);
      expect(platformGzip()?.encoding).toBe("gzip");
      vi.stubGlobal("CompressionStream", undefined);
      expect(platformGzip()).toBeUndefined();
      vi.stubGlobal("process", { getBuiltinModule: () => undefined });
      expect(platformGzip()).toBeUndefined();
      vi.stubGlobal("process", {});
      expect(platformGzip()).toBeUndefined();
    } finally {
      vi.unstubAllGlobals();
    }
    expect(globalThis.process).toBe(host);
    expect(platformGzip()?.encoding).toBe("gzip");
  });

  it("bounds the connect in Node alone, and not with a dispatcher of the application", () => {
    const slot = Symbol.for("undici.globalDispatcher.1");
    const host = globalThis as { [slot]?: object };
    expect(connectTimeout(5, 1)).toHaveProperty("dispatcher");
    const own = host[slot];
    try {
      host[slot] = new (class Proxying {})();
      expect(connectTimeout(5, 1)).toEqual({});
      host[slot] = own!;
      vi.stubGlobal("process", undefined);
      expect(connectTimeout(5, 1)).toEqual({});
      vi.stubGlobal("process", { versions: {} });
      expect(connectTimeout(5, 1)).toEqual({});
    } finally {
      vi.unstubAllGlobals();
      host[slot] = own!;
    }
  });
});
