// SPDX-License-Identifier: Apache-2.0
/** What the audit's own reader of archive objects refuses, each with the smallest object that shows it. */
import { zstdCompressSync } from "node:zlib";
import { AvroWriter } from "../../io/formats/avro/binary";
import { fingerprint, shippedSchema } from "../../io/formats/avro/schema-registry";
import { type ArchiveRow, readArchiveRows } from "../../transforms/archive-rows";

type Field = { name: string; type: unknown };
const FIELDS: Field[] = [
  { name: "eventId", type: "string" },
  { name: "videoId", type: "string" },
  { name: "eventType", type: "string" },
  { name: "eventTime", type: "long" },
  { name: "receivedAt", type: "long" },
];

function bytesOf(write: (writer: AvroWriter) => void): Buffer {
  const writer = new AvroWriter(64);
  write(writer);
  return writer.finish();
}

const row = (eventId = "e", timeMs = 5, more: (writer: AvroWriter) => void = () => {}) =>
  bytesOf((w) => {
    for (const text of [eventId, "v", "VIEW"]) w.string(text);
    w.long(timeMs);
    w.long(6);
    more(w);
  });

interface File {
  magic?: string;
  fields?: Field[];
  /** Of the header; `undefined` leaves a member out. */
  meta?: Record<string, Buffer | undefined>;
  /** Of one block: its rows, how many it claims, and its size where that is another. */
  rows?: Buffer;
  claims?: number;
  size?: number;
  sync?: number;
  /** The header in blocks of a negative count, as any writer may write it. */
  negative?: boolean;
}

function file({ magic = "Obj\u0001", fields = FIELDS, meta, rows = row(), negative = false, ...block }: File = {}) {
  const schema = Buffer.from(JSON.stringify({ type: "record", name: "E", fields }));
  const members = Object.entries({ "avro.schema": schema, ...meta }).filter(([, value]) => value !== undefined);
  return bytesOf((w) => {
    w.raw(Buffer.from(magic, "latin1"));
    if (members.length > 0) w.long(negative ? -members.length : members.length);
    if (negative) w.long(1_000);
    for (const [name, value] of members) {
      w.string(name);
      w.bytesValue(value!);
    }
    w.long(0);
    w.raw(Buffer.alloc(16, 7));
    w.long(block.claims ?? 1);
    w.long(block.size ?? rows.length);
    w.raw(rows);
    w.raw(Buffer.alloc(16, block.sync ?? 7));
  });
}

function read(bytes: Buffer): { id: string; timeMs: number; value: number }[] {
  const found: { id: string; timeMs: number; value: number }[] = [];
  const each = ({ bytes: all, idFrom, idTo, eventTimeMs, value }: ArchiveRow) =>
    found.push({ id: all.toString("utf8", idFrom, idTo), timeMs: eventTimeMs, value });
  expect(readArchiveRows(bytes, each)).toBe(found.length);
  return found;
}

const withField = (...more: Field[]) => [...FIELDS, ...more];
const without = (name: string) => FIELDS.filter((field) => field.name !== name);
const text = (value: string) => Buffer.from(value);
const huge = (last: number) => Buffer.from([...new Array<number>(9).fill(0xff), last]);
const rowWithTime = (time: Buffer) => Buffer.concat([row().subarray(0, 9), time, bytesOf((w) => w.long(6))]);

test("the row of these tests is read, with and without a codec, whatever blocks the header comes in", () => {
  const one = [{ id: "e", timeMs: 5, value: Number.NaN }];
  for (const each of [
    {},
    { negative: true },
    { meta: { "avro.codec": text("null") } },
    { meta: { "avro.codec": text("zstandard") }, rows: zstdCompressSync(row()) },
    {
      meta: { "avro.codec": text("zstandard") },
      rows: Buffer.concat([...row()].map((b) => zstdCompressSync(Buffer.of(b)))),
    },
  ])
    expect(read(file(each))).toEqual(one);
  expect(read(file({ rows: Buffer.alloc(0), claims: 0 }))).toEqual([]);
  expect(read(file({ rows: Buffer.concat([row("a"), row("b", -1)]), claims: 2 }))).toEqual([
    { id: "a", timeMs: 5, value: Number.NaN },
    { id: "b", timeMs: -1, value: Number.NaN },
  ]);
});

test.each<[string, File, RegExp]>([
  ["another magic", { magic: "Obj\u0002" }, /^not an Avro object container file$/],
  ["a codec that nobody writes", { meta: { "avro.codec": text("deflate") } }, /^the codec deflate is unknown$/],
  ["another marker behind the block", { sync: 8 }, /^a block does not end in its sync marker$/],
  ["more rows than it has bytes", { claims: row().length + 1 }, /^a block claims more rows than it has bytes$/],
  ["a negative number of rows", { claims: -1 }, /^a block claims more rows than it has bytes$/],
  ["a row too few", { claims: 2 }, /^the object is cut$/],
  ["a row too many", { rows: Buffer.concat([row(), row()]) }, /^bytes are left over after a block's rows$/],
  ["a negative size", { size: -1 }, /^a size is negative$/],
  ["a size beyond the end", { size: 1_000 }, /^the object is cut$/],
  [
    "no schema",
    { meta: { "avro.schema": undefined } },
    /^the object's schema has no eventId, no videoId, no eventType, no/,
  ],
  ["a schema of nothing", { meta: { "avro.schema": text("null") } }, /^the object's schema has no eventId/],
  [
    "a schema of another checksum",
    { meta: { "viewmill.schema.crc64": text("00") } },
    /^the object's schema is damaged$/,
  ],
  [
    "a frame that is cut",
    { meta: { "avro.codec": text("zstandard") }, rows: zstdCompressSync(row()).subarray(0, -1) },
    /./,
  ],
  ["a number of eleven bytes", { rows: rowWithTime(Buffer.alloc(11, 0xff)) }, /^a number has more than ten bytes$/],
  ["a number of 64 bits", { rows: rowWithTime(huge(1)) }, /^a number beyond 2\^53 is in the archive$/],
  ["-2^53", { rows: rowWithTime(Buffer.from("ffffffffffffff1f", "hex")) }, /^a number beyond 2\^53 is in the archive$/],
])("%s: refused", (_what, changed, message) => {
  expect(() => read(file(changed))).toThrow(message);
});

test("the largest numbers that are safe are read, either side of 0", () => {
  for (const timeMs of [Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER, 2 ** 52, -(2 ** 52), -(2 ** 52) - 1])
    expect(read(file({ rows: row("e", timeMs) }))[0]!.timeMs).toBe(timeMs);
});

test.each(["eventId", "videoId", "eventType", "eventTime", "receivedAt"])("a schema without %s: refused", (name) => {
  expect(() => read(file({ fields: without(name) }))).toThrow(`the object's schema has no ${name}`);
});

test.each([
  ["eventId", "long", "string"],
  ["videoId", "bytes", "string"],
  ["eventType", ["null", "string"], "string"],
  ["eventTime", "string", "long"],
  ["receivedAt", "int", "long"],
])("%s of type %j: refused", (name, type, wanted) => {
  const fields = FIELDS.map((field) => (field.name === name ? { name, type } : field));
  expect(() => read(file({ fields }))).toThrow(`a field of the object's schema is no ${wanted}`);
});

test("the checksum of the schema is that of Avro, and is asked for where it stands", () => {
  const schema = text(JSON.stringify(shippedSchema("event-v1")));
  const crc = text(fingerprint(schema.toString()).toString("hex"));
  const rows = bytesOf((w) => {
    for (const each of ["e", "v", "VIEW"]) w.string(each);
    for (const each of [5, 0, 6, 0]) w.long(each);
  });
  const meta = { "avro.schema": schema, "viewmill.schema.crc64": crc };
  expect(read(file({ meta, rows }))).toHaveLength(1);
  const changed = text(schema.toString().replace('"extra"', '"extrb"'));
  expect(() => read(file({ meta: { ...meta, "avro.schema": changed }, rows }))).toThrow(/schema is damaged/);
  expect(read(file({ meta, rows }))).toHaveLength(1);
});

describe("fields that the audit does not need", () => {
  const skipped: [unknown, (writer: AvroWriter) => void][] = [
    ["null", () => {}],
    ["boolean", (w) => w.raw(Buffer.of(1))],
    ["int", (w) => w.long(-300)],
    ["long", (w) => w.long(2 ** 40)],
    ["float", (w) => w.raw(Buffer.alloc(4, 9))],
    ["double", (w) => w.raw(Buffer.alloc(8, 9))],
    ["bytes", (w) => w.bytesValue(Buffer.alloc(300, 9))],
    ["string", (w) => w.string("more")],
    [{ type: "string", logicalType: "uuid" }, (w) => w.string("more")],
    [
      ["null", "double"],
      (w) => {
        w.long(1);
        w.raw(Buffer.alloc(8, 9));
      },
    ],
    [["null", "double"], (w) => w.long(0)],
  ];
  test.each(skipped)("of type %j are passed over", (type, write) => {
    const rows = Buffer.concat([row("a", 5, write), row("b", 7, write)]);
    expect(read(file({ fields: withField({ name: "more", type }), rows, claims: 2 })).map(({ id }) => id)).toEqual([
      "a",
      "b",
    ]);
  });

  test.each<[string, unknown, (writer: AvroWriter) => void, RegExp]>([
    ["a list", { type: "array", items: "long" }, () => {}, /of the type array, which the audit cannot skip$/],
    ["a branch too far", ["null", "long"], (w) => w.long(2), /^a union has a branch that its schema has not$/],
    ["a negative branch", ["null", "long"], (w) => w.long(-1), /^a union has a branch that its schema has not$/],
    ["a negative length", "bytes", (w) => w.long(-1), /^a size is negative$/],
    ["a length beyond the block", "bytes", (w) => w.long(1), /^the object is cut$/],
  ])("%s: refused", (_what, type, write, message) => {
    const fields = withField({ name: "more", type });
    expect(() => read(file({ fields, rows: row("e", 5, write) }))).toThrow(message);
  });
});

describe("a value", () => {
  const valued = (type: unknown, write: (writer: AvroWriter) => void) =>
    read(file({ fields: withField({ name: "value", type }), rows: row("e", 5, write) }))[0]!.value;

  test("is read of a long, and of either order of a union", () => {
    expect(valued("long", (w) => w.long(-3))).toBe(-3);
    const inUnion = (branch: number, value?: number) => (w: AvroWriter) => {
      w.long(branch);
      if (value !== undefined) w.long(value);
    };
    expect(valued(["null", "long"], inUnion(1, 4))).toBe(4);
    expect(valued(["null", "long"], inUnion(0))).toBeNaN();
    expect(valued(["long", "null"], inUnion(0, 5))).toBe(5);
    expect(valued(["long", "null"], inUnion(1))).toBeNaN();
  });

  test("of a row before is none of the next row's", () => {
    const both = (value: number | undefined) => (w: AvroWriter) => {
      w.long(value === undefined ? 0 : 1);
      if (value !== undefined) w.long(value);
    };
    const rows = Buffer.concat([row("a", 5, both(9)), row("b", 5, both(undefined))]);
    const fields = withField({ name: "value", type: ["null", "long"] });
    expect(read(file({ fields, rows, claims: 2 })).map(({ value }) => value)).toEqual([9, Number.NaN]);
  });

  test.each(["string", "double", ["null", "double"], ["null", "long", "string"], ["null"]])(
    "of %j: refused",
    (type) => {
      expect(() => valued(type, () => {})).toThrow(/^value is no long$/);
    },
  );
});
