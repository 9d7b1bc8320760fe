import { packPane } from "../domain/columns/count-block";
import { openBlock } from "../domain/columns/event-block";
import { Pane } from "../domain/columns/pane";
import {
  type DoFn,
  groupByKey,
  type KV,
  type PCollection,
  parDo,
  register,
  resource,
  toBytes,
  withName,
} from "../engine";
import type { BlockElement, CountElement } from "./elements";
import { hashSeed } from "./hash-seed";

export interface DedupeOptions {
  /** Q: counts are spread over this many video shards. */
  videoShards: number;
  /** Resource name of a PaneCache: blocks continue the pane kept there instead of starting a new one. Empty: every pane is whole. */
  paneCache: string;
}

/** Panes kept from one bounded run to the next, as a streaming runner keeps the state of an accumulating window. */
export interface PaneCache {
  /** The pane to add to: the kept one where it may be continued, otherwise the fresh one, kept from now on. */
  continue(minute: number, partition: number, fresh: () => Pane): Pane;
  /** Adds events set aside as late to those kept for the minute and receipt minute; returns all of them. */
  addLate(minute: number, receiptMinute: number, count: number): number;
}

/**
 * Removes duplicates by event id, video and type within the minute, and counts what is left per (video, type).
 * In: blocks keyed by partition, in one-minute windows. Out: per video shard what this partition has, with the pane's size. Rejects: none.
 * Windowing: fixed 60 s, accumulating: each pane holds all before it.
 * Replay: the same pane again, or a larger one; the larger wins downstream.
 */
export function dedupeByEventId(
  blocks: PCollection<KV<string, BlockElement>>,
  options: DedupeOptions,
): PCollection<KV<string, CountElement>> {
  return blocks
    .apply(withName("GroupByPartition", groupByKey<string, BlockElement>()))
    .apply(withName("DedupeByEventId", parDo(new DedupeByEventId(options))));
}

export class DedupeByEventId implements DoFn<KV<string, Iterable<BlockElement>>, KV<string, CountElement>> {
  constructor(readonly options: DedupeOptions) {}

  *process({ key, value }: KV<string, Iterable<BlockElement>>): Iterable<KV<string, CountElement>> {
    const partition = Number(key);
    let pane: Pane | undefined;
    let minute = 0;
    for (const element of value) {
      if (pane === undefined) {
        minute = element.minute;
        pane = this.pane(minute, partition);
      }
      pane.addBlock(openBlock(toBytes(element.block)));
    }
    if (pane === undefined) return;
    const { received } = pane;
    const firing = ++firings;
    let part = 0;
    for (const { shard, bytes, reusedIds } of packPane(pane, this.options.videoShards)) {
      yield {
        key: String(shard),
        value: { minute, partition, received, firing, part: part++, reusedIds, block: bytes },
      };
    }
  }

  private pane(minute: number, partition: number): Pane {
    const fresh = () => new Pane(hashSeed);
    if (this.options.paneCache === "") return fresh();
    return resource<PaneCache>(this.options.paneCache).continue(minute, partition, fresh);
  }
}

/** Firings of this process, numbered from a random place on: no two processes give the same number. */
let firings = hashSeed[0]! * 2 ** 20;

register(module);
