// SPDX-License-Identifier: Apache-2.0
/**
 * The cells behind a series, read at the coarsest levels that fit and added up. Series answers, queries and channels
 * read with it.
 */
import { NO_SUMS, sumOf } from "../domain/rules/cell-sums";
import type { Cell, CounterStore } from "../io/ports";
import { average } from "./exact-json";
import { nextTurn } from "./next-turn";
import type { BucketedRange } from "./range";
import { piecesOf } from "./range-pieces";

export type Aggregates = Pick<Cell, "count" | "sum" | "valued" | "revision" | "source">;

/** The cells of one video and type in every bucket of a range, zeros included, and their sum. */
interface Series {
  buckets: Aggregates[];
  whole: Aggregates;
}

/** The aggregates of a bucket without events: of each of them this object. */
export const NOTHING: Aggregates = { ...NO_SUMS, revision: 0 };

/** Reads any range at any granularity, from the coarsest cells that fit its buckets. */
export async function readSeries(
  counters: Pick<CounterStore, "read">,
  videoId: string,
  eventType: string,
  { edges, buckets: length }: BucketedRange,
): Promise<Series> {
  const buckets = new Array<Aggregates>(length).fill(NOTHING);
  let whole = NOTHING;
  let bucket = 0;
  for (const [index, { granularity, fromMs, toMs }] of piecesOf(edges).entries()) {
    if (index > 0) await nextTurn();
    const cells: Cell[] = await counters.read(videoId, eventType, fromMs, toMs, granularity);
    for (const cell of cells) {
      while (cell.startMs >= edges[bucket + 1]!) bucket++;
      buckets[bucket] = buckets[bucket] === NOTHING ? cell : added(buckets[bucket]!, cell);
      whole = added(whole, cell);
    }
  }
  return { buckets, whole };
}

export function added(a: Aggregates, b: Aggregates): Aggregates {
  const source = a.source ?? b.source;
  return {
    ...sumOf(a, b),
    revision: a.revision + b.revision,
    ...(source === undefined ? {} : { source }),
  };
}

export type AggregateFunction = "COUNT" | "SUM" | "AVERAGE";

/**
 * Returns the aggregate as JSON text, integers exact whatever their size. AVERAGE is over the events that have a value.
 */
export function aggregateText(asked: AggregateFunction, { count, sum, valued }: Aggregates): string {
  switch (asked) {
    case "COUNT":
      return String(count);
    case "SUM":
      return sum.toString();
    case "AVERAGE":
      return String(average(sum, valued));
    default:
      return asked satisfies never;
  }
}
