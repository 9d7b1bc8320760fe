// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import type { MinuteCounts } from "../../domain/columns/minute-counts";
import { type ComparedCell, cellKey, differences } from "../../domain/rules/reconcile";
import { cellColumns, encodeCells } from "../../transforms/cell-columns";
import { HourNames } from "../../transforms/hour-names";
import { areSameCells } from "../../transforms/same-cells";

const cell = fc.record({
  videoId: fc.constantFrom("v", "w", "vw", "ü"),
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

/** As a recount has them, names before the cells that need them; through the bytes between two transforms. */
function recounted(all: readonly ComparedCell[]) {
  const videos = [...new Set(all.map(({ videoId }) => videoId))];
  const types = [...new Set(all.map(({ eventType }) => eventType))];
  let end = 0;
  const ends = Uint32Array.from(videos, (name) => {
    end += Buffer.byteLength(name);
    return end;
  });
  const sums = Float64Array.from(all, ({ sum }) => Number(sum));
  const unsafe = [...all.entries()].filter(([row]) => !Number.isSafeInteger(sums[row]));
  return cellColumns(
    encodeCells({
      videos: { bytes: Buffer.from(videos.join("")), ends },
      types,
      videoIndex: Uint32Array.from(all, ({ videoId }) => videos.indexOf(videoId)),
      typeIndex: Uint32Array.from(all, ({ eventType }) => types.indexOf(eventType)),
      counts: Float64Array.from(all, ({ count }) => count),
      sums,
      beyond: new Map(unsafe.map(([row, { sum }]) => [row, sum])),
      valued: Float64Array.from(all, ({ valued }) => valued),
      last: new Uint16Array(all.length),
    }),
  );
}

/** Compares with the names of an hour whose earlier minutes had some of these videos, or others. */
function areSame(one: readonly ComparedCell[], other: readonly ComparedCell[], earlier: readonly string[] = []) {
  const names = new HourNames(7);
  for (const name of earlier) names.numberOf(name);
  return areSameCells(recounted(one), stored(other), names);
}

const byKey = (all: readonly ComparedCell[]) =>
  new Map(all.map((each) => [cellKey(each.videoId, each.eventType), each]));

test("what is called the same has no difference, in whatever order its cells are", () => {
  fc.assert(
    fc.property(cells, cells, fc.array(fc.constantFrom("x", "y", "v")), (one, other, earlier) => {
      const same = areSame(one, other, earlier);
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
        expect(areSame(one, other, ["w", "ü"])).toBe(isSafe);
      },
    ),
  );
});

test("one number of one cell makes the minutes unequal, and so does a cell more, another name or a name stored twice", () => {
  const one = { videoId: "v", eventType: "VIEW", count: 2, sum: 5n, valued: 1 };
  const rest = { ...one, videoId: "w" };
  const others = [
    { count: 1 },
    { sum: 4n },
    { sum: 5n + 2n ** 32n },
    { valued: 2 },
    { videoId: "x" },
    { eventType: "L" },
  ];
  expect(areSame([rest, one], [one, rest])).toBe(true);
  for (const other of others) expect(areSame([one, rest], [{ ...one, ...other }, rest])).toBe(false);
  expect([areSame([one], [one, rest]), areSame([one, rest], [one])]).toEqual([false, false]);
  const counts = stored([one, rest]);
  const named = (videos: string[]) => areSameCells(recounted([one, rest]), { ...counts, videos }, new HourNames(7));
  expect([named(["w", "v"]), named(["w", "v", "v"]), named(["w", "v", "x"])]).toEqual([true, false, true]);
});

test("a cell that comes twice is not two cells", () => {
  const [v, w] = ["v", "w"].map((videoId) => ({ videoId, eventType: "VIEW", count: 1, sum: 0n, valued: 0 }));
  expect(areSame([v!, v!], [v!, w!])).toBe(false);
  expect(areSame([v!, w!], [v!, v!])).toBe(false);
});
