import type { Cell, CounterStore } from "../io/ports";
import { average } from "./exact-json";
import { nextTurn } from "./next-turn";
import type { BucketedRange } from "./range";

/** Buckets read at a time: a day of minutes in one piece, the event loop held for few milliseconds. */
const BUCKETS_AT_ONCE = 1_500;

export type Aggregates = Pick<Cell, "count" | "sum" | "valued" | "revision">;

/** The cells of one video and type in every bucket of a range, zeros included, and what they add up to. */
export interface Series {
  buckets: Aggregates[];
  whole: Aggregates;
}

const NOTHING: Aggregates = { count: 0, sum: 0n, valued: 0, revision: 0 };

export async function readSeries(
  counters: Pick<CounterStore, "read">,
  videoId: string,
  eventType: string,
  range: BucketedRange,
): Promise<Series> {
  const { startMs, endMs, bucketMs, granularity } = range;
  const buckets = new Array<Aggregates>(range.buckets).fill(NOTHING);
  const whole = { ...NOTHING };
  const stepMs = BUCKETS_AT_ONCE * bucketMs;
  for (let fromMs = startMs; fromMs < endMs; fromMs += stepMs) {
    if (fromMs > startMs) await nextTurn();
    const toMs = Math.min(fromMs + stepMs, endMs);
    const cells: Cell[] = await counters.read(videoId, eventType, fromMs, toMs, granularity);
    for (const cell of cells) {
      buckets[(cell.startMs - startMs) / bucketMs] = cell;
      whole.count += cell.count;
      whole.sum += cell.sum;
      whole.valued += cell.valued;
      whole.revision += cell.revision;
    }
  }
  return { buckets, whole };
}

export type AggregateFunction = "COUNT" | "SUM" | "AVERAGE";

/** As JSON text: integers whole, whatever their size. AVERAGE is over the events that have a value. */
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
