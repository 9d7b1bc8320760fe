// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { correctionsOf, MAX_CORRECTED_CELLS } from "../../../domain/rules/corrections";
import { addToCell, type ComparedCell, cellKey, differences } from "../../../domain/rules/reconcile";
import { cellsOf } from "../model";

const numbers = fc.record({ count: fc.nat(2), sum: fc.bigInt({ min: -1n, max: 1n }), valued: fc.nat(2) });
const cells = fc
  .dictionary(fc.constantFrom("a VIEW", "a LIKE", "b VIEW"), numbers, { noNullPrototype: true })
  .map((entries): Map<string, ComparedCell> => {
    const found = new Map<string, ComparedCell>();
    for (const [key, of] of Object.entries(entries)) {
      const [videoId, eventType] = key.split(" ") as [string, string];
      found.set(key, { videoId, eventType, ...of });
    }
    return found;
  });

test("two sets of cells differ in what either has and the other has not, zero for zero", () => {
  const zero = { count: 0, sum: 0n, valued: 0 };
  fc.assert(
    fc.property(cells, cells, (expected, stored) => {
      const found = new Map(differences(expected, stored).map((d) => [cellKey(d.videoId, d.eventType), d]));
      for (const key of new Set([...expected.keys(), ...stored.keys()])) {
        const [want, have] = [expected.get(key) ?? zero, stored.get(key) ?? zero];
        const equal = want.count === have.count && want.sum === have.sum && want.valued === have.valued;
        expect(found.has(key)).toBe(!equal);
        if (equal) continue;
        const { videoId, eventType } = (expected.get(key) ?? stored.get(key))!;
        expect(found.get(key)).toEqual({
          ...{ videoId, eventType, expectedCount: want.count, expectedSum: want.sum, expectedValued: want.valued },
          ...{ storedCount: have.count, storedSum: have.sum, storedValued: have.valued },
        });
      }
      expect(found.size).toBe(differences(expected, stored).length);
      expect([...found.keys()].filter((key) => !expected.has(key) && !stored.has(key))).toEqual([]);
    }),
  );
});

test("what is added to a cell twice is the sum, exactly", () => {
  const sums = new Map<string, ComparedCell>();
  addToCell(sums, "v", "VIEW", 1, 2n ** 60n, 1);
  addToCell(sums, "v", "VIEW", 2, 1n, 2);
  addToCell(sums, "v", "LIKE", 5, -1n, 4);
  expect([...sums]).toEqual([
    ["v VIEW", { videoId: "v", eventType: "VIEW", count: 3, sum: 2n ** 60n + 1n, valued: 3 }],
    ["v LIKE", { videoId: "v", eventType: "LIKE", count: 5, sum: -1n, valued: 4 }],
  ]);
});

test("corrections hold every cell as it should be, so many a transaction, also with negative sums", () => {
  const count = 2 * MAX_CORRECTED_CELLS + 1;
  const wanted = Array.from({ length: count }, (_, n) => ({
    videoId: `v${n >> 1}`,
    eventType: n % 2 === 0 ? "VIEW" : "LIKE",
    expectedCount: n,
    expectedSum: BigInt(n - 700) * 2n ** 33n + BigInt(n),
    expectedValued: n,
    lastMsInMinute: n,
  }));
  const parts = [...correctionsOf(77, wanted)];
  expect(parts.map(({ counts }) => counts.length)).toEqual([MAX_CORRECTED_CELLS, MAX_CORRECTED_CELLS, 1]);
  for (const { videos, types } of parts) {
    expect(new Set(videos).size).toBe(videos.length);
    expect(new Set(types).size).toBe(types.length);
  }
  const expected = wanted.map(({ videoId, eventType, expectedCount, expectedSum, expectedValued, lastMsInMinute }) => [
    `77 ${videoId} ${eventType}`,
    { count: expectedCount, sum: expectedSum, valued: expectedValued, lastMs: lastMsInMinute },
  ]);
  expect([...cellsOf(parts)]).toEqual(expected);
  expect([...correctionsOf(77, [])]).toEqual([]);
});
