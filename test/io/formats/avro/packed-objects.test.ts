// SPDX-License-Identifier: Apache-2.0
/** Packs: many archive objects in one Avro file, each of which comes out with the bytes that it had. */
import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import { zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import type { VideoEvent } from "../../../../domain/event";
import { AvroError, AvroReader, AvroWriter } from "../../../../io/formats/avro/binary";
import {
  headOf,
  type PackedObject,
  packHead,
  packIndex,
  packSync,
  withSync,
} from "../../../../io/formats/avro/packed-objects";
import { columnsOf } from "../../../domain/model";
import { archiveObject, readRows } from "./events";

const event = (n: number): VideoEvent => ({
  ...{ eventId: `e${n}`, videoId: `v${n % 3}`, eventType: "VIEW", eventTimeMs: n },
  ...(n % 2 === 0 ? {} : { value: n }),
});

/** An object of events `from` to `to`, with what a pack must know of it. */
function objectOf(name: string, from: number, to: number) {
  const events = Array.from({ length: to - from }, (_, n) => event(from + n));
  const bytes = archiveObject(name, columnsOf(events), 7_000);
  const { head, sync } = headOf(bytes);
  const body = bytes.subarray(head.length + 16);
  const listed: PackedObject = { name, bodyBytes: body.length, writtenAtMs: from + 1, sync: sync.toString("hex") };
  return { bytes, head, sync, body, listed };
}

function packOf(objects: ReturnType<typeof objectOf>[]): Buffer {
  const head = packHead(
    "the-pack",
    objects[0]!.head,
    objects.map(({ listed }) => listed),
  );
  return Buffer.concat([head, ...objects.map(({ body, sync }) => withSync(body, sync, packSync("the-pack")))]);
}

const two = () => [objectOf("a.avro", 0, 5), objectOf("b.avro", 5, 9)];
const hasIndex = (metadata: [string, Buffer][]): Buffer => {
  const writer = new AvroWriter(64);
  writer.raw(Buffer.from("Obj\x01"));
  for (const [key, value] of metadata) {
    // A block of its own each, with its size before it: any writer of Avro may do so.
    writer.long(-1);
    writer.long(1_000);
    writer.string(key);
    writer.bytesValue(value);
  }
  writer.long(0);
  writer.raw(Buffer.alloc(16, 5));
  return writer.finish();
};

test("the head of an object ends before its sync marker, and is the same for all objects of a schema", () => {
  const [a, b] = two();
  expect(Buffer.concat([a!.head, a!.sync, a!.body]).equals(a!.bytes)).toBe(true);
  expect(a!.sync).toHaveLength(16);
  expect(a!.bytes.subarray(-16).equals(a!.sync)).toBe(true);
  expect(a!.head.equals(b!.head)).toBe(true);
  const within = Uint8Array.from([9, 9, ...a!.bytes, 9]).subarray(2, 2 + a!.bytes.length);
  expect(headOf(within).head.equals(a!.head)).toBe(true);
});

test("a pack is a file that any Avro reader reads, and its objects come out of it as they went in", () => {
  const objects = two();
  const pack = packOf(objects);
  expect(readRows(pack).map(({ event: { eventId } }) => eventId)).toEqual(Array.from({ length: 9 }, (_, n) => `e${n}`));
  const { head, objects: listed, bodyAt, sync } = packIndex(pack)!;
  expect(listed).toStrictEqual(objects.map((object) => object.listed));
  expect(sync.equals(createHash("sha256").update("the-pack").digest().subarray(0, 16))).toBe(true);
  let at = bodyAt;
  for (const [n, { bodyBytes, sync: own }] of listed.entries()) {
    const marker = Buffer.from(own, "hex");
    const body = withSync(pack.subarray(at, at + bodyBytes), sync, marker);
    expect(Buffer.concat([head, marker, body]).equals(objects[n]!.bytes)).toBe(true);
    at += bodyBytes;
  }
  expect(at).toBe(pack.length);
});

test("the values of a pack's header are text: fastavro reads no file with others", () => {
  const reader = new AvroReader(packOf(two()));
  reader.take(4);
  const values = new Map<string, Buffer>();
  for (let left = reader.blockCount(); left > 0; left--) values.set(reader.string(), reader.take(reader.size()));
  expect([...values.keys()]).toEqual(expect.arrayContaining(["avro.schema", "avro.codec", "viewmill.objects"]));
  for (const value of values.values()) expect(isUtf8(value)).toBe(true);
});

test("a pack needs its whole head to be read, and nothing behind it", () => {
  const pack = packOf(two());
  const { bodyAt } = packIndex(pack)!;
  expect(packIndex(pack.subarray(0, bodyAt))!.bodyAt).toBe(bodyAt);
  // Readers begin with 64 KiB. A count of fields with fewer bytes behind it than fields would be damage.
  fc.assert(
    fc.property(fc.integer({ min: 32, max: bodyAt - 1 }), (length) => {
      expect(packIndex(pack.subarray(0, length))).toBeUndefined();
    }),
  );
});

test("a marker is changed in a copy, in every block, and only where it stands", () => {
  const { body, sync } = objectOf("a.avro", 0, 5);
  const before = Buffer.from(body);
  const to = Buffer.alloc(16, 1);
  const twice = Buffer.concat([body, body]);
  const changed = withSync(twice, sync, to);
  expect(body.equals(before)).toBe(true);
  const expected = Buffer.concat([body.subarray(0, -16), to]);
  expect(changed.equals(Buffer.concat([expected, expected]))).toBe(true);
  expect(withSync(new Uint8Array(0), sync, to)).toHaveLength(0);
  const damaged = Buffer.from(body);
  damaged[damaged.length - 1]! ^= 1;
  expect(() => withSync(damaged, sync, to)).toThrow(/^a block does not end in the object's sync marker$/);
  expect(() => withSync(body.subarray(0, -1), sync, to)).toThrow(AvroError);
});

const indexOf = (content: unknown) => zstdCompressSync(JSON.stringify(content));

test("an index of the format is read, whatever blocks its header comes in", () => {
  const index = indexOf({ version: 1, head: "QUI=", objects: [["a", 1, 2, "00"]] });
  expect(
    packIndex(
      hasIndex([
        ["x", Buffer.of(1)],
        ["viewmill.objects", index],
      ]),
    ),
  ).toMatchObject({
    head: Buffer.from("AB"),
    objects: [{ name: "a", bodyBytes: 1, writtenAtMs: 2, sync: "00" }],
    sync: Buffer.alloc(16, 5),
  });
});

test.each<[string, () => Buffer, RegExp]>([
  ["another magic", () => Buffer.from("Obj\x02 and more"), /^not an Avro object container file$/],
  ["an object that is no pack", () => objectOf("a.avro", 0, 1).bytes, /^the file is no pack: it has no index$/],
  ["an index that is no frame", () => hasIndex([["viewmill.objects", Buffer.of(1)]]), /index cannot be read: ./],
  [
    "an index that is no JSON",
    () => hasIndex([["viewmill.objects", zstdCompressSync("{")]]),
    /index cannot be read: ./,
  ],
  ["an index without objects", () => hasIndex([["viewmill.objects", indexOf({ version: 1, head: "" })]]), /cannot be/],
  [
    "an index of a later version",
    () => hasIndex([["viewmill.objects", indexOf({ version: 2, head: "", objects: [] })]]),
    /^the pack's index has version 2, this Viewmill knows 1$/,
  ],
])("%s is refused", (_what, made, message) => {
  expect(() => packIndex(made())).toThrow(AvroError);
  expect(() => packIndex(made())).toThrow(message);
});
