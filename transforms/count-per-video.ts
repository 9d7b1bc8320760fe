import { CountsBuilder, openCounts } from "../domain/columns/count-block";
import type { MinuteCounts } from "../domain/columns/minute-counts";
import { shardPart } from "../domain/rules/ledger-parts";
import { type DoFn, groupByKey, type KV, type PCollection, parDo, register, toBytes, withName } from "../engine";
import type { LedgerRow } from "../io/ports";
import type { CountElement, ShardCounts } from "./elements";
import { hashSeed } from "./hash-seed";

/**
 * Adds up the partitions of a video shard: the counts of every video of the shard in the minute, in chunks, with the shard's books.
 * In: count blocks keyed by video shard, in one-minute windows. Out: ShardCounts. Rejects: none. Windowing: fixed 60 s, accumulating;
 * of several panes of a partition the largest counts, because panes are nested. Replay: the same sums, or larger ones.
 */
export function countPerVideo(counts: PCollection<KV<string, CountElement>>): PCollection<ShardCounts> {
  return counts
    .apply(withName("GroupByVideoShard", groupByKey<string, CountElement>()))
    .apply(withName("CountPerVideo", parDo(new CountPerVideo())));
}

type Largest = Map<number, { received: number; firing: number | undefined; parts: Map<number, CountElement> }>;

export class CountPerVideo implements DoFn<KV<string, Iterable<CountElement>>, ShardCounts> {
  *process({ key, value }: KV<string, Iterable<CountElement>>): Iterable<ShardCounts> {
    const largest: Largest = new Map();
    let minute = 0;
    for (const element of value) {
      minute = element.minute;
      const { partition, received, firing, part } = element;
      const known = largest.get(partition);
      // Two firings of as many events are of the same ones, but their parts are not: each has its cells in the order they came in.
      if (known !== undefined && known.received === received && known.firing === firing) known.parts.set(part, element);
      else if (known === undefined || known.received < received)
        largest.set(partition, { received, firing, parts: new Map([[part, element]]) });
    }
    const chunks = largest.size === 1 ? onlyPartition(largest, minute) : summed(largest, minute);
    const books = booksOf(minute, Number(key), chunks, largest);
    const last = chunks.pop();
    for (const counts of chunks) yield { counts };
    if (last !== undefined) yield { counts: last, books };
  }
}

function onlyPartition(largest: Largest, minute: number): MinuteCounts[] {
  return [...largest.values()].flatMap(({ parts }) =>
    [...parts.values()].map(({ block }) => openCounts(toBytes(block), minute)),
  );
}

function summed(largest: Largest, minute: number): MinuteCounts[] {
  const sums = new CountsBuilder(hashSeed);
  for (const { parts } of largest.values()) {
    for (const { block } of parts.values()) sums.add(openCounts(toBytes(block), minute));
  }
  return [...sums.build(minute)];
}

/** What came for the shard's videos in the minute; it grows with the panes. */
function booksOf(minute: number, shard: number, chunks: readonly MinuteCounts[], largest: Largest): LedgerRow {
  const sum = (columns: (Float64Array | undefined)[]) => {
    let total = 0;
    for (const column of columns) for (const count of column ?? []) total += count;
    return total;
  };
  const received = sum(chunks.map((chunk) => chunk.received));
  const counted = sum(chunks.map((chunk) => chunk.counts));
  let reusedIds = 0;
  for (const { parts } of largest.values()) for (const part of parts.values()) reusedIds += part.reusedIds;
  return { minute, part: shardPart(shard), received, counted, duplicate: received - counted, late: 0, reusedIds };
}

register(module);
