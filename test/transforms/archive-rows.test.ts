// SPDX-License-Identifier: Apache-2.0
import { Type } from "avsc";
import fc from "fast-check";
import type { VideoEvent } from "../../domain/event";
import { type ArchiveRow, readArchiveRows } from "../../transforms/archive-rows";
import { anyEvent, columnsOf, T0 } from "../domain/model";
import { archiveObject, changedSchema } from "../io/formats/avro/events";
import { event } from "./elements";

interface Read {
  eventId: string;
  videoId: string;
  eventType: string;
  eventTimeMs: number;
  receivedAtMs: number;
  value: number | undefined;
}

const textOf = (row: ArchiveRow): Read => ({
  eventId: row.bytes.utf8Slice(row.idFrom, row.idTo),
  videoId: row.bytes.utf8Slice(row.videoFrom, row.videoTo),
  eventType: row.bytes.utf8Slice(row.typeFrom, row.typeTo),
  eventTimeMs: row.eventTimeMs,
  receivedAtMs: row.receivedAtMs,
  value: Number.isNaN(row.value) ? undefined : row.value,
});

function read(object: Uint8Array): Read[] {
  const rows: Read[] = [];
  expect(readArchiveRows(object, (row) => rows.push(textOf(row)))).toBe(rows.length);
  return rows;
}

const wanted = (events: readonly VideoEvent[]): Read[] =>
  events.map(({ eventId, videoId, eventType, eventTimeMs, value }, n) => ({
    ...{ eventId, videoId, eventType, eventTimeMs, receivedAtMs: T0 + n, value },
  }));

test("any events of an object are read as they were written", () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { minLength: 1, maxLength: 40 }), (events) => {
      expect(read(archiveObject("w.avro", columnsOf(events), T0))).toEqual(wanted(events));
    }),
  );
});

test("short rows far from the end of their block, and the rows between them, are read as they were written", () => {
  const short = fc.record({
    eventId: fc.oneof(
      fc.uuid(),
      fc.constantFrom("a", "an-id-of-sixty-three-bytes".padEnd(63, "x"), "b".padEnd(64, "x")),
    ),
    videoId: fc.constantFrom("v", "w".padEnd(63, "x"), "x".padEnd(64, "x"), "y".padEnd(128, "x")),
    eventType: fc.constantFrom("VIEW", "LIKE"),
    eventTimeMs: fc.constantFrom(0, 2 ** 34 - 1, 2 ** 34, T0, 2 ** 41 - 1, 2 ** 41, 8.64e15),
  });
  const mixed = fc.array(fc.oneof({ weight: 3, arbitrary: short }, { weight: 1, arbitrary: anyEvent }));
  const long = event("long", { extra: { text: "x".repeat(1_000) } });
  fc.assert(
    fc.property(mixed, (events) => {
      const all = [...events, long];
      expect(read(archiveObject("w.avro", columnsOf(all), T0))).toEqual(wanted(all));
    }),
  );
});

test("an object of many blocks is read whole", () => {
  const events = Array.from({ length: 60_000 }, (_, n) => event(`an-event-with-a-longer-name-${n}`, { value: n }));
  expect(read(archiveObject("w.avro", columnsOf(events), T0))).toEqual(wanted(events));
});

/** An object of one uncompressed block by avsc, of any schema. */
function foreign(schema: ReturnType<typeof changedSchema>, rows: unknown[]): Buffer {
  const type = Type.forSchema(schema, { wrapUnions: false });
  const block = Buffer.concat(rows.map((row) => type.toBuffer(row)));
  const long = Type.forSchema("long");
  const meta = Type.forSchema({ type: "map", values: "bytes" });
  const sync = Buffer.alloc(16, 7);
  const header = meta.toBuffer({ "avro.schema": Buffer.from(JSON.stringify(schema)) });
  const sizes = [long.toBuffer(rows.length), long.toBuffer(block.length)];
  return Buffer.concat([Buffer.from("Obj\u0001"), header, sync, ...sizes, block, sync]);
}

const row = { eventId: "a", videoId: "v", eventType: "VIEW", eventTime: T0, value: 7, receivedAt: T0, extra: null };

test("an object of a schema with other fields, and of one without value and extra, is read", () => {
  const more = changedSchema("event-v1", (fields) => [
    { name: "before", type: ["null", "double", "boolean"] },
    ...fields,
    { name: "after", type: "bytes" },
  ]);
  const rows = [
    { ...row, before: 1.5, after: Buffer.from("xyz") },
    { ...row, eventId: "b", value: null, before: true, after: Buffer.alloc(0) },
  ];
  expect(read(foreign(more, rows)).map(({ eventId, value }) => [eventId, value])).toEqual([
    ["a", 7],
    ["b", undefined],
  ]);
  const fewer = changedSchema("event-v1", (fields) =>
    fields.filter(({ name }) => name !== "value" && name !== "extra"),
  );
  expect(read(foreign(fewer, [row]))).toMatchObject([{ eventId: "a", value: undefined }]);
});

test("an object without a field that counting needs, or with one of another type, is refused", () => {
  const without = changedSchema("event-v1", (fields) => fields.filter(({ name }) => name !== "receivedAt"));
  expect(() => read(foreign(without, [row]))).toThrow("has no receivedAt");
  const other = changedSchema("event-v1", (fields) =>
    fields.map((field) => (field.name === "eventTime" ? { ...field, type: "string" } : field)),
  );
  expect(() => read(foreign(other, [{ ...row, eventTime: "x" }]))).toThrow("is no long");
});

test("any object that is cut, or has a changed byte, is refused or read as it was: never as something else", () => {
  const events = Array.from({ length: 20 }, (_, n) => event(`event-${n}`, { value: n * 1_000_003 }));
  const object = archiveObject("w.avro", columnsOf(events), T0);
  // Behind its header it is an object without events: that events are missing tells the list of objects.
  const headerEnd = object.indexOf(object.subarray(-16)) + 16;
  for (let size = 0; size < object.length; size++) {
    if (size === headerEnd) expect(read(object.subarray(0, size))).toEqual([]);
    else expect(() => read(object.subarray(0, size))).toThrow();
  }
  fc.assert(
    fc.property(fc.nat({ max: object.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const damaged = Buffer.from(object);
      damaged[at]! ^= change;
      let rows: Read[];
      try {
        rows = read(damaged);
      } catch {
        return;
      }
      expect(rows).toEqual(wanted(events));
    }),
    { numRuns: 2_000 },
  );
});

test("a number beyond 2^53 is refused", () => {
  const long = Type.forSchema("long");
  const good = foreign(
    changedSchema("event-v1", (fields) => fields),
    [row],
  );
  const at = good.indexOf(long.toBuffer(T0));
  const size = long.toBuffer(T0).length;
  const huge = Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
  const before = good.subarray(0, at);
  const block = Buffer.concat([huge, good.subarray(at + size, -16)]);
  // The block's size is the last byte before its row.
  const rowStart = good.indexOf(Buffer.from([2, 0x61]));
  before[rowStart - 1] = before[rowStart - 1]! + 2 * (huge.length - size);
  expect(() => read(Buffer.concat([before, block, good.subarray(-16)]))).toThrow("beyond 2^53");
});
