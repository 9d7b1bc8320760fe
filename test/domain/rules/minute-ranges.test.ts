// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { countByBucket, type MinuteRange, overlapOf, unionOf, without } from "../../../domain/rules/minute-ranges";

const minute = fc.integer({ min: -12, max: 12 });
const range: fc.Arbitrary<MinuteRange> = fc.record({ fromMinute: minute, toMinute: minute });
const ranges = fc.array(range, { maxLength: 6 });

function minutesOf(list: readonly MinuteRange[]): number[] {
  const minutes = new Set<number>();
  for (const { fromMinute, toMinute } of list) for (let m = fromMinute; m < toMinute; m++) minutes.add(m);
  return [...minutes].sort((a, b) => a - b);
}

test("a union has the minutes of all, ascending, and no two ranges that touch", () => {
  fc.assert(
    fc.property(ranges, (list) => {
      const asked = structuredClone(list);
      const union = unionOf(list);
      expect(list).toEqual(asked);
      expect(minutesOf(union)).toEqual(minutesOf(list));
      for (const [n, { fromMinute, toMinute }] of union.entries()) {
        expect(fromMinute).toBeLessThan(toMinute);
        if (n > 0) expect(fromMinute).toBeGreaterThan(union[n - 1]!.toMinute);
      }
    }),
  );
});

test("a range without minutes has the others, in as few ranges as there are gaps", () => {
  fc.assert(
    fc.property(range, fc.array(minute), (whole, except) => {
      const left = without(whole, except);
      const out = new Set(except);
      expect(minutesOf(left)).toEqual(minutesOf([whole]).filter((m) => !out.has(m)));
      expect(left).toEqual(unionOf(left));
    }),
  );
});

test("an overlap has the minutes that both have", () => {
  fc.assert(
    fc.property(range, range, (a, b) => {
      const inB = new Set(minutesOf([b]));
      expect(minutesOf([overlapOf(a, b)])).toEqual(minutesOf([a]).filter((m) => inB.has(m)));
    }),
  );
});

test("buckets count the minutes that disjoint ranges have of the asked ones, also before 1970", () => {
  fc.assert(
    fc.property(ranges, range, fc.integer({ min: 1, max: 7 }), (list, asked, bucketMinutes) => {
      const counts = new Map<number, number>([[0, 0]]);
      countByBucket(counts, unionOf(list), asked, bucketMinutes);
      const inAsked = new Set(minutesOf([asked]));
      const expected = new Map<number, number>([[0, 0]]);
      for (const m of minutesOf(list)) {
        const bucket = Math.floor(m / bucketMinutes) * bucketMinutes;
        if (inAsked.has(m)) expected.set(bucket, (expected.get(bucket) ?? 0) + 1);
      }
      expect(counts).toEqual(expected);
    }),
  );
});

test("ranges beside the asked one, in one bucket with it, add nothing", () => {
  const counts = new Map<number, number>();
  const ranges = [
    { fromMinute: 0, toMinute: 2 },
    { fromMinute: 5, toMinute: 6 },
  ];
  countByBucket(counts, ranges, { fromMinute: 2, toMinute: 4 }, 60);
  expect(counts.size).toBe(0);
});

test("counts of a second call are added", () => {
  const counts = new Map<number, number>();
  for (const fromMinute of [0, 5])
    countByBucket(counts, [{ fromMinute, toMinute: fromMinute + 1 }], { fromMinute: 0, toMinute: 60 }, 60);
  expect(counts).toEqual(new Map([[0, 2]]));
});
