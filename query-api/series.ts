import type { Cell, CounterStore } from "../io/ports";
import { average } from "./exact-json";
import { nextTurn } from "./next-turn";
import type { BucketedRange } from "./range";

/** Buckets read at a time: a day of minutes in one piece, the event loop held for few milliseconds. */
const BUCKETS_AT_ONCE = 1_500;

/** Count and sum of one video and type in every bucket of a range, zeros included. */
export interface Series {
  counts: number[];
  sums: bigint[];
  count: number;
  sum: bigint;
}

export async function readSeries(
  counters: Pick<CounterStore, "read">,
  videoId: string,
  eventType: string,
  range: BucketedRange,
): Promise<Series> {
  const { startMs, endMs, bucketMs, buckets, granularity } = range;
  const counts = new Array<number>(buckets).fill(0);
  const sums = new Array<bigint>(buckets).fill(0n);
  const series: Series = { counts, sums, count: 0, sum: 0n };
  const stepMs = BUCKETS_AT_ONCE * bucketMs;
  for (let fromMs = startMs; fromMs < endMs; fromMs += stepMs) {
    if (fromMs > startMs) await nextTurn();
    const toMs = Math.min(fromMs + stepMs, endMs);
    const cells: Cell[] = await counters.read(videoId, eventType, fromMs, toMs, granularity);
    for (const cell of cells) {
      const bucket = (cell.startMs - startMs) / bucketMs;
      counts[bucket] = cell.count;
      sums[bucket] = cell.sum;
      series.count += cell.count;
      series.sum += cell.sum;
    }
  }
  return series;
}

export type AggregateFunction = "COUNT" | "SUM" | "AVERAGE";

/** As JSON text: integers whole, whatever their size. */
export function aggregateText(asked: AggregateFunction, count: number, sum: bigint): string {
  switch (asked) {
    case "COUNT":
      return String(count);
    case "SUM":
      return sum.toString();
    case "AVERAGE":
      return String(average(sum, count));
    default:
      return asked satisfies never;
  }
}
