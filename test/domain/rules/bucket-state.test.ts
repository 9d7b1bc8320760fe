// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { type BucketState, bucketState, KEPT_SECONDS, leastCertain } from "../../../domain/rules/bucket-state";
import { dayOf, hourOf } from "../../../domain/rules/time";

const ORDER: readonly BucketState[] = ["provisional", "final", "audited", "closed"];
const horizons = fc
  .tuple(fc.integer({ min: 1, max: 1e9 }), fc.integer({ min: 0, max: 1e9 }))
  .map(([finalAfterMs, more]) => ({ finalAfterMs, rawRetentionMs: 2 * finalAfterMs + more }));

test("a state says no more than completeThrough and the audit allow", () => {
  fc.assert(
    fc.property(fc.integer(), fc.boolean(), fc.integer(), horizons, (endMs, isAudited, throughMs, rules) => {
      const state = bucketState(endMs, isAudited, throughMs, rules);
      const isFinal = throughMs >= endMs + rules.finalAfterMs;
      expect(state === "provisional").toBe(!isFinal);
      if (isFinal) expect(state === "final").toBe(!isAudited);
      expect(state === "closed").toBe(isAudited && throughMs >= endMs + rules.rawRetentionMs);
    }),
  );
});

test("as completeThrough goes on, a state only becomes more certain", () => {
  fc.assert(
    fc.property(fc.integer(), fc.boolean(), fc.integer(), fc.nat(), horizons, (endMs, audited, from, more, rules) => {
      const rank = (throughMs: number) => ORDER.indexOf(bucketState(endMs, audited, throughMs, rules));
      expect(rank(from + more)).toBeGreaterThanOrEqual(rank(from));
    }),
  );
});

test("a bucket is final, and closed, at the millisecond at which its horizon is reached", () => {
  const rules = { finalAfterMs: 10, rawRetentionMs: 100 };
  const states = [109, 110, 199, 200].map((throughMs) => bucketState(100, true, throughMs, rules));
  expect(states).toEqual(["provisional", "audited", "audited", "closed"]);
  expect(bucketState(100, false, 200, rules)).toBe("final");
});

test("the more certain a state, the longer an answer may be kept; an answer without buckets changes no more", () => {
  const kept = ORDER.map((state) => KEPT_SECONDS[state]);
  expect(kept).toEqual(kept.toSorted((a, b) => a - b));
  expect([kept[0], kept.at(-1)]).toEqual([1, 86_400]);
  expect(leastCertain([])).toBe("closed");
});

test("several are as certain as the least certain of them", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...ORDER), { minLength: 1 }), (states) => {
      expect(ORDER.indexOf(leastCertain(states))).toBe(Math.min(...states.map((state) => ORDER.indexOf(state))));
    }),
  );
});

test("minutes and hours belong to the hour and the day that has begun, before 1970 as well", () => {
  expect([-61, -60, -1, 0, 59, 60].map(hourOf)).toEqual([-2, -1, -1, 0, 0, 1]);
  expect([-25, -24, -1, 0, 23, 24].map(dayOf)).toEqual([-2, -1, -1, 0, 0, 1]);
});
