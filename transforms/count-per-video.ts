// SPDX-License-Identifier: Apache-2.0
import { CountsBuilder, openCounts } from "../domain/columns/count-block";
import type { MinuteCounts } from "../domain/columns/minute-counts";
import type { PaneCounts } from "../domain/columns/pane-counts";
import { shardPart } from "../domain/rules/ledger-parts";
import { type DoFn, groupByKey, type KV, type PCollection, parDo, register, toBytes, withName } from "../engine";
import type { LedgerRow } from "../io/ports";
import type { CountElement, PaneElement, ShardCounts } from "./elements";
import { hashSeed } from "./hash-seed";

/**
 * Adds up the partitions of a video shard: the counts of every video of the shard in the minute, in chunks, with the
 * shard's books. In: count blocks, or counts of panes in the same process, keyed by video shard, in one-minute windows.
 * Out: ShardCounts. Rejects: none. Windowing: fixed 60 s, accumulating; of several panes of a partition the largest
 * counts, because panes are nested. Replay: the same sums, or larger ones. The counting graph has this step after
 * deduplication.
 */
export function countPerVideo(counts: PCollection<KV<string, CountElement | PaneElement>>): PCollection<ShardCounts> {
  return counts
    .apply(withName("GroupByVideoShard", groupByKey<string, CountElement | PaneElement>()))
    .apply(withName("CountPerVideo", parDo(new CountPerVideo())));
}

type Part = CountElement | PaneElement;
type Largest = Map<number, { received: number; firing: number | undefined; parts: Map<number, Part> }>;

export class CountPerVideo implements DoFn<KV<string, Iterable<Part>>, ShardCounts> {
  *process({ key, value }: KV<string, Iterable<Part>>): Iterable<ShardCounts> {
    const largest: Largest = new Map();
    let minute = 0;
    for (const element of value) {
      minute = element.minute;
      const { partition, received, firing, part } = element;
      const known = largest.get(partition);
      // Two firings with the same number of events hold the same events, but their parts differ: each firing has its
      // cells in the order in which they appeared.
      if (known !== undefined && known.received === received && known.firing === firing) known.parts.set(part, element);
      else if (known === undefined || known.received < received)
        largest.set(partition, { received, firing, parts: new Map([[part, element]]) });
    }
    const parts = [...largest.values()].flatMap((pane) => [...pane.parts.values()]);
    const open = parts.map(opened);
    const chunks = largest.size === 1 ? open.flatMap((part) => part.chunks) : summed(open, minute);
    const last = chunks.pop();
    for (const counts of chunks) yield { counts };
    if (last !== undefined) yield { counts: last, books: booksOf(minute, Number(key), open) };
  }
}

/** Returns the counts of a pane, or of a part of one, whether it was packed or not. */
function opened(part: Part): Omit<PaneCounts, "shard"> {
  if ("counts" in part) return part.counts;
  const counts = openCounts(toBytes(part.block), part.minute);
  const { reusedIds } = part;
  return { chunks: [counts], received: sum(counts.received!), counted: sum(counts.counts), reusedIds };
}

function summed(panes: readonly Omit<PaneCounts, "shard">[], minute: number): MinuteCounts[] {
  const sums = new CountsBuilder(hashSeed);
  for (const { chunks } of panes) for (const chunk of chunks) sums.add(chunk);
  return [...sums.build(minute)];
}

/** Returns the books of the shard's received events in the minute; the numbers grow with the panes. */
function booksOf(minute: number, shard: number, panes: readonly Omit<PaneCounts, "shard">[]): LedgerRow {
  let [received, counted, reusedIds] = [0, 0, 0];
  for (const pane of panes) {
    received += pane.received;
    counted += pane.counted;
    reusedIds += pane.reusedIds;
  }
  return { minute, part: shardPart(shard), received, counted, duplicate: received - counted, late: 0, reusedIds };
}

function sum(column: Float64Array): number {
  let total = 0;
  for (const number of column) total += number;
  return total;
}

register(module);
