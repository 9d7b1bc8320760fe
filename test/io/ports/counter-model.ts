// SPDX-License-Identifier: Apache-2.0
/** The naive model of a CounterStore: one Map of minute cells; every level is summed anew at each question. */
import type { MinuteCounts } from "../../../domain/columns/minute-counts";
import type { CounterStore, Granularity } from "../../../io/ports";
import { collect, seeded } from "./condition";

export interface ModelCell {
  minute: number;
  video: string;
  type: string;
  count: number;
  sum: bigint;
  valued: number;
  last: number;
  correction: number;
  /** Absent: the count. */
  received?: number;
}

export function asMinuteCounts(cells: readonly ModelCell[]): MinuteCounts[] {
  const byMinute = new Map<number, ModelCell[]>();
  for (const cell of cells) byMinute.set(cell.minute, [...(byMinute.get(cell.minute) ?? []), cell]);
  return [...byMinute].map(([minute, rows]) => {
    const videos = [...new Set(rows.map((row) => row.video))];
    const types = [...new Set(rows.map((row) => row.type))];
    return {
      minute,
      videos,
      types,
      videoIndex: Uint32Array.from(rows, (row) => videos.indexOf(row.video)),
      typeIndex: Uint32Array.from(rows, (row) => types.indexOf(row.type)),
      counts: Float64Array.from(rows, (row) => row.count),
      valued: Float64Array.from(rows, (row) => row.valued),
      sumHigh: Float64Array.from(rows, (row) => Number(row.sum >> 32n)),
      sumLow: Float64Array.from(rows, (row) => Number(row.sum & 0xffffffffn)),
      lastMsInMinute: Uint16Array.from(rows, (row) => row.last),
      corrections: Float64Array.from(rows, (row) => row.correction),
      ...(rows.some((row) => row.received !== undefined) && {
        received: Float64Array.from(rows, (row) => row.received ?? row.count),
      }),
    };
  });
}

export class CounterModel {
  readonly cells = new Map<string, ModelCell>();

  apply(cells: readonly ModelCell[], followCorrections = false): void {
    for (const cell of cells) {
      const stored = this.cells.get(keyOf(cell));
      const correction = followCorrections ? (stored?.correction ?? 0) : cell.correction;
      const next = { ...cell, correction };
      if (stored === undefined ? next.count > 0 || correction > 0 : newer(next, stored)) {
        this.cells.set(keyOf(cell), next);
      }
    }
  }

  correct(cells: readonly ModelCell[]): void {
    for (const cell of cells) {
      const correction = (this.cells.get(keyOf(cell))?.correction ?? 0) + 1;
      this.cells.set(
        keyOf(cell),
        cell.count === 0 ? { ...cell, sum: 0n, valued: 0, last: 0, correction } : { ...cell, correction },
      );
    }
  }

  /** Lines of every cell of a level, sorted: two stores are equal when these are. */
  level(minutesAStep: number): string[] {
    const sums = new Map<string, { count: number; sum: bigint; valued: number }>();
    for (const cell of this.cells.values()) {
      if (cell.count === 0) continue;
      const key = `${cell.video} ${cell.type} ${Math.floor(cell.minute / minutesAStep) * minutesAStep * 60_000}`;
      const sum = sums.get(key) ?? { count: 0, sum: 0n, valued: 0 };
      sums.set(key, { count: sum.count + cell.count, sum: sum.sum + cell.sum, valued: sum.valued + cell.valued });
    }
    return [...sums].map(([key, { count, sum, valued }]) => `${key} ${count} ${sum} ${valued}`).sort();
  }

  totals(): string[] {
    const sums = new Map<string, { count: number; sum: bigint; valued: number; last: number }>();
    for (const cell of this.cells.values()) {
      if (cell.count === 0) continue;
      const key = `${cell.video} ${cell.type}`;
      const last = cell.minute * 60_000 + cell.last;
      const sum = sums.get(key) ?? { count: 0, sum: 0n, valued: 0, last };
      sums.set(key, {
        count: sum.count + cell.count,
        sum: sum.sum + cell.sum,
        valued: sum.valued + cell.valued,
        last: Math.max(sum.last, last),
      });
    }
    return [...sums].map(([key, { count, sum, valued, last }]) => `${key} ${count} ${sum} ${valued} ${last}`).sort();
  }

  /** By growth against as long a period before. */
  rising(type: string, from: number, to: number, limit: number) {
    const before = new Map(this.top(type, from - (to - from), from, 1e9).map((one) => [one.videoId, one.count]));
    return this.top(type, from, to, 1e9)
      .map(({ videoId, count }) => ({ videoId, count, previous: before.get(videoId) ?? 0 }))
      .filter(({ count, previous }) => count > previous)
      .sort((a, b) => b.count - b.previous - (a.count - a.previous) || (a.videoId < b.videoId ? -1 : 1))
      .slice(0, limit);
  }

  top(type: string, fromMinute: number, toMinute: number, limit: number): { videoId: string; count: number }[] {
    const counts = new Map<string, number>();
    for (const cell of this.cells.values()) {
      if (cell.type !== type || cell.minute < fromMinute || cell.minute >= toMinute || cell.count === 0) continue;
      counts.set(cell.video, (counts.get(cell.video) ?? 0) + cell.count);
    }
    return [...counts]
      .map(([videoId, count]) => ({ videoId, count }))
      .sort((a, b) => b.count - a.count || (a.videoId < b.videoId ? -1 : 1))
      .slice(0, limit);
  }
}

/** Returns a store's cells at every level in the form of the model, read by the scans and, beside them, one by one. */
export async function storedLevels(store: CounterStore): Promise<Record<Granularity | "total", string[]>> {
  const FROM = -40_000_000;
  const TO = 40_000_000;
  const minutes = (await collect(store.minuteCells(FROM, TO))).flatMap((minute) =>
    [...minute.counts].map((count, row) => {
      const sum = (BigInt(minute.sumHigh[row]!) << 32n) + BigInt(minute.sumLow[row]!);
      const name = `${minute.videos[minute.videoIndex[row]!]} ${minute.types[minute.typeIndex[row]!]}`;
      return `${name} ${minute.minute * 60_000} ${count} ${sum} ${minute.valued[row]}`;
    }),
  );
  const derived = async (granularity: "hour" | "day") =>
    (await collect(store.derivedCells(granularity, FROM * 60_000, TO * 60_000))).map(
      (cell) => `${cell.videoId} ${cell.eventType} ${cell.startMs} ${cell.count} ${cell.sum} ${cell.valued}`,
    );
  const totals = (await collect(store.allTotals())).map(
    (cell) => `${cell.videoId} ${cell.eventType} ${cell.count} ${cell.sum} ${cell.valued} ${cell.lastEventAtMs}`,
  );
  return {
    minute: minutes.sort(),
    hour: (await derived("hour")).filter(notEmpty).sort(),
    day: (await derived("day")).filter(notEmpty).sort(),
    total: totals.filter((line) => line.split(" ")[2] !== "0").sort(),
  };
}

export function modelLevels(model: CounterModel): Record<Granularity | "total", string[]> {
  return { minute: model.level(1), hour: model.level(60), day: model.level(1440), total: model.totals() };
}

/** Batch `n` of a seed: 200 cells of 20 videos over the last minutes of a year and the first of the next. */
export function generatedCells(seed: number, n: number): ModelCell[] {
  const random = seeded(seed * 1000 + n);
  const newYear = Date.UTC(2024, 0, 1) / 60_000;
  const cells = new Map<string, ModelCell>();
  for (let index = 0; index < 200; index++) {
    const count = 1 + Math.floor(random() * 1000);
    const cell = {
      minute: newYear - 90 + Math.floor(random() * 180),
      video: `video-${Math.floor(random() * 20)}`,
      type: random() < 0.7 ? "VIEW" : "LIKE",
      count,
      valued: 1 + Math.floor(random() * count),
      sum: BigInt(Math.floor((random() - 0.5) * 2 ** 53)) * 1000n,
      last: Math.floor(random() * 60_000),
      correction: 0,
    };
    cells.set(keyOf(cell), cell);
  }
  return [...cells.values()];
}

export function generatedBatch(seed: number, n: number): MinuteCounts[] {
  return asMinuteCounts(generatedCells(seed, n));
}

function newer(a: ModelCell, b: ModelCell): boolean {
  if (a.correction !== b.correction) return a.correction > b.correction;
  if (a.received !== undefined && b.received !== undefined) return a.received > b.received;
  if (a.count !== b.count) return a.count > b.count;
  if (a.valued !== b.valued) return a.valued > b.valued;
  return a.sum !== b.sum ? a.sum > b.sum : a.last > b.last;
}

function keyOf(cell: { minute: number; video: string; type: string }): string {
  return `${cell.minute} ${cell.video} ${cell.type}`;
}

function notEmpty(line: string): boolean {
  return line.split(" ")[3] !== "0";
}
