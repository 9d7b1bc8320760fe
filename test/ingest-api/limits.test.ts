// SPDX-License-Identifier: Apache-2.0
import { connect } from "node:net";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { EventColumnsBuilder } from "../../domain/columns/event-columns";
import { encodeBatch } from "../../io/formats/avro/batch";
import { LogFullError, StoreUnavailableError } from "../../io/ports";
import { emptiedStores } from "../io/sqlite/emptied-stores";
import { event, type HarnessOptions, IngestHarness, NOW_MS } from "./ingest-harness";

const JSON_TYPE = { "Content-Type": "application/json" };
const harnesses: IngestHarness[] = [];
const stores = emptiedStores();
/** Stores with bounds of a test's own are opened for that test. */
async function start(options: HarnessOptions = {}): Promise<IngestHarness> {
  const bounded = options.maxBacklogBytes !== undefined || options.maxDeadLetterBytes !== undefined;
  const harness = await IngestHarness.start(bounded ? options : { ...options, stores: await stores() });
  harnesses.push(harness);
  return harness;
}
afterEach(async () => {
  for (const harness of harnesses.splice(0)) await harness.stop();
});

describe("the bounds of a body", () => {
  it("10,000 events are taken and 10,001 are a 413, whatever the type, and nothing of them is stored", async () => {
    const harness = await start();
    const lists = [10_000, 10_001].map((count) =>
      Array.from({ length: count }, () => ({ ...event(), eventId: "same" })),
    );
    const ndjson = (list: unknown[]) => list.map((e) => JSON.stringify(e)).join("\n");
    const batch = (list: unknown[]) => {
      const builder = new EventColumnsBuilder();
      for (const _ of list) builder.add({ eventId: "e", videoId: "v", eventType: "VIEW", eventTimeMs: NOW_MS });
      return encodeBatch(builder.build(), { receivedAtMs: 0, producerId: "", batchId: "" });
    };
    for (const [type, encode] of [
      ["application/json", JSON.stringify],
      ["application/x-ndjson", ndjson],
      ["application/vnd.viewmill.batch+avro", batch],
    ] as const) {
      const headBefore = await harness.log.head();
      const refused = await harness.post(encode(lists[1]!), { "Content-Type": type });
      expect(refused).toMatchObject({ status: 413, body: { type: "urn:viewmill:problem:too-large" } });
      expect(await harness.log.head()).toBe(headBefore);
      expect(await harness.post(encode(lists[0]!), { "Content-Type": type })).toMatchObject({
        status: 202,
        body: { accepted: 10_000 },
      });
    }
  });

  it("8 MiB are taken and one byte more is a 413", async () => {
    const harness = await start();
    const body = JSON.stringify([event()]);
    const padded = (bytes: number) => body + " ".repeat(bytes - body.length);
    expect((await harness.post(padded(8 << 20))).status).toBe(202);
    expect((await harness.post(padded((8 << 20) + 1))).status).toBe(413);
  });

  it("a chunked body is cut at the bound too", async () => {
    const harness = await start({ limits: { maxBodyBytes: 1000 } });
    const answer = await fetch(`${harness.url}/v1/events`, {
      method: "POST",
      headers: JSON_TYPE,
      body: new ReadableStream({
        pull(controller) {
          controller.enqueue(Buffer.alloc(600, " "));
          if (++pulls === 5) controller.close();
        },
      }),
      duplex: "half",
    } as RequestInit);
    expect(answer.status).toBe(413);
  });
  let pulls = 0;

  it.each([
    ["gzip", gzipSync],
    ["zstd", zstdCompressSync],
  ] as const)("a %s bomb is a 413 and takes no memory", async (encoding, compress) => {
    const harness = await start();
    const bomb = compress(Buffer.alloc(300 << 20, " "));
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 10; i++) {
      const answer = await harness.post(bomb, { ...JSON_TYPE, "Content-Encoding": encoding });
      expect(answer.status).toBe(413);
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(150 << 20);
  });
});

describe("what is not supported", () => {
  it.each([
    [{}],
    [{ "Content-Type": "text/html" }],
    [{ "Content-Type": "text/plain; charset=latin1" }],
    [{ "Content-Type": "application/xml", "ce-specversion": "1.0", "ce-id": "a" }],
    [{ "Content-Type": "application/x-www-form-urlencoded" }],
    [{ "Content-Type": "__proto__" }],
    [{ "Content-Type": "application/json; charset=latin1" }],
    [{ ...JSON_TYPE, "Content-Encoding": "br" }],
    [{ ...JSON_TYPE, "Content-Encoding": "gzip, gzip" }],
  ] as Record<string, string>[][])("%j is a 415 that names what is", async (headers) => {
    const answer = await (await start()).post(JSON.stringify(event()), headers);
    expect(answer).toMatchObject({ status: 415, body: { type: "urn:viewmill:problem:unsupported-media-type" } });
    expect(answer.headers).toMatchObject({ accept: expect.stringContaining("application/x-ndjson") });
  });

  it("another method is a 405 that allows POST", async () => {
    const harness = await start();
    for (const method of ["GET", "PUT", "DELETE", "PATCH", "HEAD"]) {
      const answer = await harness.post("", {}, method);
      expect(answer.status).toBe(405);
      expect(answer.headers.allow).toBe("POST");
    }
  });
});

describe("overload", () => {
  it("a full log is a 429 with Retry-After, and nothing is accepted", async () => {
    const harness = await start({ maxBacklogBytes: 10 });
    const answer = await harness.post(JSON.stringify([event(), {}]));
    expect(answer).toMatchObject({ status: 429, body: { type: "urn:viewmill:problem:overloaded" } });
    expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
    expect(await harness.letters()).toEqual([]);
    expect(await harness.log.head()).toBe(0);
  });

  it("full dead letters refuse what would have to go there, and only that", async () => {
    const harness = await start({ maxDeadLetterBytes: 10 });
    expect((await harness.post(JSON.stringify([event(), {}]))).status).toBe(429);
    expect((await harness.post("{oops")).status).toBe(429);
    expect((await harness.post(JSON.stringify([event()]))).status).toBe(202);
  });

  it("a store that cannot write is a 503 with Retry-After; one that fails otherwise a 500 that tells nothing", async () => {
    const harness = await start();
    const append = harness.log.append.bind(harness.log);
    const failures: Error[] = [new StoreUnavailableError("disk"), new LogFullError("full"), new Error("secret")];
    const statuses: number[] = [];
    harness.log.append = async () => Promise.reject(failures.shift()!);
    for (let i = 0; i < 3; i++) {
      const answer = await harness.post(JSON.stringify(event()));
      statuses.push(answer.status);
      expect(JSON.stringify(answer.body)).not.toContain("secret");
      if (answer.status !== 500) expect(answer.headers["retry-after"]).toBeDefined();
    }
    expect(statuses).toEqual([503, 429, 500]);
    expect(harness.logged.join()).toContain("secret");
    harness.log.append = append;
    expect((await harness.post(JSON.stringify(event()))).status).toBe(202);
  });

  it("more requests or bytes than the bound are a 429, and their place is free again afterwards", async () => {
    const harness = await start({ limits: { maxInFlightRequests: 1 } });
    const append = harness.log.append.bind(harness.log);
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let entered = () => {};
    const inside = new Promise<void>((resolve) => {
      entered = resolve;
    });
    harness.log.append = async (batch) => {
      entered();
      await held;
      return append(batch);
    };
    const first = harness.post(JSON.stringify(event()));
    await inside;
    expect((await harness.post(JSON.stringify(event()))).status).toBe(429);
    release();
    expect((await first).status).toBe(202);
    expect((await harness.post(JSON.stringify(event()))).status).toBe(202);
    const small = await start({ limits: { maxInFlightBytes: 100 } });
    expect((await small.post(JSON.stringify([event(), event()]))).status).toBe(429);
    expect((await small.post(JSON.stringify(event()).slice(0, 95))).status).not.toBe(429);
  });

  it("a client that goes away in the middle of its body leaves nothing behind", async () => {
    const harness = await start();
    const port = Number(new URL(harness.url).port);
    for (let i = 0; i < 20; i++) {
      await new Promise<void>((resolve) => {
        const socket = connect(port, "127.0.0.1", () => {
          const head =
            "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n[";
          socket.write(head, () => socket.destroy());
        });
        socket.on("close", () => resolve());
        socket.on("error", () => {});
      });
    }
    await vi.waitFor(async () => {
      const text = await harness.registry.metrics();
      expect(text).toMatch(/viewmill_ingest_in_flight_requests 0\n/);
      expect(text).toMatch(/viewmill_ingest_in_flight_bytes 0\n/);
    });
    expect((await harness.post(JSON.stringify(event()))).status).toBe(202);
  });

  it("draining refuses new requests with 503 and waits for the running ones", async () => {
    const harness = await start();
    const append = harness.log.append.bind(harness.log);
    let release = () => {};
    const inside = new Promise<void>((entered) => {
      harness.log.append = async (batch) => {
        entered();
        await new Promise<void>((resolve) => {
          release = resolve;
        });
        return append(batch);
      };
    });
    const running = harness.post(JSON.stringify(event()));
    await inside;
    let drained = false;
    const drain = harness.api.drain().then(() => {
      drained = true;
    });
    const refused = await harness.post(JSON.stringify(event()));
    expect(refused.status).toBe(503);
    expect(refused.headers["retry-after"]).toBeDefined();
    expect(drained).toBe(false);
    release();
    expect((await running).status).toBe(202);
    await drain;
  });
});

it("the metrics tell requests, latency, accepted and rejected events", async () => {
  const harness = await start();
  await harness.post(JSON.stringify([event(), event(), { ...event(), value: 1.5 }]));
  await harness.post("{oops");
  const text = await harness.registry.metrics();
  expect(text).toContain('viewmill_ingest_requests_total{status="202",format="json"} 1');
  expect(text).toContain('viewmill_ingest_requests_total{status="400",format="json"} 1');
  expect(text).toContain('viewmill_ingest_accepted_events_total{format="json"} 2');
  expect(text).toContain('viewmill_ingest_rejected_events_total{reason="bad-value"} 1');
  expect(text).toContain('viewmill_ingest_rejected_events_total{reason="not-json"} 1');
  expect(text).toContain("viewmill_ingest_request_seconds_count 2");
});

it("a second look at the metrics adds what came between, and nothing twice", async () => {
  const harness = await start();
  const body = JSON.stringify(event());
  const counted = async () =>
    (await harness.registry.metrics())
      .split("\n")
      .filter((line) => /^viewmill_ingest_(requests|accepted_events|body_bytes)_total/.test(line));
  const of = (posts: number) => [
    `viewmill_ingest_requests_total{status="202",format="json"} ${posts}`,
    `viewmill_ingest_accepted_events_total{format="json"} ${posts}`,
    `viewmill_ingest_body_bytes_total{format="json"} ${posts * body.length}`,
  ];
  expect(await counted()).toEqual([]);
  await harness.post(body);
  expect(await counted()).toEqual(of(1));
  expect(await counted()).toEqual(of(1));
  await harness.post(body);
  await harness.post(body);
  expect(await counted()).toEqual(of(3));
});
