// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import {
  addTo,
  differenceOf,
  isSameSums,
  latestSumOf,
  NO_SUMS,
  type Sums,
  sumOf,
} from "../../../domain/rules/cell-sums";
import { Block, COUNT, LOW, MID, TOP, VALUED, WIDTH } from "../../../io/sqlite/cell-block";

const sums: fc.Arbitrary<Sums> = fc
  .record({
    count: fc.integer({ min: 1, max: 2 ** 40 }),
    sum: fc.bigInt({ min: -(2n ** 90n), max: 2n ** 90n }),
    valued: fc.integer({ min: 1, max: 2 ** 40 }),
  })
  .map(({ count, sum, valued }) => ({ count: Math.max(count, valued), sum, valued }));

test("sums have no order, and a difference takes a part away again", () => {
  fc.assert(
    fc.property(sums, sums, sums, (a, b, c) => {
      expect(sumOf(a, sumOf(b, c))).toEqual(sumOf(sumOf(c, a), b));
      expect(differenceOf(sumOf(a, b), b)).toEqual(a);
      expect(sumOf(a, NO_SUMS)).toEqual(a);
      expect(isSameSums(sumOf(a, b), a)).toBe(false);
    }),
  );
});

test("adding in place gives the same sums", () => {
  fc.assert(
    fc.property(fc.array(sums), (cells) => {
      const added = { ...NO_SUMS };
      for (const cell of cells) addTo(added, cell);
      expect(added).toEqual(cells.reduce(sumOf, NO_SUMS));
    }),
  );
});

test("the latest event of two sets is the later one's", () => {
  const [a, b] = [
    { count: 1, sum: 2n, valued: 1, lastEventAtMs: 5 },
    { count: 2, sum: -3n, valued: 1, lastEventAtMs: 4 },
  ];
  expect(latestSumOf(undefined, a)).toEqual(a);
  expect(latestSumOf(b, a)).toEqual({ count: 3, sum: -1n, valued: 2, lastEventAtMs: 5 });
});

test("a block of the SQLite store adds up as the rule does", () => {
  const KEY = 7;
  const parts = ({ sum }: Sums) =>
    [Number(sum & 0xffff_ffffn), Number((sum >> 32n) & 0xffff_ffffn), Number(sum >> 64n)] as const;
  fc.assert(
    fc.property(fc.array(sums, { minLength: 1, maxLength: 8 }), (cells) => {
      const whole = new Block();
      for (const cell of cells) {
        const one = new Block();
        const at = one.cell(KEY) * WIDTH;
        [one.data[at + LOW], one.data[at + MID], one.data[at + TOP]] = parts(cell);
        [one.data[at + COUNT], one.data[at + VALUED]] = [cell.count, cell.valued];
        whole.add(one, 0);
      }
      const at = whole.find(KEY) * WIDTH;
      const found = { count: whole.data[at + COUNT]!, sum: whole.sum(at), valued: whole.data[at + VALUED]! };
      expect(found).toEqual(cells.reduce(sumOf, NO_SUMS));
    }),
  );
});

test("sums are the same where count, sum and valued count all are", () => {
  const sums = { count: 1, sum: 2n, valued: 3 };
  expect(isSameSums(sums, { ...sums })).toBe(true);
  for (const other of [{ count: 0 }, { sum: 0n }, { valued: 0 }])
    expect(isSameSums(sums, { ...sums, ...other })).toBe(false);
});
