// SPDX-License-Identifier: Apache-2.0
/** Averages of sums of any size. */
import fc from "fast-check";
import { average } from "../../query-api/exact-json";

/** A double as an exact fraction of integers: value = above / below. */
function fraction(value: number): { above: bigint; below: bigint } {
  let [above, below] = [value, 1n];
  while (!Number.isInteger(above)) [above, below] = [above * 2, below * 2n];
  return { above: BigInt(above), below };
}

/** The double beside a positive one, by the order of their bits. */
function beside(value: number, step: 1n | -1n): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  view.setBigUint64(0, view.getBigUint64(0) + step);
  return view.getFloat64(0);
}

/** How far a double is from sum / count, as a fraction over `below * count`. */
function distance(value: number, sum: bigint, count: number) {
  const { above, below } = fraction(value);
  const off = above * BigInt(count) - sum * below;
  return { off: off < 0n ? -off : off, below };
}

it("an average is the double nearest to the quotient, whatever the size of the sum", () => {
  const sums = fc.oneof(fc.bigInt({ min: 1n, max: 1000n }), fc.bigInt({ min: 1n, max: 2n ** 110n }));
  const counts = fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }));
  fc.assert(
    fc.property(sums, counts, (sum, count) => {
      const found = average(sum, count)!;
      const own = distance(found, sum, count);
      for (const step of [1n, -1n] as const) {
        const other = distance(beside(found, step), sum, count);
        expect(own.off * other.below <= other.off * own.below).toBe(true);
      }
      expect(average(-sum, count)).toBe(-found);
    }),
    {
      examples: [
        [5n, 3],
        [2n ** 53n + 1n, 1],
        [2n ** 70n + 1n, 3],
      ],
      numRuns: 2_000,
    },
  );
});

it("an average of nothing is null, and one of zeros is zero", () => {
  expect([average(0n, 0), average(0n, 3), average(5n, 3)]).toEqual([null, 0, 5 / 3]);
});
