import { CountsBuilder, openCounts } from "../domain/count-block";
import type { MinuteCounts } from "../domain/minute-counts";
import { type DoFn, groupByKey, type KV, type PCollection, parDo, register, toBytes, withName } from "../engine";
import type { CountElement } from "./elements";

/**
 * Adds up the partitions of a video shard: the counts of every video of the shard in the minute, in chunks.
 * In: count blocks keyed by video shard, in one-minute windows. Out: MinuteCounts. Rejects: none. Windowing: fixed 60 s, accumulating;
 * of several panes of a partition the largest counts, because panes are nested. Replay: the same sums, or larger ones.
 */
export function countPerVideo(counts: PCollection<KV<string, CountElement>>): PCollection<MinuteCounts> {
  return counts
    .apply(withName("GroupByVideoShard", groupByKey<string, CountElement>()))
    .apply(withName("CountPerVideo", parDo(new CountPerVideo())));
}

export class CountPerVideo implements DoFn<KV<string, Iterable<CountElement>>, MinuteCounts> {
  *process({ value }: KV<string, Iterable<CountElement>>): Iterable<MinuteCounts> {
    const largest = new Map<number, { received: number; parts: Map<number, CountElement> }>();
    let minute = 0;
    for (const element of value) {
      minute = element.minute;
      const known = largest.get(element.partition);
      if (known !== undefined && known.received > element.received) continue;
      if (known !== undefined && known.received === element.received) known.parts.set(element.part, element);
      else largest.set(element.partition, { received: element.received, parts: new Map([[element.part, element]]) });
    }
    if (largest.size === 1) {
      for (const { parts } of largest.values()) {
        for (const { block } of parts.values()) yield openCounts(toBytes(block), minute);
      }
      return;
    }
    const sums = new CountsBuilder();
    for (const { parts } of largest.values()) {
      for (const { block } of parts.values()) sums.add(openCounts(toBytes(block), minute));
    }
    yield* sums.build(minute);
  }
}

register("transforms/count-per-video", exports);
