// SPDX-License-Identifier: Apache-2.0
import { Type } from "avsc";
import fc from "fast-check";
import { AvroError, AvroReader, AvroWriter } from "../../../../io/formats/avro/binary";
import { wholeLong } from "./events";

const long = Type.forSchema("long");
const whole = Type.forSchema("long", { registry: { long: wholeLong } });

function written(value: number): Buffer {
  const writer = new AvroWriter(1);
  writer.long(value);
  return writer.finish();
}

const EDGES = [
  0,
  1,
  63,
  64,
  8191,
  8192,
  2 ** 27 - 1,
  2 ** 27,
  2 ** 30 - 1,
  2 ** 30,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32,
  2 ** 34 - 1,
  2 ** 34,
];
const edges = [...EDGES, Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER].flatMap((value) => [
  value,
  -value,
  -value - 1,
]);
const safeEdges = edges.filter(Number.isSafeInteger).map((value) => value + 0);

test.each(safeEdges)("%d is written as avsc writes it, and read back", (value) => {
  expect(written(value)).toEqual(whole.toBuffer(BigInt(value)));
  expect(new AvroReader(written(value)).long()).toBe(value === 0 ? 0 : value);
});

test("any safe integer is written as avsc writes it, and read back", () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      expect(written(value)).toEqual(whole.toBuffer(BigInt(value)));
      expect(new AvroReader(whole.toBuffer(BigInt(value))).long()).toBe(value);
      if (Math.abs(value) < 2 ** 52) expect(long.fromBuffer(written(value))).toBe(value);
    }),
    { numRuns: 1000 },
  );
});

test("an int64 that JavaScript cannot hold is not a number, never a near one", () => {
  const beyond = fc.oneof(
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
    fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) }),
    fc.constantFrom(2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n), 2n ** 54n, 2n ** 55n),
  );
  fc.assert(
    fc.property(beyond, (value) => {
      const bytes = Buffer.concat([whole.toBuffer(value), Buffer.from([2])]);
      const reader = new AvroReader(bytes);
      expect(reader.long()).toBeNaN();
      expect(reader.long()).toBe(1);
    }),
  );
});

test("a number that does not end, or has more than 10 bytes, is refused", () => {
  for (let length = 0; length < 10; length++) {
    expect(() => new AvroReader(Buffer.alloc(length, 0x80)).long()).toThrow(AvroError);
  }
  expect(() => new AvroReader(Buffer.alloc(20, 0x80)).long()).toThrow(/more than 10 bytes/);
});

test("texts are written as avsc writes them, and read back", () => {
  const text = Type.forSchema("string");
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: "grapheme", maxLength: 200 })), (value) => {
      const writer = new AvroWriter(1);
      writer.string(value);
      expect(writer.finish()).toEqual(text.toBuffer(value));
      expect(new AvroReader(text.toBuffer(value)).string()).toBe(value);
    }),
  );
});

describe("arrays", () => {
  const long1 = (value: number) => written(value);
  /** Items in blocks of the given sizes; a negative size writes the count negative, with the block's byte size. */
  function blocks(items: Buffer[], sizes: number[]): Buffer {
    const parts: Buffer[] = [];
    let at = 0;
    for (const size of sizes) {
      const block = Buffer.concat(items.slice(at, at + Math.abs(size)));
      parts.push(long1(size), ...(size < 0 ? [long1(block.length)] : []), block);
      at += Math.abs(size);
    }
    return Buffer.concat([...parts, long1(0)]);
  }

  /** Of every width, one byte and two above all: those have a way of their own. */
  const anyLong = fc.oneof(fc.integer({ min: -70, max: 70 }), fc.integer({ min: -8200, max: 8200 }), fc.integer());
  const sized = fc.array(fc.integer({ min: -4, max: 4 }).filter((size) => size !== 0)).chain((sizes) => {
    const length = sizes.reduce((sum, size) => sum + Math.abs(size), 0);
    return fc.tuple(fc.constant(sizes), fc.array(anyLong, { minLength: length, maxLength: length }));
  });

  test("in several blocks, with and without byte sizes, are one array", () => {
    fc.assert(
      fc.property(sized, ([sizes, items]) => {
        const bytes = blocks(items.map(long1), sizes);
        expect(new AvroReader(bytes).numbers()).toEqual(items);
        const target = new Float64Array(items.length);
        const reader = new AvroReader(bytes);
        reader.numbersInto(target);
        expect([...target]).toEqual(items);
        expect(reader.remaining).toBe(0);
        expect(Type.forSchema({ type: "array", items: "long" }).fromBuffer(bytes)).toEqual(items);
      }),
    );
  });

  test("of texts likewise, as texts and as spans", () => {
    fc.assert(
      fc.property(sized, ([sizes, items]) => {
        const texts = items.map(String);
        const bytes = blocks(
          texts.map((text) => Type.forSchema("string").toBuffer(text)),
          sizes,
        );
        expect(new AvroReader(bytes).strings()).toEqual(texts);
        const { starts, ends } = new AvroReader(bytes).spans();
        expect([...starts].map((start, i) => bytes.toString("latin1", start, ends[i]))).toEqual(texts);
      }),
    );
  });

  test("longer or shorter than their target, or with an index out of range, are refused", () => {
    const of = (...items: number[]) => new AvroReader(blocks(items.map(long1), [items.length]));
    expect(() => of(1, 2, 3).indexesInto(new Uint32Array(2), 9)).toThrow(/longer/);
    expect(() => of(1).indexesInto(new Uint32Array(2), 9)).toThrow(/shorter/);
    expect(() => of(9, 1).indexesInto(new Uint32Array(2), 9)).toThrow(/out of range/);
    expect(() => of(-1, 1).indexesInto(new Uint32Array(2), 9)).toThrow(/negative/);
    expect(() => of(200, 1).indexesInto(new Uint32Array(2), 9)).toThrow(/out of range/);
    expect(() => of(-200, 1).indexesInto(new Uint32Array(2), 9)).toThrow(/negative/);
    const large = new AvroReader(blocks([whole.toBuffer(2n ** 60n)], [1]));
    expect(() => large.indexesInto(new Uint32Array(1), 2 ** 31)).toThrow(/out of range/);
    const target = new Uint32Array(3);
    of(0, 199, 8).indexesInto(target, 200);
    expect([...target]).toEqual([0, 199, 8]);
  });

  test("that end inside a number are refused, wherever", () => {
    for (const cut of [1, 2, 3]) {
      const bytes = blocks([1, 200, 20_000].map(long1), [3]);
      expect(() => new AvroReader(bytes.subarray(0, bytes.length - cut)).numbersInto(new Float64Array(3))).toThrow(
        AvroError,
      );
    }
  });

  test("that claim more items than there are bytes are refused before anything is allocated", () => {
    for (const count of [5, 2 ** 30, 2 ** 40, -(2 ** 40)]) {
      const bytes = Buffer.concat([long1(count), long1(1), long1(1)]);
      expect(() => new AvroReader(bytes).numbers()).toThrow(AvroError);
      expect(() => new AvroReader(bytes).spans()).toThrow(AvroError);
    }
    expect(() => new AvroReader(Buffer.concat([whole.toBuffer(2n ** 60n), long1(1)])).strings()).toThrow(AvroError);
  });
});
