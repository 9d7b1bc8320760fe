// SPDX-License-Identifier: Apache-2.0

import { gzipSync, zstdCompressSync } from "node:zlib";
import supertest from "supertest";
import { EventColumnsBuilder } from "../../domain/columns/event-columns";
import { decodeBatch, encodeBatch } from "../../io/formats/avro/batch";
import { emptiedStores } from "../io/sqlite/emptied-stores";
import { event, IngestHarness, NOW_MS } from "./ingest-harness";

const ID = "0190163d-8694-739b-aea5-966c26f8ad91";
let harness: IngestHarness;
const stores = emptiedStores();
beforeEach(async () => {
  harness = await IngestHarness.start({ stores: await stores() });
});
afterEach(() => harness.stop());

const batchHeader = { receivedAtMs: 0, producerId: "p", batchId: "b" };

function batchOf(count: number, changes: { value?: number; extra?: Record<string, unknown> } = {}) {
  const builder = new EventColumnsBuilder();
  for (let i = 0; i < count; i++) {
    builder.add({ eventId: `e-${i}`, videoId: "v", eventType: "VIEW", eventTimeMs: NOW_MS - i, ...changes });
  }
  return builder.build();
}

describe("what can be posted", () => {
  it("one event as application/json is accepted and is in the log when the answer comes", async () => {
    const answer = await supertest(harness.server)
      .post("/v1/events")
      .send({
        eventId: ID,
        videoId: "a:b/c.d",
        eventType: "LIKE",
        eventTime: new Date(NOW_MS - 59_500).toISOString(),
        value: -7,
      });
    expect(answer.status).toBe(202);
    expect(answer.body).toEqual({ accepted: 1, rejected: [] });
    expect(await harness.events()).toEqual([
      {
        eventId: ID,
        videoId: "a:b/c.d",
        eventType: "LIKE",
        eventTimeMs: NOW_MS - 59_500,
        value: -7,
        receivedAtMs: NOW_MS,
      },
    ]);
    expect(await harness.log.accepted(0, 1e9)).toEqual(new Map([[NOW_MS / 60_000 - 1, 1]]));
  });

  it.each([
    ["an array", (list: unknown[]) => JSON.stringify(list)],
    ["an object with events", (list: unknown[]) => JSON.stringify({ note: { events: [1] }, events: list })],
    ["an array behind a byte order mark", (list: unknown[]) => `\ufeff${JSON.stringify(list)}`],
  ])("%s is accepted", async (_name, body) => {
    const answer = await harness.post(body([event(), event({ videoId: "video-2" })]));
    expect(answer).toMatchObject({ status: 202, body: { accepted: 2, rejected: [] } });
    expect((await harness.events()).map((e) => e.videoId)).toEqual(["video-1", "video-2"]);
  });

  it("NDJSON takes LF and CRLF, ignores blank lines and needs no newline at the end", async () => {
    const body = `\n${JSON.stringify(event())}\r\n\r\n  \n${JSON.stringify(event({ note: "é" }))}`;
    const answer = await harness.post(body, { "Content-Type": "application/x-ndjson; charset=utf-8" });
    expect(answer).toMatchObject({ status: 202, body: { accepted: 2, rejected: [] } });
    expect((await harness.events())[1]!.extra).toEqual({ note: "é" });
  });

  const cloudEvent = {
    specversion: "1.0",
    id: "ce-1",
    source: "/player",
    type: "SHARE",
    subject: "video-9",
    time: new Date(NOW_MS - 120_000).toISOString(),
    data: { value: 42, quality: "hd" },
  };
  it("a CloudEvent maps id, subject, type, time and data.value, and keeps the rest", async () => {
    const answer = await harness.post(JSON.stringify(cloudEvent), { "Content-Type": "application/cloudevents+json" });
    expect(answer).toMatchObject({ status: 202, body: { accepted: 1 } });
    expect(await harness.events()).toEqual([
      {
        eventId: "ce-1",
        videoId: "video-9",
        eventType: "SHARE",
        eventTimeMs: NOW_MS - 120_000,
        value: 42,
        extra: { cloudevent: { specversion: "1.0", source: "/player", data: { quality: "hd" } } },
        receivedAtMs: NOW_MS,
      },
    ]);
  });

  it("a CloudEvents batch takes the good ones and names the bad ones", async () => {
    const body = JSON.stringify([cloudEvent, { ...cloudEvent, subject: "no spaces" }, 5]);
    const answer = await harness.post(body, { "Content-Type": "application/cloudevents-batch+json" });
    expect(answer.body.accepted).toBe(1);
    expect(answer.body.rejected!.map((r) => [r.index, r.eventId, r.reason])).toEqual([
      [1, "ce-1", "bad-video-id"],
      [2, null, "missing-field"],
    ]);
    expect((await harness.letters()).map((l) => l.contentType)).toEqual(Array(2).fill("application/cloudevents+json"));
  });

  it("a batch message goes into the log as it came, but with the receipt time", async () => {
    const message = encodeBatch(batchOf(500, { value: 3, extra: { a: 1 } }), batchHeader);
    const answer = await harness.post(message, { "Content-Type": "application/vnd.viewmill.batch+avro" });
    expect(answer).toMatchObject({ status: 202, body: { accepted: 500, rejected: [] } });
    const [entry] = await harness.log.read(0, 10, 1e9);
    expect(decodeBatch(entry!.payload)).toMatchObject({ receivedAtMs: NOW_MS, producerId: "ingest/p", batchId: "b" });
    expect(await harness.events()).toHaveLength(500);
  });

  it.each([
    ["gzip", gzipSync],
    ["x-gzip", gzipSync],
    ["zstd", zstdCompressSync],
  ] as const)("Content-Encoding %s is undone, for small bodies and large ones", async (encoding, compress) => {
    for (const count of [1, 9000]) {
      const list = Array.from({ length: count }, () => event({ note: Math.random() }));
      const answer = await harness.post(compress(Buffer.from(JSON.stringify(list))), {
        "Content-Type": "application/json",
        "Content-Encoding": encoding,
      });
      expect(answer).toMatchObject({ status: 202, body: { accepted: count, rejected: [] } });
    }
  });

  it("an empty list is accepted and appends nothing", async () => {
    for (const [body, type] of [
      ["[]", "application/json"],
      ['{"events":[]}', "application/json"],
      ["\n", "application/x-ndjson"],
      ["", "application/x-ndjson"],
      [encodeBatch(batchOf(0), batchHeader), "application/vnd.viewmill.batch+avro"],
    ] as const) {
      const answer = await harness.post(body, { "Content-Type": type });
      expect(answer).toMatchObject({ status: 202, body: { accepted: 0, rejected: [] } });
    }
    expect(await harness.log.head()).toBe(0);
  });

  it("an event without a time takes that of its UUIDv7", async () => {
    harness.nowMs = 0x0190163d8694 + 1000;
    await harness.post(JSON.stringify({ eventId: ID, videoId: "v", eventType: "VIEW" }));
    expect((await harness.events())[0]!.eventTimeMs).toBe(0x0190163d8694);
  });

  it("__proto__ in an event is a field like any other", async () => {
    const body = `{"__proto__":{"eventId":"x","polluted":1},"videoId":"v","eventType":"VIEW"}`;
    const refused = await harness.post(body);
    expect(refused.body.rejected![0]).toMatchObject({ reason: "missing-field", detail: "eventId is missing" });
    const kept = await harness.post(`[{"eventId":"x","videoId":"v","eventType":"VIEW","__proto__":{"polluted":1}}]`);
    expect(kept.body.accepted).toBe(1);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    const [entry] = await harness.log.read(0, 1, 1e9);
    expect(decodeBatch(entry!.payload).columns.extras!.get(0)).toBe('{"__proto__":{"polluted":1}}');
  });
});
