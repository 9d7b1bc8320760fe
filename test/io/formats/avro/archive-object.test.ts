// SPDX-License-Identifier: Apache-2.0
import { zstdDecompressSync } from "node:zlib";
import { type Schema, streams, Type } from "avsc";
import fc from "fast-check";
import { minuteOf, type VideoEvent } from "../../../../domain/event";
import { ArchiveObjectWriter, readArchiveObject } from "../../../../io/formats/avro/archive-object";
import { AvroError } from "../../../../io/formats/avro/binary";
import { shippedSchema } from "../../../../io/formats/avro/schema-registry";
import { anyEvent, columnsOf, meetingEvent, T0 } from "../../../domain/model";
import { archiveObject, changedSchema, type ReadRow, readRows, wholeLong } from "./events";

const eventSchema = shippedSchema("event-v1");
const done = (work: () => Buffer) => (_: Buffer, next: (error: Error | null, out?: Buffer) => void) => {
  try {
    next(null, work());
  } catch (error) {
    next(error as Error);
  }
};
const codecs = {
  null: (data: Buffer, next: (error: Error | null, out?: Buffer) => void) => next(null, data),
  zstandard: (data: Buffer, next: (error: Error | null, out?: Buffer) => void) =>
    done(() => zstdDecompressSync(data))(data, next),
};

/** The rows of an object by avsc's container decoder. */
function byAvsc(object: Buffer): Promise<Record<string, unknown>[]> {
  return new Promise((resolve, reject) => {
    const rows: Record<string, unknown>[] = [];
    const parseHook = (schema: Schema) => Type.forSchema(schema, { registry: { long: wholeLong }, wrapUnions: false });
    const decoder = new streams.BlockDecoder({ codecs, parseHook } as never);
    decoder.on("data", (row: Record<string, unknown>) => rows.push(row));
    decoder.on("error", reject);
    decoder.on("end", () => resolve(rows));
    decoder.end(object);
  });
}

/** An object of rows that are plain fields, written by avsc with any schema. */
function writtenByAvsc(schema: Schema, rows: object[], codec = "null"): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const type = Type.forSchema(schema, { wrapUnions: false });
    const encoder = new streams.BlockEncoder(type, { codec, blockSize: 300 } as never);
    const chunks: Buffer[] = [];
    encoder.on("data", (chunk: Buffer) => chunks.push(chunk));
    encoder.on("error", reject);
    encoder.on("end", () => resolve(Buffer.concat(chunks)));
    for (const row of rows) encoder.write(row);
    encoder.end();
  });
}

const manyEvents = (n: number): VideoEvent[] =>
  Array.from({ length: n }, (_, i) => ({
    eventId: i % 3 === 0 ? `id-${i}` : `0190a0a0-0000-7000-8000-${String(i).padStart(12, "0")}`,
    videoId: `video-${i % 5}`,
    eventType: i % 2 === 0 ? "VIEW" : "WATCH_MS",
    eventTimeMs: T0 + (i % 60_000),
    ...(i % 4 === 0 ? { value: i * 1_000_003 } : {}),
    ...(i % 7 === 0 ? { extra: { player: "html5", at: i } } : {}),
  }));

const expected = (events: readonly VideoEvent[], receivedAtMs: number): ReadRow[] =>
  events.map((event, row) => ({ event, receivedAtMs: receivedAtMs + row }));

test("events come out of an object as they went in", () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 20 }), (events) => {
      expect(readRows(archiveObject("w-1.avro", columnsOf(events), 1000))).toEqual(expected(events, 1000));
    }),
  );
});

test("avsc reads the object, each row whole", async () => {
  const events = [...manyEvents(50), ...fc.sample(anyEvent, { numRuns: 50, seed: 1 })];
  const rows = await byAvsc(archiveObject("w-1.avro", columnsOf(events), 1000));
  expect(rows.map((row) => ({ ...row }))).toEqual(
    events.map(({ eventId, videoId, eventType, eventTimeMs, value, extra }, row) => ({
      eventId,
      videoId,
      eventType,
      eventTime: eventTimeMs,
      value: value === undefined ? null : BigInt(value),
      receivedAt: 1000 + row,
      extra: extra === undefined ? null : JSON.stringify(extra),
    })),
  );
});

test("an object of several blocks holds every row, and so avsc says", async () => {
  const events = manyEvents(60_000);
  const object = archiveObject("w-1.avro", columnsOf(events), 1000);
  expect([...readArchiveObject(object)].length).toBeGreaterThan(2);
  expect(readRows(object)).toEqual(expected(events, 1000));
  expect((await byAvsc(object)).length).toBe(60_000);
});

test("the same rows under the same name are the same bytes; another name is another sync marker", () => {
  const columns = columnsOf(manyEvents(500));
  const object = archiveObject("w-1.avro", columns, 1000);
  expect(archiveObject("w-1.avro", columns, 1000).equals(object)).toBe(true);
  expect(archiveObject("w-2.avro", columns, 1000).subarray(-16)).not.toEqual(object.subarray(-16));
});

test("the events of a batch that is archived in two turns are those of one", () => {
  const columns = columnsOf(manyEvents(9));
  const writer = new ArchiveObjectWriter("w.avro");
  for (let row = 0; row < 9; row++) writer.add(columns, row, 1000 + row);
  expect(writer.events).toBe(9);
  expect(writer.finish().equals(archiveObject("w.avro", columns, 1000))).toBe(true);
});

describe("damage is found", () => {
  const events = manyEvents(40);
  const object = archiveObject("w-1.avro", columnsOf(events), 1000);
  const rows = expected(events, 1000);
  const minute = minuteOf(T0);

  /** The rows read, or undefined where the object was refused. */
  function rowsOr(bytes: Uint8Array): ReadRow[] | undefined {
    try {
      return readRows(bytes, minute);
    } catch (error) {
      expect(error).toBeInstanceOf(AvroError);
      return undefined;
    }
  }

  test("a cut at any byte is refused, but one between blocks", () => {
    const header = object.length - blockLength(object);
    for (let end = 0; end < object.length; end++) {
      expect([end, rowsOr(object.subarray(0, end))]).toEqual([end, end === header ? [] : undefined]);
    }
  });

  test("a cut of an object of several blocks gives whole blocks or is refused", () => {
    const many = manyEvents(40_000);
    const large = archiveObject("w-1.avro", columnsOf(many), 1000);
    const sync = large.subarray(-16);
    const borders = new Set<number>();
    for (let at = large.indexOf(sync); at >= 0; at = large.indexOf(sync, at + 1)) borders.add(at + 16);
    expect(borders.size).toBeGreaterThan(2);
    const cuts = [...borders].flatMap((border) => [border - 17, border - 1, border, border + 1, border + 5]);
    for (const end of cuts.filter((cut) => cut < large.length)) {
      expect([end, rowsOr(large.subarray(0, end)) !== undefined]).toEqual([end, borders.has(end)]);
    }
  });

  test("a flip of any bit is refused or changes nothing", () => {
    for (let at = 0; at < object.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const bytes = Buffer.from(object);
        bytes[at]! ^= 1 << bit;
        const read = rowsOr(bytes);
        if (read !== undefined && JSON.stringify(read) !== JSON.stringify(rows)) {
          throw new Error(`bit ${bit} of byte ${at} changes the rows unseen`);
        }
      }
    }
  });

  test("random edits are refused or change nothing", () => {
    const edit = fc.record({ at: fc.nat(object.length), remove: fc.nat(9), insert: fc.uint8Array({ maxLength: 9 }) });
    fc.assert(
      fc.property(edit, ({ at, remove, insert }) => {
        const bytes = Buffer.concat([object.subarray(0, at), insert, object.subarray(at + remove)]);
        const read = rowsOr(bytes);
        if (read !== undefined && at + remove < object.length) expect(read).toEqual(rows);
      }),
      { numRuns: 2000 },
    );
  });

  test("a block that does not end in the object's sync marker is refused", () => {
    for (let at = object.length - 16; at < object.length; at++) {
      const bytes = Buffer.from(object);
      bytes[at]! ^= 1;
      expect(() => readRows(bytes)).toThrow(/sync marker/);
    }
  });

  test("an event of another minute is damage", () => {
    expect(() => readRows(object, minute + 1)).toThrow(AvroError);
  });

  test("a block that decompresses to more than its bound is refused", async () => {
    const { zstdCompressSync } = await import("node:zlib");
    const bomb = zstdCompressSync(Buffer.alloc(65 << 20));
    const header = object.subarray(0, object.length - blockLength(object));
    const size = Type.forSchema("long").toBuffer(bomb.length);
    const bytes = Buffer.concat([header, Buffer.from([2]), size, bomb, object.subarray(-16)]);
    expect(() => readRows(bytes)).toThrow(/decompressed/);
  });
});

/** The bytes of the object's one block, from its row count on. */
function blockLength(object: Buffer): number {
  const sync = object.subarray(-16);
  return object.length - (object.indexOf(sync) + 16);
}

describe("rows that break the contract are refused, for names and numbers of any length would spoil blocks", () => {
  const row = { eventId: "a", videoId: "v", eventType: "VIEW", eventTime: T0, value: null, receivedAt: 5, extra: null };
  test.each<[string, object]>([
    ["a videoId of 300", { videoId: "v".repeat(300) }],
    ["a videoId beyond ASCII", { videoId: "vé" }],
    ["a type that is none", { eventType: "view" }],
    ["an empty eventId", { eventId: "" }],
    ["a time before 1970", { eventTime: -1 }],
    ["a time beyond Date", { eventTime: 8.64e15 + 1 }],
  ])("%s", async (_what, fields) => {
    const newer = changedSchema("event-v1", (all) => [...all, { name: "more", type: ["null", "int"], default: null }]);
    for (const schema of [eventSchema, newer]) {
      const object = await writtenByAvsc(schema, [{ ...row, ...fields, more: null }]);
      expect(() => readRows(object)).toThrow(AvroError);
    }
  });

  test("a value beyond 2^53-1", () => {
    const type = Type.forSchema(eventSchema, { registry: { long: wholeLong }, wrapUnions: false });
    const body = type.toBuffer({ ...row, value: 2n ** 53n });
    const head = archiveObject("w.avro", columnsOf([]), 0);
    const plain = Buffer.from(head.toString("latin1").replace("\x12zstandard", "\x08null"), "latin1");
    const long = Type.forSchema("long");
    const object = Buffer.concat([plain, long.toBuffer(1), long.toBuffer(body.length), body, head.subarray(-16)]);
    expect(() => readRows(object)).toThrow(/2\^53-1/);
  });
});

describe("objects of other writers", () => {
  const events = manyEvents(30);
  const rows = events.map(({ eventId, videoId, eventType, eventTimeMs, value, extra }, row) => ({
    eventId,
    videoId,
    eventType,
    eventTime: eventTimeMs,
    value: value ?? null,
    receivedAt: 1000 + row,
    extra: extra === undefined ? null : JSON.stringify(extra),
  }));

  test("with the same schema, without compression, in small blocks, are read", async () => {
    expect(readRows(await writtenByAvsc(eventSchema, rows))).toEqual(expected(events, 1000));
  });

  test("with a newer schema are read, the added field ignored", async () => {
    const newer = changedSchema("event-v1", (fields) => [
      { name: "country", type: "string", default: "" },
      ...fields,
      { name: "device", type: ["null", "string"], default: null },
    ]);
    const object = await writtenByAvsc(
      newer,
      rows.map((row) => ({ ...row, country: "de", device: "tv" })),
    );
    expect(readRows(object, minuteOf(T0))).toEqual(expected(events, 1000));
  });

  test("with an older schema, without value and extra, are read with neither", async () => {
    const older = changedSchema("event-v1", (fields) =>
      fields.filter(({ name }) => name !== "value" && name !== "extra"),
    );
    const plain = events.map(({ value: _value, extra: _extra, ...event }) => event);
    expect(readRows(await writtenByAvsc(older, rows))).toEqual(expected(plain, 1000));
  });

  test("with a newer schema, cut or with bytes over, are refused", async () => {
    const newer = changedSchema("event-v1", (fields) => [
      ...fields,
      { name: "device", type: ["null", "string"], default: null },
    ]);
    const one = rows.slice(0, 1).map((row) => ({ ...row, device: "tv" }));
    const object = await writtenByAvsc(newer, one);
    expect(readRows(object).length).toBe(1);
    for (let end = object.length - 1; end > object.length - 60; end--) {
      const cut = object.subarray(0, end);
      if (end !== object.length - blockLength(object)) expect(() => readRows(cut)).toThrow(AvroError);
    }
    const count = object.length - blockLength(object);
    const claimsLess = Buffer.from(object);
    claimsLess[count] = 0;
    expect(() => readRows(claimsLess)).toThrow(AvroError);
    const claimsMore = Buffer.from(object);
    claimsMore[count] = 4;
    expect(() => readRows(claimsMore)).toThrow(/a block ends inside a row/);
    const claimsMany = Buffer.concat([object.subarray(0, count), Buffer.of(0xd0, 0x0f), object.subarray(count + 1)]);
    expect(() => readRows(claimsMany)).toThrow(/more rows than it has bytes/);
  });

  test("with a newer schema whose row breaks its own schema are refused", async () => {
    const newer = changedSchema("event-v1", (fields) => [...fields, { name: "more", type: ["null", "int"] }]);
    const object = await writtenByAvsc(newer, [{ ...rows[0]!, more: null }]);
    const odd = Buffer.from(object);
    odd[odd.length - 17] = 8;
    expect(() => readRows(odd)).toThrow(/a row cannot be read/);
  });

  test("with a schema that lacks what an event needs are refused", async () => {
    const without = changedSchema("event-v1", (fields) => fields.filter(({ name }) => name !== "eventId"));
    const object = await writtenByAvsc(without, rows);
    expect(() => readRows(object)).toThrow(AvroError);
    expect(() => readRows(object)).toThrow(/schema cannot be read as events: ./);
  });

  test("any flip in an object of another schema ends in rows or AvroError", async () => {
    const newer = changedSchema("event-v1", (fields) => [
      ...fields,
      { name: "device", type: ["null", "string"], default: null },
    ]);
    const object = await writtenByAvsc(
      newer,
      rows.slice(0, 4).map((row) => ({ ...row, device: null })),
    );
    for (let at = 0; at < object.length; at++) {
      for (const flip of [1, 0x10, 0x80]) {
        const bytes = Buffer.from(object);
        bytes[at]! ^= flip;
        try {
          expect([...readArchiveObject(bytes)].length).toBeLessThan(2);
        } catch (error) {
          expect([at, (error as Error).name, error instanceof AvroError]).toEqual([at, "AvroError", true]);
        }
      }
    }
  });
});

test("meeting events of one minute are read with that minute", () => {
  fc.assert(
    fc.property(fc.array(meetingEvent, { minLength: 1 }), (events) => {
      const ofOneMinute = events.map((event) => ({ ...event, eventTimeMs: T0 + (event.eventTimeMs % 60_000) }));
      expect(readRows(archiveObject("w.avro", columnsOf(ofOneMinute), 0), minuteOf(T0)).length).toBe(events.length);
    }),
  );
});
