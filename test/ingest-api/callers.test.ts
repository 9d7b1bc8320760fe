// SPDX-License-Identifier: Apache-2.0
/**
 * The write API toward its callers: keys with types and limits, letters that are replayed, the words of its answers,
 * and its metrics.
 */
import pino from "pino";
import { Admission } from "../../admission/admission";
import { KeyRing } from "../../admission/key-ring";
import { createKey, newKeySchema } from "../../admission/new-key";
import { InFlight } from "../../ingest-api/in-flight";
import { KnownEventTypes } from "../../intake/known-types";
import { LogFullError, StoreUnavailableError } from "../../io/ports";
import { SqliteAccessKeys } from "../../io/sqlite/access-keys";
import { removeFolders, temporaryFolder } from "../io/ports/condition";
import { emptiedStores } from "../io/sqlite/emptied-stores";
import { event, type HarnessOptions, IngestHarness, NOW_MS, text } from "./ingest-harness";

const shared = emptiedStores();
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  removeFolders();
});

async function start(options: HarnessOptions = {}): Promise<IngestHarness> {
  const harness = await IngestHarness.start({ stores: await shared(), ...options });
  closing.push(() => harness.stop());
  return harness;
}

const JSON_TYPE = "application/json";
const post = (harness: IngestHarness, body: unknown, key: string) =>
  harness.post(JSON.stringify(body), { "Content-Type": JSON_TYPE, Authorization: `Bearer ${key}` });

/** A service with one key of this kind. */
async function withKey(spec: object, options: HarnessOptions = {}) {
  const keys = new SqliteAccessKeys({ folder: temporaryFolder() });
  const created = await createKey(keys, newKeySchema.parse({ name: "test", scopes: ["write"], ...spec }), NOW_MS);
  const ring = await KeyRing.open({ store: keys, clock: () => NOW_MS, logger: pino({ level: "silent" }) });
  closing.push(async () => {
    await ring.close();
    await keys.close();
  });
  const harness = await start({ ...options, admission: new Admission({ keys: ring, clock: () => NOW_MS }) });
  return { harness, key: created.text };
}

describe("with keys", () => {
  it("a request without the key is a 401, and of it and its image nothing is stored", async () => {
    const { harness, key } = await withKey({});
    expect(await post(harness, event(), "nobody's")).toMatchObject({
      ...{ status: 401, headers: { "www-authenticate": expect.any(String) } },
      body: { type: "urn:viewmill:problem:unauthorized", title: expect.stringMatching(/./) },
    });
    const image = "/v1/pixel.gif?eventId=a&videoId=v&eventType=VIEW";
    expect((await fetch(`${harness.url}${image}`)).status).toBe(401);
    expect((await fetch(`${harness.url}${image}`, { method: "HEAD" })).status).toBe(200);
    expect(await harness.log.head()).toBe(0);
    const metrics = await harness.registry.metrics();
    expect(metrics).toContain('viewmill_ingest_requests_total{status="401",format="none"} 1\n');
    const seconds = Number(/viewmill_ingest_request_seconds_sum (\S+)/.exec(metrics)![1]);
    expect([seconds > 0, seconds < 60]).toEqual([true, true]);
    expect((await post(harness, event(), key)).status).toBe(202);
  });

  it("a type that the key may not send refuses the whole request, also where a batch has others", async () => {
    const { harness, key } = await withKey({ eventTypes: ["VIEW"] });
    for (const types of [["LIKE"], ["VIEW", "LIKE"], ["LIKE", "VIEW"]]) {
      const answer = await post(
        harness,
        types.map((eventType) => event({ eventType })),
        key,
      );
      expect(answer).toMatchObject({ status: 403, body: { type: "urn:viewmill:problem:forbidden" } });
      expect(answer.body.detail).toBe("the key may send events of type VIEW only");
    }
    expect(await harness.log.head()).toBe(0);
    expect((await post(harness, [event(), event()], key)).body.accepted).toBe(2);
    // A refused event's type is nobody's to send.
    expect((await post(harness, [event(), event({ eventType: "LIKE", value: "x" })], key)).status).toBe(202);
  });

  it("every answer of a key with a daily quota says what is left of it, of an image as of a POST", async () => {
    const { harness, key } = await withKey({ public: true, limits: { eventsPerDay: 4 } });
    const left = (fields: { get(name: string): string | null }) => [
      fields.get("ratelimit-policy"),
      fields.get("ratelimit")?.replace(/;t=.*/, ""),
    ];
    const of = (events: number) => ['"day";q=4;w=86400;qu="events"', `"day";r=${events}`];
    const posted = async (body: unknown) => {
      const { status, headers } = await post(harness, body, key);
      return [status, ...left(new Headers(headers as Record<string, string>))];
    };
    const image = async (query: string) => {
      const answer = await fetch(`${harness.url}/v1/pixel.gif?key=${key}&videoId=v&eventType=VIEW&${query}`);
      return [answer.status, ...left(answer.headers)];
    };
    expect(await posted(event())).toEqual([202, ...of(3)]);
    expect(await image("eventId=a")).toEqual([200, ...of(2)]);
    expect(await image("eventId=b&value=x")).toEqual([400, ...of(1)]);
    expect(await posted([event(), event()])).toEqual([429, ...of(1)]);
    expect(await image("eventId=%ff")).toEqual([400, ...of(0)]);
    for (const query of ["eventId=c", "eventId=%ff"]) expect(await image(query)).toEqual([429, ...of(0)]);
    expect(await harness.letters()).toHaveLength(2);
    await harness.api.drain();
    expect(await image("eventId=d")).toEqual([503, ...of(0)]);
  });

  it("events are paid for once, refused ones as well; those of a request that was not stored are given back", async () => {
    const { harness, key } = await withKey({ limits: { eventsPerDay: 10, requestsPerSecond: 1_000 } });
    const sendEight = async () => {
      const eight = Array.from({ length: 8 }, () => event());
      return (await post(harness, eight, key)).status;
    };
    const append = harness.log.append.bind(harness.log);
    harness.log.append = () => Promise.reject(new StoreUnavailableError("away"));
    expect(await sendEight()).toBe(503);
    harness.log.append = append;
    const answer = await post(harness, [event(), event(), { ...event(), value: "x" }], key);
    expect(answer.status).toBe(202);
    expect(answer.headers["ratelimit-policy"]).toContain("q=");
    expect(await sendEight()).toBe(429);
    // A body that cannot be read counts as one event.
    for (let n = 0; n < 3; n++) expect((await post(harness, 5, key)).status).toBe(400);
    expect(
      (
        await post(
          harness,
          [...Array(4)].map(() => event()),
          key,
        )
      ).status,
    ).toBe(202);
    expect((await post(harness, [event()], key)).status).toBe(429);
  });
});

describe("what was paid for a request that this server could not take", () => {
  const quota = { public: true, limits: { eventsPerDay: 2 } };
  const left = (answer: { headers: Headers | Record<string, unknown> }) =>
    /r=\d+/.exec(new Headers(answer.headers as Record<string, string>).get("ratelimit")!)![0];

  it("is given back: no room for stamps or letters, a store that is away, and a bug", async () => {
    const { harness, key } = await withKey(quota, { limits: { maxStamps: 0 } });
    const untimed = { eventId: "u", videoId: "v", eventType: "VIEW" };
    const image = (query: string) => fetch(`${harness.url}/v1/pixel.gif?key=${key}&videoId=v&eventType=VIEW&${query}`);
    const stamps = await post(harness, untimed, key);
    expect([stamps.status, left(stamps)]).toEqual([429, "r=2"]);
    const append = harness.deadLetters.append.bind(harness.deadLetters);
    harness.deadLetters.append = () => Promise.reject(new LogFullError("full"));
    for (const answer of [await post(harness, 5, key), await image("eventId=%ff")])
      expect([answer.status, left(answer)]).toEqual([429, "r=2"]);
    harness.deadLetters.append = append;
    const log = harness.log.append.bind(harness.log);
    for (const [error, status] of [
      [new StoreUnavailableError("away"), 503],
      [new Error("a bug"), 500],
    ] as const) {
      harness.log.append = () => Promise.reject(error);
      expect((await post(harness, event(), key)).status).toBe(status);
    }
    harness.log.append = log;
    for (const remains of ["r=1", "r=0"]) {
      const answer = await post(harness, event(), key);
      expect([answer.status, left(answer)]).toEqual([202, remains]);
    }
  });
});

describe("a dead letter that is replayed", () => {
  const again = (harness: IngestHarness, body: string, type = JSON_TYPE) => harness.api.again(Buffer.from(body), type);

  it("is stored as a request is, or says why it is refused again, and then nothing of it is stored", async () => {
    const harness = await start();
    const refused: [string, string, RegExp][] = [
      ["{}", "text/html", /^text\/html is not accepted; send one of application\/json, /],
      ["{oops", JSON_TYPE, /^not-json: ./],
      ["{}", JSON_TYPE, /^missing-field: eventId is missing$/],
      [JSON.stringify([event(), { ...event(), value: 1.5 }]), JSON_TYPE, /^bad-value: value must be an integer/],
      ["[]", JSON_TYPE, /^it holds no event$/],
    ];
    for (const [body, type, answer] of refused) expect(await again(harness, body, type)).toMatch(answer);
    expect([await harness.log.head(), await harness.letters()]).toEqual([0, []]);
    expect(await again(harness, JSON.stringify(event({ eventId: "mended" })))).toBeUndefined();
    expect((await harness.events()).map(({ eventId }) => eventId)).toEqual(["mended"]);
    expect(await harness.registry.metrics()).toContain('viewmill_ingest_accepted_events_total{format="json"} 1\n');
  });

  it("stays where the log, the types or the stamps cannot take it now", async () => {
    const harness = await start({ limits: { maxStamps: 1 } });
    const untimed = (eventId: string) => JSON.stringify({ eventId, videoId: "v", eventType: "VIEW" });
    expect(await again(harness, untimed("a"))).toBeUndefined();
    await expect(again(harness, untimed("b"))).rejects.toThrow("too many events without a time came");
    harness.log.append = () => Promise.reject(new LogFullError("the log is full"));
    await expect(again(harness, JSON.stringify(event()))).rejects.toThrow(new StoreUnavailableError("the log is full"));
    harness.log.append = () => Promise.reject(new Error("a bug"));
    await expect(again(harness, JSON.stringify(event()))).rejects.toThrow("a bug");
    const admit = () => Promise.reject(new StoreUnavailableError("away"));
    const other = await start({ eventTypes: new KnownEventTypes({ admit }, 10) });
    await expect(again(other, JSON.stringify(event()))).rejects.toThrow("the event types cannot be asked for now");
    const broken = await start({ eventTypes: new KnownEventTypes({ admit: () => Promise.reject(new Error("x")) }, 9) });
    await expect(again(broken, JSON.stringify(event()))).rejects.toThrow("x");
  });
});

describe("the words of a refusal", () => {
  const refusal = (kind: string, detail: string | RegExp, title: string) => ({
    ...{ type: `urn:viewmill:problem:${kind}`, title, detail: expect.stringMatching(detail) },
    instance: expect.stringMatching(/^urn:uuid:[0-9a-f-]{36}$/),
  });

  it("name the kind, the reason and what to do, and no cache keeps them", async () => {
    const harness = await start({ limits: { maxBodyBytes: 300, maxEvents: 2, maxStamps: 0, maxInFlightBytes: 500 } });
    const cases: [string, Record<string, string>, number, object][] = [
      ["{oops", {}, 400, { ...refusal("malformed-body", /./, "The body cannot be read"), reason: "not-json" }],
      [
        "x",
        { "Content-Encoding": "gzip" },
        400,
        refusal("malformed-body", /^the body is no gzip stream: ./, "The body cannot be read"),
      ],
      [
        "[1,2,3]",
        {},
        413,
        { ...refusal("too-large", /at most 2 events/, "The body is too large"), reason: "too-large" },
      ],
      [
        " ".repeat(301),
        {},
        413,
        refusal("too-large", /^a body holds at most 300 bytes, after decompression too$/, "The body is too large"),
      ],
      [
        "{}",
        { "Content-Type": "a/b" },
        415,
        refusal("unsupported-media-type", /^a\/b is not/, "The body's type or encoding is not supported"),
      ],
      [
        ...(['{"eventId":"a","videoId":"v","eventType":"VIEW"}', {}, 429] as const),
        refusal(
          "overloaded",
          /^too many events without a time came in the last 10 minutes$/,
          "Too much is waiting, send again later",
        ),
      ],
    ];
    for (const [body, headers, status, problem] of cases) {
      const answer = await harness.post(body, { "Content-Type": JSON_TYPE, ...headers });
      expect(answer).toMatchObject({ status, body: { status, ...problem } });
      expect(answer.headers).toMatchObject({ "content-type": "application/problem+json", "cache-control": "no-store" });
      if (status === 400 && headers["Content-Encoding"] !== undefined) expect(answer.body).not.toHaveProperty("reason");
      if (status === 415) expect(answer.headers["accept-encoding"]).toBe("gzip, zstd, identity");
    }
    expect(harness.logged).toEqual([]);
    for (const [method, path, allow] of [
      ["GET", "events", "POST"],
      ["POST", "pixel.gif", "GET"],
    ] as const) {
      const answer = await fetch(`${harness.url}/v1/${path}`, { method });
      expect([answer.status, answer.headers.get("allow")]).toEqual([405, allow]);
      expect(await answer.json()).toMatchObject(
        refusal("method-not-allowed", `^only ${allow} is possible here$`, "The method is not possible here"),
      );
    }
  });

  it("of the server's own are in its log, under the instance of the answer", async () => {
    const harness = await start();
    harness.log.append = () => Promise.reject(new StoreUnavailableError("disk"));
    const away = await harness.post(JSON.stringify(event()));
    expect(away).toMatchObject({
      status: 503,
      body: refusal("unavailable", /^the store cannot write now$/, "Events cannot be stored now, send again later"),
    });
    expect(harness.logged.map((line) => JSON.parse(line))).toMatchObject([
      { msg: "request refused", instance: away.body.instance, problem: { kind: "unavailable" } },
    ]);
    harness.log.append = () => Promise.reject(new Error("secret"));
    const failed = await harness.post(JSON.stringify(event()));
    expect(failed).toMatchObject({ status: 500, body: refusal("internal", /./, "The request failed") });
    expect(harness.logged.slice(1).map((line) => JSON.parse(line))).toMatchObject([
      { msg: "request failed", err: { message: "secret" } },
      { msg: "request refused", instance: failed.body.instance },
    ]);
  });

  it("say that the server is full or shutting down, for an image as for a POST", async () => {
    const full = await start({ limits: { maxInFlightRequests: 0 } });
    const image = (harness: IngestHarness, method = "GET") =>
      fetch(`${harness.url}/v1/pixel.gif?eventId=a&videoId=v&eventType=VIEW`, { method });
    const many = refusal(
      "overloaded",
      /^too many requests are being handled$/,
      "Too much is waiting, send again later",
    );
    expect((await full.post(JSON.stringify(event()))).body).toMatchObject(many);
    expect(await (await image(full)).json()).toMatchObject(many);
    expect((await image(full, "HEAD")).status).toBe(429);
    await full.api.drain();
    const ending = refusal(
      "unavailable",
      /^the server is shutting down$/,
      "Events cannot be stored now, send again later",
    );
    expect((await full.post(JSON.stringify(event()))).body).toMatchObject(ending);
    expect(await (await image(full)).json()).toMatchObject(ending);
    const small = await start({ limits: { maxInFlightBytes: 10 } });
    const bytes = refusal("overloaded", /^too many bytes are being handled$/, "Too much is waiting, send again later");
    expect((await small.post(JSON.stringify(event()))).body).toMatchObject(bytes);
    const admit = () => Promise.reject(new StoreUnavailableError("away"));
    const typeless = await start({ eventTypes: new KnownEventTypes({ admit }, 10) });
    const types = refusal(
      "unavailable",
      /^the event types cannot be asked for now$/,
      "Events cannot be stored now, send again later",
    );
    expect((await typeless.post(JSON.stringify(event()))).body).toMatchObject(types);
  });
});

it("a place counts its bytes within the bound, and gives them back once", async () => {
  const inFlight = new InFlight({ maxInFlightBytes: 10, maxInFlightRequests: 2 });
  const [one, other] = [inFlight.enter()!, inFlight.enter()!];
  expect([inFlight.enter(), inFlight.draining]).toEqual([undefined, false]);
  expect([one.grow(6), other.grow(5), other.grow(4), one.grow(1)]).toEqual([true, false, true, false]);
  let drained = false;
  const drain = inFlight.drain().then(() => {
    drained = true;
  });
  for (let n = 0; n < 2; n++) one.leave();
  expect([inFlight.requests, inFlight.bytes, inFlight.draining, one.grow(1)]).toEqual([1, 4, true, false]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(drained).toBe(false);
  other.leave();
  await drain;
  expect([inFlight.requests, inFlight.bytes]).toEqual([0, 0]);
  await inFlight.drain();
});

it("every metric says what it measures, and bodies, stamps and refusals are counted", async () => {
  const harness = await start();
  const [timed, untimed] = [event(), { eventId: "u", videoId: "v", eventType: "VIEW" }];
  const body = JSON.stringify([timed, untimed]);
  await harness.post(body);
  await harness.post("{oops");
  await harness.post("", { "Content-Type": JSON_TYPE });
  await harness.post("x", { "Content-Type": "a/b" });
  await fetch(`${harness.url}/v1/pixel.gif?eventId=p&videoId=v&eventType=VIEW`);
  const metrics = await harness.registry.metrics();
  for (const [, name, help] of metrics.matchAll(/^# HELP (\S+) ?(.*)$/gm))
    expect([name, help]).toEqual([name, expect.stringMatching(/^[A-Z].{9}/)]);
  for (const line of [
    `viewmill_ingest_body_bytes_total{format="json"} ${body.length + 5}`,
    'viewmill_ingest_accepted_events_total{format="json"} 3',
    'viewmill_ingest_rejected_events_total{reason="not-json"} 1',
    'viewmill_ingest_requests_total{status="200",format="json"} 1',
    'viewmill_ingest_requests_total{status="400",format="json"} 2',
    'viewmill_ingest_requests_total{status="415",format="none"} 1',
    "viewmill_ingest_stamps 2",
    "viewmill_ingest_in_flight_requests 0",
    'viewmill_ingest_request_seconds_bucket{le="10"} 5',
    'viewmill_ingest_request_seconds_bucket{le="0.002"}',
  ])
    expect(metrics).toContain(line);
  const seconds = Number(/viewmill_ingest_request_seconds_sum (\S+)/.exec(metrics)![1]);
  expect(seconds).toBeGreaterThan(0);
  expect(seconds).toBeLessThan(60);
  const [letter, ...others] = await harness.letters();
  expect([text(letter!.payload), letter!.source, letter!.receivedAtMs, others]).toEqual([
    "{oops",
    "ingest",
    NOW_MS,
    [],
  ]);
});
