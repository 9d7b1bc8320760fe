// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import type { MinuteCounts } from "../../domain/columns/minute-counts";
import { type ComparedCell, cellKey, differences } from "../../domain/rules/reconcile";
import { cellColumns, encodeCells } from "../../transforms/audit-elements";
import { areSameCells } from "../../transforms/same-cells";

const cell = fc.record({
  videoId: fc.constantFrom("v", "w", "x"),
  eventType: fc.constantFrom("VIEW", "LIKE"),
  count: fc.integer({ min: 1, max: 3 }),
  sum: fc.oneof(fc.bigInt({ min: -3n, max: 3n }), fc.constantFrom(2n ** 32n, -(2n ** 40n), 2n ** 60n)),
  valued: fc.integer({ min: 0, max: 1 }),
});
const cells = fc.uniqueArray(cell, { selector: ({ videoId, eventType }) => cellKey(videoId, eventType) });

function stored(all: readonly ComparedCell[]): MinuteCounts {
  const videos = [...new Set(all.map(({ videoId }) => videoId))].reverse();
  const types = [...new Set(all.map(({ eventType }) => eventType))];
  return {
    minute: 1,
    videos,
    types,
    videoIndex: Uint32Array.from(all, ({ videoId }) => videos.indexOf(videoId)),
    typeIndex: Uint32Array.from(all, ({ eventType }) => types.indexOf(eventType)),
    counts: Float64Array.from(all, ({ count }) => count),
    valued: Float64Array.from(all, ({ valued }) => valued),
    sumHigh: Float64Array.from(all, ({ sum }) => Number(sum >> 32n)),
    sumLow: Float64Array.from(all, ({ sum }) => Number(sum & 0xffff_ffffn)),
    lastMsInMinute: new Uint16Array(all.length),
  };
}

const recounted = (all: readonly ComparedCell[]) =>
  cellColumns(encodeCells(all.map((each) => ({ ...each, lastMsInMinute: 0 }))));
const byKey = (all: readonly ComparedCell[]) =>
  new Map(all.map((each) => [cellKey(each.videoId, each.eventType), each]));

test("what is called the same has no difference, in whatever order its cells are", () => {
  fc.assert(
    fc.property(cells, cells, (one, other) => {
      const same = areSameCells(recounted(one), stored(other));
      if (same) expect(differences(byKey(one), byKey(other))).toEqual([]);
    }),
    { numRuns: 500 },
  );
});

test("equal cells are called the same, but for sums beyond 2^53, which are left to the exact comparison", () => {
  fc.assert(
    fc.property(
      cells.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
      ([one, other]) => {
        const isSafe = one.every(({ sum }) => Number.isSafeInteger(Number(sum)));
        expect(areSameCells(recounted(one), stored(other))).toBe(isSafe);
      },
    ),
  );
});

test("a cell that comes twice is not two cells", () => {
  const [v, w] = ["v", "w"].map((videoId) => ({ videoId, eventType: "VIEW", count: 1, sum: 0n, valued: 0 }));
  expect(areSameCells(recounted([v!, v!]), stored([v!, w!]))).toBe(false);
  expect(areSameCells(recounted([v!, w!]), stored([v!, v!]))).toBe(false);
});
