// SPDX-License-Identifier: Apache-2.0
/** Every count, index and length that a codec writes has a bound, which is checked where it is made. */
import { EventColumnsBuilder } from "../../../../domain/columns/event-columns";
import { ArchiveObjectWriter, readArchiveObject } from "../../../../io/formats/avro/archive-object";
import { decodeBatch, encodeBatch } from "../../../../io/formats/avro/batch";
import { AvroError, AvroReader, AvroWriter } from "../../../../io/formats/avro/binary";
import { encodeDeadLetters } from "../../../../io/formats/avro/dead-letter-object";
import { decodeReference, encodeReference } from "../../../../io/formats/avro/reference";

const HEADER = { receivedAtMs: 1_700_000_000_000, producerId: "p", batchId: "b" };

function eventsOfTypes(types: number) {
  const builder = new EventColumnsBuilder();
  for (let n = 0; n < types; n++) {
    builder.add({ eventId: `e${n}`, videoId: "v", eventType: `T${n.toString(36).toUpperCase()}`, eventTimeMs: 1e12 });
  }
  return builder.build();
}

function written(write: (writer: AvroWriter) => void): Buffer {
  const writer = new AvroWriter(1);
  write(writer);
  return writer.finish();
}

test("a batch of 65,536 event types is read back whole; one more is refused where it is made", () => {
  const { columns } = decodeBatch(encodeBatch(eventsOfTypes(65_536), HEADER));
  expect(columns.types).toHaveLength(65_536);
  expect(columns.typeIndex.at(-1)).toBe(65_535);
  expect(() => encodeBatch(eventsOfTypes(65_537), HEADER)).toThrow(/65537 event types/);
});

test.each([0.5, -0.5, 2 ** 29 + 0.25, 2 ** 53, -(2 ** 53), Number.NaN, Number.POSITIVE_INFINITY])(
  "%d is not written as another number",
  (value) => {
    expect(() => written((writer) => writer.long(value))).toThrow(AvroError);
  },
);

test("a count or an index is written up to 2^31-1, as it is read", () => {
  for (const value of [0, 1, 2 ** 30, 2 ** 31 - 1]) {
    expect(new AvroReader(written((writer) => writer.size(value))).size()).toBe(value);
  }
  for (const value of [-1, 2 ** 31, Number.NaN, 1.5]) {
    expect(() => written((writer) => writer.size(value))).toThrow(AvroError);
  }
});

test("a reference has the numbers of a batch, or is refused", () => {
  const reference = { name: "n", sizeBytes: Number.MAX_SAFE_INTEGER, crc32: 2 ** 32 - 1, events: 2 ** 31 - 1 };
  expect(decodeReference(encodeReference(reference))).toEqual(reference);
  expect(() => encodeReference({ ...reference, events: 2 ** 31 })).toThrow(AvroError);
  expect(() => decodeReference(encodeReference({ ...reference, crc32: 2 ** 32 }))).toThrow(AvroError);
  expect(() => decodeReference(encodeReference({ ...reference, sizeBytes: -1 }))).toThrow(AvroError);
});

test("an archive object takes no event that could not be read back", () => {
  const columns = eventsOfTypes(1);
  columns.extras = new Map([[0, JSON.stringify({ a: "x".repeat(64 << 20) })]]);
  expect(() => new ArchiveObjectWriter("f").add(columns, 0, 1)).toThrow(/could not be read back/);
  columns.extras = new Map([[0, JSON.stringify({ a: "x".repeat(1 << 20) })]]);
  const writer = new ArchiveObjectWriter("f");
  writer.add(columns, 0, 1);
  expect([...readArchiveObject(writer.finish())].map((block) => block.columns.count)).toEqual([1]);
});

test("a dead letter that could not be read back is refused", () => {
  const letter = { receivedAtMs: 1, reason: "too-large", detail: "", contentType: "a/b", source: "ingest" } as const;
  // Nothing of it is touched: the memory is never committed.
  const payload = new Uint8Array((256 << 20) + 1);
  expect(() => encodeDeadLetters("f", [{ ...letter, payload }])).toThrow(AvroError);
});

test("a message of 4 GiB, whose positions would not fit 32 bits, is refused", () => {
  const claimed = Object.defineProperty(Buffer.alloc(1), "length", { value: 2 ** 32 });
  expect(() => new AvroReader(claimed as Buffer)).toThrow(AvroError);
});
