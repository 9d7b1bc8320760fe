// SPDX-License-Identifier: Apache-2.0
import { digestOf, requireSameCounts } from "../../bench/data/counts-digest";

const cell = (minute: number, count: number) => ({ videoId: "v", eventType: "VIEW", minute, count, sum: 5n });

test("systems that counted the same cells in any order are compared, and one that did not is named", () => {
  const same = [digestOf([cell(1, 2), cell(2, 3)]), digestOf([cell(2, 3), cell(1, 2)])] as const;
  requireSameCounts({ ours: same[0], peer: same[1], notCounted: undefined });
  requireSameCounts({});
  const other = digestOf([cell(1, 3), cell(2, 2)]);
  expect(other.count).toBe(same[0].count);
  expect(() => requireSameCounts({ ours: same[0], peer: other })).toThrow(/^peer counted .*, and ours /);
});
