// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { type CellState, cellVersion, correctionOf, isLaterCell } from "../../../domain/rules/cell-version";

/** Few values, so that states that agree in some numbers are common. */
const few = fc.integer({ min: 0, max: 2 });
const state: fc.Arbitrary<CellState> = fc.record({
  correction: few,
  count: few,
  valued: few,
  low: few,
  mid: few,
  top: fc.integer({ min: -1, max: 1 }),
  last: few,
});
const sumOf = ({ top, mid, low }: CellState): bigint => (BigInt(top) << 64n) + (BigInt(mid) << 32n) + BigInt(low);

/** The rule word by word, on whole sums. */
function naive(next: CellState, stored: CellState): boolean {
  const words = (of: CellState) => [of.correction, of.count, of.valued, sumOf(of), of.last];
  const [a, b] = [words(next), words(stored)];
  const at = a.findIndex((word, index) => word !== b[index]);
  return at >= 0 && a[at]! > b[at]!;
}

test("the later of two states has the larger correction, count, valued count, sum and last event, in this order", () => {
  fc.assert(fc.property(state, state, (a, b) => isLaterCell(a, b) === naive(a, b)));
});

test("of states in any order of writing, the same one stands", () => {
  fc.assert(
    fc.property(fc.array(state, { minLength: 1, maxLength: 6 }), fc.infiniteStream(fc.nat()), (states, random) => {
      const standing = (order: readonly CellState[]) =>
        order.reduce((stored, next) => (isLaterCell(next, stored) ? next : stored));
      const shuffled = states.map((one) => ({ one, at: random.next().value })).sort((a, b) => a.at - b.at);
      expect(standing(shuffled.map(({ one }) => one))).toEqual(standing(states));
    }),
  );
});

test("a version as one number orders states as the rule does, up to its last ties", () => {
  fc.assert(
    fc.property(state, state, (a, b) => {
      const [first, second] = [cellVersion(a.correction, a.count), cellVersion(b.correction, b.count)];
      if (first > second) expect(isLaterCell(a, b)).toBe(true);
      if (isLaterCell(a, b)) expect(first).toBeGreaterThanOrEqual(second);
    }),
  );
});

test("a version gives its correction back, and refuses more received events than it can tell apart", () => {
  const correction = fc.integer({ min: 0, max: 2 ** 23 });
  fc.assert(
    fc.property(correction, fc.integer({ min: 0, max: 2 ** 29 - 1 }), (corrections, received) => {
      expect(correctionOf(cellVersion(corrections, received))).toBe(corrections);
    }),
  );
  expect(() => cellVersion(0, 2 ** 29)).toThrow(RangeError);
});

test("states that agree in all numbers before one are ordered by this one, and a state is not later than itself", () => {
  const base: CellState = { correction: 1, count: 5, valued: 4, top: -1, mid: 7, low: 8, last: 9 };
  const order = ["correction", "count", "valued", "top", "mid", "low", "last"] as const;
  expect(isLaterCell(base, base)).toBe(false);
  for (const [rank, name] of order.entries()) {
    const later = { ...base, [name]: base[name] + 1 };
    // What comes behind says nothing any more.
    for (const behind of order.slice(rank + 1)) later[behind] = base[behind] - 1;
    expect([name, isLaterCell(later, base), isLaterCell(base, later)]).toEqual([name, true, false]);
  }
});
