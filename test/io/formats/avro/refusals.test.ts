// SPDX-License-Identifier: Apache-2.0
/** The refusals of each decoder of Avro, each with the smallest input that shows it, and with its message. */
import { zstdCompressSync } from "node:zlib";
import { Type } from "avsc";
import { type EventColumns, EventColumnsBuilder } from "../../../../domain/columns/event-columns";
import { MAX_TIME_MS } from "../../../../domain/event";
import { ArchiveObjectWriter, readArchiveObject } from "../../../../io/formats/avro/archive-object";
import {
  BATCH_PREFIX,
  BatchFormatError,
  decodeBatch,
  encodeBatch,
  withReceivedAt,
} from "../../../../io/formats/avro/batch";
import { AvroError, AvroReader, AvroWriter } from "../../../../io/formats/avro/binary";
import { ContainerWriter, fileSchema, openContainer } from "../../../../io/formats/avro/container";
import { decodeDeadLetters, encodeDeadLetters } from "../../../../io/formats/avro/dead-letter-object";
import { decodeReference, encodeReference, isReference } from "../../../../io/formats/avro/reference";
import { shippedSchema } from "../../../../io/formats/avro/schema-registry";
import type { NewDeadLetter } from "../../../../io/ports";

function bytesOf(write: (writer: AvroWriter) => void): Buffer {
  const writer = new AvroWriter(8);
  write(writer);
  return writer.finish();
}

const reader = (...bytes: number[]) => new AvroReader(Buffer.from(bytes));

describe("numbers and texts", () => {
  test.each<[string, () => unknown, RegExp]>([
    ["no byte", () => reader().long(), /ends inside a number/],
    ["one byte of two", () => reader(0x80).long(), /ends inside a number/],
    ["four bytes of five", () => reader(0x80, 0x80, 0x80, 0x80).long(), /ends inside a number/],
    ["eleven bytes", () => reader(...new Array(11).fill(0x80)).long(), /more than 10 bytes/],
    ["a negative length", () => reader(1).size(), /negative or oversized length/],
    ["a length of 2^31", () => new AvroReader(bytesOf((w) => w.long(2 ** 31))).size(), /negative or oversized length/],
    ["more bytes than there are", () => reader(0).take(2), /ends inside a value/],
    ["a text that is cut", () => reader(4, 0x61).string(), /ends inside a string/],
    ["a span that is cut", () => reader(2, 4, 0x61).spans(), /ends inside a string/],
    [
      "a block of an unreadable count",
      () => new AvroReader(Buffer.from(`${"ff".repeat(9)}01`, "hex")).blockCount(),
      /without a count/,
    ],
    ["more items than bytes", () => reader(6, 0).blockCount(), /more items than there are bytes/],
  ])("%s: refused", (_what, read, message) => {
    expect(read).toThrow(AvroError);
    expect(read).toThrow(message);
  });

  test("the largest length, a text up to the last byte and as many items as bytes are read", () => {
    expect(new AvroReader(bytesOf((w) => w.long(2 ** 31 - 1))).size()).toBe(2 ** 31 - 1);
    expect(reader(4, 0x61, 0x62).string()).toBe("ab");
    expect(reader(2, 0).blockCount()).toBe(1);
    expect(reader(7, 7).take(2)).toHaveLength(2);
  });

  test("a text whose bytes need a longer length than its characters is written whole", () => {
    for (const n of [1, 31, 32, 63, 64, 4_095, 4_096, 8_191]) {
      const text = "é".repeat(n);
      expect(new AvroReader(bytesOf((w) => w.string(text))).string()).toBe(text);
    }
  });

  test("ten bytes hold a number beyond 2^53 as none, and the largest that is one", () => {
    expect(reader(...new Array(9).fill(0xff), 1).long()).toBeNaN();
    for (const value of [Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER, 2 ** 35, -(2 ** 35), 2 ** 28, -(2 ** 27)])
      expect(new AvroReader(bytesOf((w) => w.long(value))).long()).toBe(value);
    // -2^53 has the magnitude of 2^53-1 behind its sign.
    expect(reader(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f).long()).toBeNaN();
  });
});

describe("dead letters", () => {
  const letter = (n: number, payload: Buffer): NewDeadLetter => ({
    ...{ receivedAtMs: 1_000 + n, reason: "not-json", detail: `no ${n}`, contentType: "a/b", source: "ingest" },
    ...(n % 2 === 0 ? { eventId: `e${n}` } : {}),
    payload,
  });
  const letters = [letter(0, Buffer.from([0, 255])), letter(1, Buffer.alloc(0)), letter(2, Buffer.from("é"))];

  test("come out as they went in, with and without an id, in order", () => {
    expect(decodeDeadLetters(encodeDeadLetters("f", letters))).toStrictEqual(letters);
    expect(decodeDeadLetters(encodeDeadLetters("f", []))).toEqual([]);
  });

  test("a payload that is a view of other bytes goes in alone", () => {
    const all = Buffer.from("before-it-after");
    const [read] = decodeDeadLetters(encodeDeadLetters("f", [letter(1, all.subarray(7, 9))]));
    expect(read!.payload.toString()).toBe("it");
  });

  test("are in blocks of a megabyte each, the last one as large as it is", () => {
    const large = [1, 2, 3].map((n) => letter(n, Buffer.alloc(700_000, n)));
    const file = encodeDeadLetters("f", large);
    expect(
      [...openContainer(file, fileSchema("dead-letter-v1"), 1 << 30).blocks].map(({ rowCount }) => rowCount),
    ).toEqual([2, 1]);
    const payloads = decodeDeadLetters(file).map(({ payload }) => payload);
    expect(payloads.map((payload, n) => Buffer.compare(payload, large[n]!.payload))).toEqual([0, 0, 0]);
  });

  const block = (rowCount: number, rows: Uint8Array) => {
    const file = new ContainerWriter("f", fileSchema("dead-letter-v1"));
    file.addBlock(rowCount, rows);
    return file.finish();
  };
  const rows = () =>
    [...openContainer(encodeDeadLetters("f", letters), fileSchema("dead-letter-v1"), 1 << 20).blocks][0]!.rows;

  test("of which a block claims more or fewer than it has are refused", () => {
    expect(decodeDeadLetters(block(3, rows()))).toHaveLength(3);
    expect(() => decodeDeadLetters(block(4, rows()))).toThrow(AvroError);
    expect(() => decodeDeadLetters(block(4, rows()))).toThrow(/ends inside a letter/);
    expect(() => decodeDeadLetters(block(2, rows()))).toThrow(/left over after a block's letters/);
    expect(() => decodeDeadLetters(block(3, rows().subarray(0, -1)))).toThrow(AvroError);
  });

  test("of another schema, one without letters, are refused as damage is", () => {
    expect(() => decodeDeadLetters(new ArchiveObjectWriter("f").finish())).toThrow(AvroError);
    expect(() => decodeDeadLetters(Buffer.from("no container"))).toThrow(/not an Avro object container file/);
  });
});

describe("references", () => {
  const reference = { name: "claims/x", sizeBytes: 5, crc32: 7, events: 9 };
  const encoded = encodeReference(reference);

  test("are told by their first ten bytes, all of them", () => {
    expect(isReference(encoded)).toBe(true);
    expect(isReference(encoded.subarray(0, 10))).toBe(true);
    expect(isReference(encoded.subarray(0, 9))).toBe(false);
    expect(isReference(BATCH_PREFIX)).toBe(false);
    for (let at = 0; at < 10; at++) {
      const other = Buffer.from(encoded);
      other[at]! ^= 1;
      expect(isReference(other), String(at)).toBe(false);
    }
  });

  test("are read whole or refused", () => {
    expect(decodeReference(encoded)).toEqual(reference);
    const least = { ...reference, sizeBytes: 0, crc32: 0, events: 0 };
    expect(decodeReference(encodeReference(least))).toEqual(least);
    expect(decodeReference(Uint8Array.from(encoded))).toEqual(reference);
    expect(() => decodeReference(encoded.subarray(0, -1))).toThrow(AvroError);
    expect(() => decodeReference(Buffer.concat([encoded, Buffer.of(0)]))).toThrow(/left over after the reference/);
    for (const odd of [{ crc32: -1 }, { crc32: 2 ** 32 }, { sizeBytes: -1 }])
      expect(() => decodeReference(encodeReference({ ...reference, ...odd }))).toThrow(/no batch has/);
  });
});

describe("container files", () => {
  const schema = fileSchema("event-v1");
  const other = fileSchema("dead-letter-v1");
  /** A file whose header has these fields, with one block of these bytes. */
  const file = (fields: Record<string, string>, rows = Buffer.from("rows"), negative = false) =>
    bytesOf((w) => {
      w.raw(Buffer.from("Obj\x01"));
      const entries = Object.entries(fields);
      if (entries.length > 0) w.long(negative ? -entries.length : entries.length);
      if (negative) w.long(1_000);
      for (const [name, value] of entries) {
        w.string(name);
        w.string(value);
      }
      w.long(0);
      w.raw(Buffer.alloc(16, 3));
      w.long(1);
      w.bytesValue(rows);
      w.raw(Buffer.alloc(16, 3));
    });
  const opened = (bytes: Buffer) => {
    const { otherSchema, blocks } = openContainer(bytes, schema, 1_000);
    return { otherSchema, rows: [...blocks].map(({ rows }) => rows.toString()) };
  };

  test("without a codec are not compressed, and a schema that is ours is no other", () => {
    expect(opened(file({ "avro.schema": schema.text }))).toEqual({ otherSchema: undefined, rows: ["rows"] });
    expect(opened(file({ "avro.schema": schema.text, "avro.codec": "null" }, undefined, true)).rows).toEqual(["rows"]);
    expect(opened(file({ "avro.schema": other.text })).otherSchema).toBe(other.text);
    expect(opened(file({})).otherSchema).toBe("");
    const packed = zstdCompressSync(Buffer.from("packed"));
    expect(opened(file({ "avro.codec": "zstandard" }, packed)).rows).toEqual(["packed"]);
  });

  test("are damaged where another schema has not the checksum beside it; ours needs none", () => {
    const crc = { "viewmill.schema.crc64": other.crc };
    expect(opened(file({ "avro.schema": other.text, ...crc })).rows).toEqual(["rows"]);
    expect(opened(file({ "avro.schema": schema.text, ...crc })).rows).toEqual(["rows"]);
    const changed = file({ "avro.schema": other.text.replace("reason", "season"), ...crc });
    expect(() => opened(changed)).toThrow(/schema is damaged/);
  });

  test.each<[string, () => Buffer, RegExp]>([
    ["another magic", () => Buffer.from("Obj\x02"), /not an Avro object container file/],
    ["a codec nobody reads", () => file({ "avro.codec": "bzip2" }), /^codec bzip2 is not known$/],
    ["a block that is no frame", () => file({ "avro.codec": "zstandard" }), /^a block cannot be decompressed: ./],
    [
      "a block too large",
      () => file({ "avro.codec": "zstandard" }, zstdCompressSync(Buffer.alloc(1_001))),
      /decompressed/,
    ],
    ["another sync marker", () => Buffer.concat([file({}).subarray(0, -1), Buffer.of(4)]), /sync marker/],
  ])("with %s are refused", (_what, made, message) => {
    expect(() => opened(made())).toThrow(AvroError);
    expect(() => opened(made())).toThrow(message);
  });
});

describe("rows of the archive", () => {
  const row = (
    change: Partial<{
      id: string;
      video: string;
      type: string;
      timeMs: number;
      union: number;
      value: number;
      receivedMs: number;
      extra: number;
    }> = {},
  ) =>
    bytesOf((w) => {
      w.string(change.id ?? "e");
      w.string(change.video ?? "v");
      w.string(change.type ?? "VIEW");
      w.long(change.timeMs ?? 5);
      w.long(change.union ?? 0);
      if (change.value !== undefined) w.long(change.value);
      w.long(change.receivedMs ?? 6);
      w.long(change.extra ?? 0);
      if (change.extra === 1) w.string("{}");
    });
  const object = (rowCount: number, ...rows: Buffer[]) => {
    const file = new ContainerWriter("f", fileSchema("event-v1"));
    file.addBlock(rowCount, Buffer.concat(rows));
    return file.finish();
  };
  const columnsOf = (bytes: Buffer, minute?: number) => [...readArchiveObject(bytes, minute)][0]!.columns;

  test("have columns only for what one of them has", () => {
    const uuid = "0190a0a0-0000-7000-8000-000000000001";
    const bare = Object.keys(columnsOf(object(1, row({ id: uuid }))));
    expect(["values", "hashedIds", "extras"].filter((name) => bare.includes(name))).toEqual([]);
    const columns = columnsOf(object(3, row({ id: uuid }), row({ union: 1, value: -4 }), row({ extra: 1 })));
    expect([...columns.values!]).toEqual([Number.NaN, -4, Number.NaN]);
    expect([...columns.hashedIds!]).toEqual([
      [1, "e"],
      [2, "e"],
    ]);
    expect([...columns.extras!]).toEqual([[2, "{}"]]);
    expect([columns.videos, columns.types]).toEqual([["v"], ["VIEW"]]);
  });

  test("of UUIDs have the 16 bytes of each, one behind the other", () => {
    const ids = [1, 2, 3].map((n) => `0190a0a0-0000-7000-8000-00000000000${n}`);
    const columns = columnsOf(object(3, ...ids.map((id) => row({ id }))));
    expect(Buffer.from(columns.ids).toString("hex")).toBe(ids.join("").replaceAll("-", ""));
    expect(columns.hashedIds).toBeUndefined();
  });

  test.each(["0190a0a0-0000-7000-8000-00000000000g", "0190a0a0-0000-7000-8000-0000000000001"])(
    "whose id is nearly a UUID keep it, with the bytes of its hash: %s",
    (id) => {
      const columns = columnsOf(object(3, row(), row({ id }), row()));
      expect([...columns.hashedIds!.values()]).toEqual(["e", id, "e"]);
      const bytes = (each: string) => [...columnsOf(object(1, row({ id: each }))).ids];
      expect([...columns.ids]).toEqual([...bytes("e"), ...bytes(id), ...bytes("e")]);
    },
  );

  test("may be of the first and the last millisecond, and of the minute that was asked for", () => {
    for (const timeMs of [0, MAX_TIME_MS]) expect(columnsOf(object(1, row({ timeMs }))).timesMs[0]).toBe(timeMs);
    expect(columnsOf(object(1, row()), 0).count).toBe(1);
    expect(() => columnsOf(object(2, row(), row({ timeMs: 60_000 })), 0)).toThrow(/another minute/);
  });

  test.each<[string, () => Buffer, RegExp]>([
    ["more rows than bytes", () => object(2, row()), /claims more rows/],
    ["fewer rows than bytes", () => object(1, row(), row()), /left over after a block's rows/],
    ["an empty id", () => object(1, row({ id: "" })), /an eventId breaks the contract/],
    ["a video with a space", () => object(1, row({ video: "a b" })), /breaks the contract/],
    ["a small type", () => object(1, row({ type: "view" })), /breaks the contract/],
    ["a time before 1970", () => object(1, row({ timeMs: -1 })), /event time breaks the contract/],
    ["a time beyond Date", () => object(1, row({ timeMs: MAX_TIME_MS + 1 })), /event time breaks the contract/],
    ["a branch that there is not", () => object(1, row({ union: 2 })), /union has a branch/],
    ["a negative branch", () => object(1, row({ union: -1 })), /union has a branch/],
  ])("%s: refused", (_what, made, message) => {
    expect(() => columnsOf(made())).toThrow(AvroError);
    expect(() => columnsOf(made())).toThrow(message);
  });
});

describe("batches", () => {
  const builder = new EventColumnsBuilder();
  builder.add({ eventId: "e", videoId: "v", eventType: "VIEW", eventTimeMs: 5, value: 3, extra: { a: 1 } });
  builder.add({ eventId: "f", videoId: "w", eventType: "VIEW", eventTimeMs: 6 });
  const columns = builder.build();
  const header = { receivedAtMs: 1, producerId: "p", batchId: "b" };
  const decodedWith = (change: Partial<EventColumns>) => decodeBatch(encodeBatch({ ...columns, ...change }, header));

  test("have sparse columns only where they are needed", () => {
    const { values: _, hashedIds: __, extras: ___, ...plain } = columns;
    const bare = decodeBatch(encodeBatch({ ...plain, ids: columns.ids }, header)).columns;
    expect([bare.values, bare.hashedIds, bare.extras]).toEqual([undefined, undefined, undefined]);
    expect("values" in bare && bare.values !== undefined).toBe(false);
    expect([...decodedWith({}).columns.values!]).toEqual([3, Number.NaN]);
  });

  test.each<[string, Partial<EventColumns>, RegExp]>([
    ["an id too few", { ids: columns.ids.subarray(16) }, /ids must hold 16 bytes an event/],
    ["a video that is not there", { videoIndex: Uint32Array.of(0, 2) }, /index is out of range/],
    ["a type that is not there", { typeIndex: Uint32Array.of(0, 1) }, /index is out of range/],
    ["a time too few", { timesMs: Float64Array.of(5) }, /shorter than the batch/],
    ["a time too many", { timesMs: Float64Array.of(5, 6, 7) }, /longer than the batch/],
    ["an extra of no row", { extras: new Map([[2, "{}"]]) }, /must ascend within the batch/],
    [
      "extras that do not ascend",
      {
        extras: new Map([
          [1, "{}"],
          [0, "{}"],
        ]),
      },
      /must ascend within the batch/,
    ],
    ["an extra that is no JSON", { extras: new Map([[0, "{"]]) }, /extras must hold JSON objects/],
    ["an extra that is a list", { extras: new Map([[0, "[]"]]) }, /extras must hold JSON objects/],
    ["an extra that is null", { extras: new Map([[0, "null"]]) }, /extras must hold JSON objects/],
    ["an extra that is a number", { extras: new Map([[0, "5"]]) }, /extras must hold JSON objects/],
    ["a value of no row", { values: Float64Array.of(1, 2, 3) }, /must ascend within the batch/],
  ])("with %s are refused", (_what, change, message) => {
    expect(() => decodedWith(change)).toThrow(message);
  });

  test("of more event types than 65,536 are refused, and texts without their rows", () => {
    const type = Type.forSchema(shippedSchema("batch-v1"));
    const record = type.fromBuffer(encodeBatch(columns, header).subarray(10)) as object;
    const decoded = (change: object) =>
      decodeBatch(Buffer.concat([BATCH_PREFIX, type.toBuffer({ ...record, ...change })]));
    const types = (n: number) => new Array<string>(n).fill("VIEW");
    expect(decoded({ types: types(65_536) }).columns.types).toHaveLength(65_536);
    expect(() => decoded({ types: types(65_537) })).toThrow(/too many event types/);
    expect(() => encodeBatch({ ...columns, types: types(65_537) }, header)).toThrow(/^65537 event types in one batch/);
    expect(() => decoded({ extraRows: [0, 1] })).toThrow(/rows and texts differ in length/);
    expect(() => decoded({ hashedIds: ["e"] })).toThrow(/rows and texts differ in length/);
    expect(() => decoded({ valueRows: [] })).toThrow(/valueRows and values differ in length/);
    expect(() => decodeBatch(Buffer.concat([encodeBatch(columns, header), Buffer.of(0)]))).toThrow(
      /left over after the/,
    );
  });

  test("begin with C3 01, or they are no Avro at all", () => {
    const message = encodeBatch(columns, header);
    for (const at of [0, 1]) {
      const other = Buffer.from(message);
      other[at]! ^= 1;
      expect(() => decodeBatch(other)).toThrow(expect.objectContaining({ reason: "not-avro" }));
    }
    const unknown = Buffer.from(message);
    unknown[2]! ^= 1;
    expect(() => decodeBatch(unknown)).toThrow(expect.objectContaining({ reason: "unknown-schema" }));
    for (const length of [0, 9]) expect(() => withReceivedAt(message.subarray(0, length), 1)).toThrow(BatchFormatError);
  });

  test("an extra that nests too deep is left to its event, however long", () => {
    const deep = `{"a":${"[".repeat(150_000)}${"]".repeat(150_000)}}`;
    expect(decodedWith({ extras: new Map([[0, deep]]) }).columns.extras!.get(0)).toBe(deep);
    const long = `{"a":"${"x".repeat(300_000)}"}`;
    expect(decodedWith({ extras: new Map([[0, long]]) }).columns.extras!.get(0)).toBe(long);
    expect(() => decodedWith({ extras: new Map([[0, `${long}]`]]) })).toThrow(/extras must hold/);
  });
});
