// SPDX-License-Identifier: Apache-2.0
import type { MinuteCounts } from "../../domain/columns/minute-counts";
import { MAX_TIME_MS } from "../../domain/event";
import { refuseUncountable } from "../../domain/rules/countable";

type Written = { -readonly [Key in keyof MinuteCounts]: MinuteCounts[Key] };

/** Two good cells: three likes of which two have a value, and a view with none. */
function good(): Written {
  return {
    minute: 29_000_000,
    videos: ["a", "b"],
    types: ["LIKE", "VIEW"],
    videoIndex: Uint32Array.of(0, 1),
    typeIndex: Uint32Array.of(0, 1),
    counts: Float64Array.of(3, 1),
    valued: Float64Array.of(2, 0),
    sumHigh: Float64Array.of(-1, 0),
    sumLow: Float64Array.of(2 ** 32 - 1, 0),
    lastMsInMinute: Uint16Array.of(59_999, 0),
    received: Float64Array.of(5, 1),
    corrections: Float64Array.of(0, 7),
  };
}

test("cells at the edge of what can be counted are accepted", () => {
  expect(() => refuseUncountable(good())).not.toThrow();
  const { received: _, corrections: __, ...fromTheStream } = good();
  expect(() => refuseUncountable(fromTheStream)).not.toThrow();
  for (const minute of [0, -1, MAX_TIME_MS / 60_000, -MAX_TIME_MS / 60_000])
    expect(() => refuseUncountable({ ...good(), minute }), String(minute)).not.toThrow();
  expect(() =>
    refuseUncountable({
      ...good(),
      counts: Float64Array.of(0, 0),
      valued: new Float64Array(2),
      sumHigh: new Float64Array(2),
      sumLow: new Float64Array(2),
    }),
  ).not.toThrow();
});

test.each([0.5, Number.NaN, MAX_TIME_MS / 60_000 + 1, -MAX_TIME_MS / 60_000 - 1, Number.POSITIVE_INFINITY])(
  "there is no minute %d",
  (minute) => {
    expect(() => refuseUncountable({ ...good(), minute })).toThrow(/not a minute of a Date/);
  },
);

test.each([
  "videoIndex",
  "typeIndex",
  "sumHigh",
  "sumLow",
  "lastMsInMinute",
  "valued",
  "received",
  "corrections",
] as const)("a column %s of another length is refused, longer or shorter", (column) => {
  for (const length of [1, 3]) {
    const cells = good();
    const other = column === "lastMsInMinute" ? new Uint16Array(length) : new Float64Array(length);
    Object.assign(cells, { [column]: other });
    expect(() => refuseUncountable(cells)).toThrow(/its columns differ in length/);
  }
});

test.each<[string, (cells: Written) => void]>([
  ["a video that is not there", (cells) => cells.videoIndex.set([2], 1)],
  ["a type that is not there", (cells) => cells.typeIndex.set([2], 1)],
  ["a negative count", (cells) => cells.counts.set([-1], 1)],
  ["a broken count", (cells) => (cells.counts as Float64Array).set([1.5], 1)],
  [
    "a count beyond 2^53",
    (cells) => {
      cells.counts.set([2 ** 53], 1);
      cells.received!.set([2 ** 53], 1);
    },
  ],
  ["a negative number of valued events", (cells) => cells.valued.set([-1], 1)],
  ["a broken number of valued events", (cells) => cells.valued.set([0.5], 1)],
  ["more valued events than events", (cells) => cells.valued.set([2], 1)],
  ["a sum without a value, in its high part", (cells) => cells.sumHigh.set([1], 1)],
  ["a sum without a value, in its low part", (cells) => cells.sumLow.set([1], 1)],
  ["a broken high part", (cells) => cells.sumHigh.set([0.5], 0)],
  ["a broken low part", (cells) => cells.sumLow.set([0.5], 0)],
  ["a negative low part", (cells) => cells.sumLow.set([-1], 0)],
  ["a low part of 2^32", (cells) => cells.sumLow.set([2 ** 32], 0)],
  ["a last event in the next minute", (cells) => cells.lastMsInMinute.set([60_000], 1)],
  ["fewer received than counted", (cells) => cells.received!.set([0], 1)],
  ["a broken number of received events", (cells) => cells.received!.set([1.5], 1)],
  ["a negative correction", (cells) => cells.corrections!.set([-1], 1)],
  ["a broken correction", (cells) => cells.corrections!.set([0.5], 1)],
])("%s is refused", (_what, broken) => {
  const cells = good();
  broken(cells);
  expect(() => refuseUncountable(cells)).toThrow(/^minute 29000000, row [01]: not a countable cell$/);
});
