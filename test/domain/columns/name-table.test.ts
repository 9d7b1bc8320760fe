// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { NameTable, packedSpans, spanTexts, textSpans } from "../../../domain/columns/name-table";
import { anyVideoId } from "../model";

/** Names that differ late, or in length alone: a slot holds the first 24 bytes. */
const alike = fc.oneof(
  fc.constantFrom("a", "b", "ab", "ba"),
  fc
    .tuple(fc.integer({ min: 19, max: 29 }), fc.constantFrom("", "x", "y", "xx"))
    .map(([n, end]) => "p".repeat(n) + end),
);

test("names get the numbers a Map would give them", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(anyVideoId, alike)), fc.integer(), (names, seed) => {
      const table = new NameTable(seed);
      const model = new Map<string, number>();
      for (const name of names) {
        if (!model.has(name)) model.set(name, model.size);
        expect(table.indexText(name)).toBe(model.get(name));
      }
      expect(table.size).toBe(model.size);
      for (const [name, number] of model) {
        expect(table.text(number)).toBe(name);
        expect(table.lengthOf(number)).toBe(name.length);
      }
    }),
  );
});

test("100,000 names keep their numbers while the table grows", () => {
  const table = new NameTable(7);
  const names = Array.from({ length: 100_000 }, (_, i) => `video-${i * 7919}`);
  for (let round = 0; round < 2; round++) expect(names.findIndex((name, i) => table.indexText(name) !== i)).toBe(-1);
  expect(names.findIndex((name, i) => table.text(i) !== name)).toBe(-1);
});

test("packed names come back, wherever they lie", () => {
  fc.assert(
    fc.property(fc.uniqueArray(anyVideoId), fc.nat(9), (names, offset) => {
      const table = new NameTable(3);
      const numbers = names.map((name) => table.indexText(name)).reverse();
      const bytes = new Uint8Array(offset + table.packedSize(numbers));
      expect(table.packNames(numbers, bytes, offset)).toBe(bytes.length);
      expect(spanTexts(packedSpans(bytes, offset, names.length))).toEqual([...names].reverse());
      expect([...table.indexSpans(textSpans(names))]).toEqual(names.map((_, i) => i));
    }),
  );
});

test("a block that ends inside its names is refused", () => {
  const table = new NameTable(3);
  const bytes = new Uint8Array(8);
  table.packNames([table.indexText("abc")], bytes, 0);
  expect(() => packedSpans(bytes.subarray(0, 3), 0, 1)).toThrow(RangeError);
});

test("a shard is a pure function of the name: every worker finds the same, and all shards are used", () => {
  const [one, two] = [new NameTable(1), new NameTable(2)];
  two.indexText("first");
  const used = new Set<number>();
  for (let i = 0; i < 1000; i++) {
    const shard = one.shard(one.indexText(`v${i}`), 7);
    expect(two.shard(two.indexText(`v${i}`), 7)).toBe(shard);
    used.add(shard);
  }
  expect([...used].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

test("a table takes as many names as it may, and says so beyond", () => {
  const table = new NameTable(0, 3);
  for (const name of ["a", "b", "c", "a"]) table.indexText(name);
  expect(() => table.indexText("d")).toThrow(/at most 3 names/);
  expect(table.indexText("c")).toBe(2);
});

test("a name of 255 bytes is packed whole, one of 256 is refused: its length has one byte", () => {
  const table = new NameTable(3);
  const longest = table.indexText("x".repeat(255));
  const bytes = new Uint8Array(table.packedSize([longest]));
  table.packNames([longest], bytes, 0);
  expect(spanTexts(packedSpans(bytes, 0, 1))).toEqual(["x".repeat(255)]);
  const longer = table.indexText("x".repeat(256));
  expect(() => table.packNames([longer], new Uint8Array(300), 0)).toThrow(RangeError);
});
