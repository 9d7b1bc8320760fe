// SPDX-License-Identifier: Apache-2.0
import { MINUTE_MS } from "../domain/rules/time";
import type { CounterStore } from "../io/ports";

interface Comparison {
  cells: number;
  events: number;
  /** `level cell: stored, expected`; at most 20 are listed. */
  differences: string[];
  differing: number;
}

type Cells = Map<string, { count: number; sum: number }>;

/**
 * Compares every stored cell of every level with the sums of minute counts. Minutes in [fromMinute, toMinute). The
 * demonstrations end with it: the stored cells must be the independently counted ones.
 */
export async function compareWithStored(
  counters: CounterStore,
  minutes: Cells,
  fromMinute: number,
  toMinute: number,
): Promise<Comparison> {
  const stored: Cells = new Map();
  for await (const { minute, videos, types, videoIndex, typeIndex, counts, sumHigh, sumLow } of counters.minuteCells(
    fromMinute,
    toMinute,
  )) {
    for (let row = 0; row < counts.length; row++) {
      const cell = `${minute} ${videos[videoIndex[row]!]} ${types[typeIndex[row]!]}`;
      stored.set(cell, { count: counts[row]!, sum: sumHigh[row]! * 2 ** 32 + sumLow[row]! });
    }
  }
  const result: Comparison = { cells: 0, events: 0, differences: [], differing: 0 };
  for (const { count } of minutes.values()) result.events += count;
  compare("minute", stored, minutes, result);
  for (const [granularity, width] of [
    ["hour", 60],
    ["day", 1440],
  ] as const) {
    const cells: Cells = new Map();
    for await (const { videoId, eventType, startMs, count, sum } of counters.derivedCells(
      granularity,
      Math.floor(fromMinute / width) * width * MINUTE_MS,
      toMinute * MINUTE_MS,
    ))
      cells.set(`${startMs / MINUTE_MS} ${videoId} ${eventType}`, { count, sum: Number(sum) });
    compare(
      granularity,
      cells,
      rolledUp(minutes, (minute) => Math.floor(minute / width) * width),
      result,
    );
  }
  const totals: Cells = new Map();
  for await (const { videoId, eventType, count, sum } of counters.allTotals())
    totals.set(`0 ${videoId} ${eventType}`, { count, sum: Number(sum) });
  compare(
    "total",
    totals,
    rolledUp(minutes, () => 0),
    result,
  );
  return result;
}

function rolledUp(minutes: Cells, start: (minute: number) => number): Cells {
  const cells: Cells = new Map();
  for (const [name, { count, sum }] of minutes) {
    const [minute, ...cell] = name.split(" ");
    const key = [start(Number(minute)), ...cell].join(" ");
    const known = cells.get(key) ?? { count: 0, sum: 0 };
    cells.set(key, { count: known.count + count, sum: known.sum + sum });
  }
  return cells;
}

function compare(level: string, stored: Cells, expected: Cells, result: Comparison): void {
  for (const cell of new Set([...stored.keys(), ...expected.keys()])) {
    result.cells++;
    const [found, right] = [stored.get(cell), expected.get(cell)];
    if (found?.count === right?.count && found?.sum === right?.sum) continue;
    result.differing++;
    if (result.differences.length < 20)
      result.differences.push(`${level} ${cell}: stored ${JSON.stringify(found)}, expected ${JSON.stringify(right)}`);
  }
}
