// SPDX-License-Identifier: Apache-2.0
import { gzipSync, zstdCompressSync } from "node:zlib";
import { eventAt } from "../../domain/columns/event-columns";
import { encodeBatch } from "../../io/formats/avro/batch";
import { readMessage } from "../../transforms/read-message";
import { columnsOf, T0 } from "../domain/model";
import { event } from "./elements";

const NOW = T0 + 5_000;
const DAY_MS = 86_400_000;
const good = { eventId: "e", videoId: "v", eventType: "VIEW" };
const text = (value: unknown) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
const read = (payload: Buffer, rawRetentionMs?: number) => {
  const checked = readMessage(payload, NOW, rawRetentionMs === undefined ? {} : { rawRetentionMs });
  const events = Array.from({ length: checked.columns.count }, (_, row) => eventAt(checked.columns, row));
  return { ...checked, events };
};

describe("JSON messages", () => {
  it("are one event, an array, or a list of events; each may be a CloudEvent", () => {
    const cloud = { specversion: "1.0", id: "c", source: "/s", subject: "v", type: "LIKE", data: { value: 3 } };
    const forms = [good, [good, cloud], { events: [good, cloud] }, { events: [] }, [], cloud];
    const counts = forms.map((form) => {
      const { events, dead } = read(text(form));
      expect(dead).toEqual([]);
      return events.map(({ eventId, eventType, value }) => `${eventId} ${eventType} ${value ?? "-"}`);
    });
    expect(counts).toEqual([["e VIEW -"], ["e VIEW -", "c LIKE 3"], ["e VIEW -", "c LIKE 3"], [], [], ["c LIKE 3"]]);
  });

  it("are known behind white space, a byte order mark, gzip and zstd", () => {
    for (const bytes of [text(`\ufeff ${JSON.stringify(good)}`), gzipSync(text([good])), zstdCompressSync(text(good))])
      expect(read(bytes).events).toHaveLength(1);
  });

  it("an event keeps an unknown field called events, and a CloudEvent as well", () => {
    expect(read(text({ ...good, events: [good, good] })).events).toHaveLength(1);
    expect(
      read(text({ specversion: "1.0", id: "c", source: "/s", subject: "v", type: "LIKE", events: [1] })).events,
    ).toHaveLength(1);
  });

  it("what has no time has that of its receipt by the topic, unless its id is a UUIDv7", () => {
    expect(read(text(good)).events[0]?.eventTimeMs).toBe(NOW);
    const uuid = "019a0000-0000-7000-8000-000000000000";
    const ownMs = 0x019a00000000;
    const inTime = readMessage(text({ ...good, eventId: uuid }), ownMs + 1_000);
    expect(inTime.columns.timesMs[0]).toBe(ownMs);
  });

  it.each([
    [{ ...good, videoId: "v 1" }, "bad-video-id"],
    [{ ...good, eventTime: NOW + 300_001 }, "too-far-in-future"],
    [{ ...good, eventTime: NOW - 2 * DAY_MS }, "too-old"],
    [{ eventId: "e" }, "missing-field"],
    [7, "missing-field"],
    [{ specversion: "0.3", id: "c", subject: "v", type: "LIKE" }, "unknown-schema"],
    [{ specversion: "1.0", id: "c", subject: "v", type: "LIKE" }, "missing-field"],
    [{ ...good, extra: "x".repeat(70_000) }, "too-large"],
  ])("of a list that holds %.60j only that one is refused, with the bytes it came as: %s", (bad, reason) => {
    const badText = ` ${JSON.stringify(bad)}`;
    const payload = text(`[${JSON.stringify(good)},${badText} ,${JSON.stringify({ ...good, eventId: "f" })}]`);
    const { events, dead, unreadable } = read(payload, DAY_MS);
    expect(events.map(({ eventId }) => eventId)).toEqual(["e", "f"]);
    expect(unreadable).toBe(false);
    expect(dead).toMatchObject([{ reason, receivedAtMs: NOW }]);
    expect(Buffer.from(dead[0]!.payload).toString()).toBe(badText.trim());
  });

  it("nested deeper than anything may recurse are refused, and stop nothing", () => {
    const deep = `{"eventId":"e","videoId":"v","eventType":"VIEW","x":${"[".repeat(20_000)}${"]".repeat(20_000)}}`;
    expect(read(text(deep)).dead).toMatchObject([{ reason: "too-large", eventId: "e" }]);
    const bad = `[${deep.replace("VIEW", "view")}]`;
    expect(Buffer.from(read(text(bad)).dead[0]!.payload).toString()).toBe(bad.slice(1, -1));
  });

  it.each([
    ["{", "not-json"],
    ["[1,", "not-json"],
    ['{"eventId":"\xff"}', "not-json"],
    [`[${"0,".repeat(10_000)}0]`, "too-large"],
    [`[${" ".repeat(11 << 20)}]`, "too-large"],
  ])("that cannot be read are one dead letter, whole: %.20j", (content, reason) => {
    const payload = Buffer.from(content, "latin1");
    const { events, dead, unreadable } = read(payload);
    expect([events.length, unreadable]).toEqual([0, true]);
    expect(dead).toMatchObject([{ reason, contentType: "application/json", receivedAtMs: NOW }]);
    expect(Buffer.compare(Buffer.from(dead[0]!.payload), payload)).toBe(0);
  });

  it.each([
    [gzipSync(text([good])).subarray(0, 30), "not-json"],
    [gzipSync(Buffer.alloc(20 << 20)), "too-large"],
    [zstdCompressSync(Buffer.alloc(20 << 20)), "too-large"],
    [zstdCompressSync(text("{")), "not-json"],
  ])("that are compressed and cannot be read are one dead letter, as they came (%#: %s)", (payload, reason) => {
    const { dead, unreadable } = read(payload);
    expect(unreadable).toBe(true);
    expect(dead).toMatchObject([{ reason }]);
    expect(Buffer.compare(Buffer.from(dead[0]!.payload), payload)).toBe(0);
  });
});

describe("Avro batches", () => {
  const batch = (receivedAtMs: number, eventTimeMs: number, producerId = "p") =>
    encodeBatch(columnsOf([event("a", { eventTimeMs }), event("b", { eventTimeMs: NOW })]), {
      receivedAtMs,
      producerId,
      batchId: "",
    });

  it("without a receipt time are received when the topic took them, and judged by that", () => {
    const { receivedAtMs, events, dead } = read(batch(0, NOW - 2 * DAY_MS), DAY_MS);
    expect([receivedAtMs, events.length]).toEqual([NOW, 1]);
    expect(dead).toMatchObject([{ reason: "too-old", eventId: "a", receivedAtMs: NOW }]);
  });

  it("of the write API keep their receipt time, and what it accepted is accepted, whatever the clocks say", () => {
    for (const producerId of ["ingest", "ingest/player"]) {
      for (const receivedAtMs of [NOW - DAY_MS, NOW + DAY_MS, 1, NOW + 1e12]) {
        const { events, dead, ...header } = read(batch(receivedAtMs, NOW - 2 * DAY_MS, producerId), DAY_MS / 2);
        expect([header.receivedAtMs, events.length, dead]).toEqual([receivedAtMs, 2, []]);
      }
    }
  });

  it("of a direct producer are received when it says, but no farther from the append than clocks differ", () => {
    const near = [NOW - 600_000, NOW - 1, NOW + 600_000];
    for (const receivedAtMs of near) expect(read(batch(receivedAtMs, NOW)).receivedAtMs).toBe(receivedAtMs);
    const far = [1, NOW - 600_001, NOW + 600_001, NOW + 1e12, -5];
    for (const receivedAtMs of far) expect(read(batch(receivedAtMs, NOW)).receivedAtMs).toBe(NOW);
  });

  it("of a direct producer that dates its receipt far back or ahead escape no rule of time", () => {
    for (const receivedAtMs of [NOW - 3 * DAY_MS, NOW + 3 * DAY_MS, NOW - 1_000]) {
      const old = read(batch(receivedAtMs, NOW - 2 * DAY_MS), DAY_MS);
      expect(old.dead).toMatchObject([{ reason: "too-old", eventId: "a" }]);
      const ahead = read(batch(receivedAtMs, NOW + 2 * DAY_MS), DAY_MS);
      expect(ahead.dead).toMatchObject([{ reason: "too-far-in-future", eventId: "a" }]);
    }
  });

  it("of a direct producer are bounded as JSON events are: bytes and depth of an event, rows of a message", () => {
    const extras = [{ note: "x".repeat(70_000) }, nested(65), { note: "x".repeat(60_000) }];
    const events = extras.map((extra, row) => event(`e${row}`, { eventTimeMs: NOW, extra }));
    for (const receivedAtMs of [0, NOW]) {
      const header = { receivedAtMs, producerId: "p", batchId: "" };
      const { events: taken, dead } = read(encodeBatch(columnsOf(events), header));
      expect(taken.map(({ eventId }) => eventId)).toEqual(["e2"]);
      expect(dead).toMatchObject([
        { reason: "too-large", eventId: "e0" },
        { reason: "too-large", eventId: "e1" },
      ]);
      const rows = (count: number) =>
        encodeBatch(columnsOf(Array.from({ length: count }, () => event("e", { eventTimeMs: NOW }))), header);
      expect(read(rows(10_000)).events).toHaveLength(10_000);
      expect(read(rows(10_001))).toMatchObject({ unreadable: true, dead: [{ reason: "too-large" }] });
    }
  });

  it("may be compressed", () => {
    expect(read(gzipSync(batch(0, NOW))).events).toHaveLength(2);
  });
});

function nested(depth: number): Record<string, unknown> {
  let value: Record<string, unknown> = {};
  for (let level = 1; level < depth; level++) value = { deeper: value };
  return value;
}
