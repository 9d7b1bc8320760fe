// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { float64Column, uint32Column } from "../../../domain/columns/column-memory";

test("columns of any lengths are zeroed, aligned, and share no byte", () => {
  const length = fc.oneof(fc.nat(20), fc.nat(3_000), fc.constantFrom(4_096, 4_097, 70_000));
  fc.assert(
    fc.property(fc.array(fc.tuple(length, fc.boolean()), { maxLength: 60 }), (wanted) => {
      const columns = wanted.map(([n, isFloat]) => (isFloat ? float64Column(n) : uint32Column(n)));
      for (const [i, column] of columns.entries()) {
        expect(column.length).toBe(wanted[i]![0]);
        expect(column.findIndex((each) => each !== 0)).toBe(-1);
        column.fill(i + 1);
      }
      for (const [i, column] of columns.entries()) expect(column.findIndex((each) => each !== i + 1)).toBe(-1);
    }),
    { numRuns: 50 },
  );
});

test("many columns share an allocation; the smallest and the largest have one of their own", () => {
  const pieces = new Set(Array.from({ length: 200 }, () => uint32Column(300).buffer));
  expect(pieces.size).toBeLessThan(5);
  expect(uint32Column(16).buffer.byteLength).toBe(64);
  expect(float64Column(100_000).buffer.byteLength).toBe(800_000);
});
