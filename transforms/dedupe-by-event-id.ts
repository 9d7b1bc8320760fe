// SPDX-License-Identifier: Apache-2.0
import { packPane } from "../domain/columns/count-block";
import { Pane } from "../domain/columns/pane";
import { firePane } from "../domain/columns/pane-counts";
import type { PaneNames } from "../domain/columns/pane-names";
import { type DoFn, groupByKey, type KV, type PCollection, parDo, register, resource, withName } from "../engine";
import type { BlockElement, CountElement, EventElement, PaneElement } from "./elements";
import { type FiredPanes, paneOf } from "./fired-panes";
import { hashSeed } from "./hash-seed";

export interface DedupeOptions {
  /** P, the number of dedup partitions: see DecodeOptions. */
  dedupePartitions: number;
  /** Q, the number of video shards over which counts are spread. */
  videoShards: number;
  /**
   * Resource name of a PaneCache: events continue the pane kept there instead of starting a new one. Empty: every pane
   * is whole.
   */
  paneCache: string;
  /**
   * Resource name of the worker's FiredPanes: a pane that fires again takes in its new blocks alone. Absent: each
   * firing takes in all of them.
   */
  firedPanes?: string;
}

/** Panes kept from one bounded run to the next, as a streaming runner keeps the state of an accumulating window. */
export interface PaneCache {
  /**
   * Returns the pane to add to: the kept one where it may be continued, otherwise `fresh`, which is kept from now on.
   */
  continue(minute: number, partition: number, fresh: () => Pane): Pane;
  /** Returns the names that new panes share. */
  names(): PaneNames;
  /** Adds events set aside as late to those kept for the minute and receipt minute; returns all of them. */
  addLate(minute: number, receiptMinute: number, count: number): number;
}

/**
 * Removes duplicates by event id, video and type within the minute, and counts the remaining events per (video, type).
 * In: blocks, or rows of decoded batches, keyed by partition, in one-minute windows. Out: the counts of this partition
 * by video shard, with the pane's size. A kept pane that is the only one of its minute sends the cells that changed
 * since its last firing; any other pane sends all cells. Rejects: none. Windowing: fixed 60 s, accumulating: each pane
 * holds all events of the earlier panes. Replay: the same pane again, or a larger one; the larger wins downstream. A
 * kept pane is forgotten when the run that fired it fails. The counting graph has this step after the windows.
 */
export function dedupeByEventId(
  events: PCollection<KV<string, EventElement>>,
  options: DedupeOptions,
): PCollection<KV<string, CountElement | PaneElement>> {
  return events
    .apply(withName("GroupByPartition", groupByKey<string, EventElement>()))
    .apply(withName("DedupeByEventId", parDo(new DedupeByEventId(options))));
}

type Output = KV<string, CountElement | PaneElement>;

export class DedupeByEventId implements DoFn<KV<string, Iterable<EventElement>>, Output> {
  constructor(readonly options: DedupeOptions) {}

  *process({ key, value }: KV<string, Iterable<EventElement>>): Iterable<Output> {
    const partition = Number(key);
    let pane: Pane | undefined;
    let minute = 0;
    const blocks: BlockElement[] = [];
    for (const element of value) {
      ({ minute } = element);
      if ("names" in element) {
        pane ??= this.pane(minute, partition, element.names);
        for (const rows of element.batches) pane.addRows(rows, minute);
      } else blocks.push(element as BlockElement);
    }
    const firing = ++firings;
    if (pane !== undefined) yield* this.fire(pane, minute, partition, firing);
    else if (blocks.length > 0) yield* this.pack(this.packedPane(minute, partition, blocks), minute, partition, firing);
  }

  private *pack(pane: Pane, minute: number, partition: number, firing: number): Iterable<Output> {
    const { received } = pane;
    let part = 0;
    for (const { shard, bytes, reusedIds } of packPane(pane, this.options.videoShards)) {
      const value = { minute, partition, received, firing, part: part++, reusedIds, block: bytes };
      yield { key: String(shard), value };
    }
  }

  private *fire(pane: Pane, minute: number, partition: number, firing: number): Iterable<Output> {
    const { dedupePartitions, videoShards, paneCache } = this.options;
    // Partitions are added up cell by cell, so with several partitions all cells are needed.
    const changed = paneCache !== "" && dedupePartitions === 1;
    for (const { shard, ...counts } of firePane(pane, minute, videoShards, changed)) {
      const { received } = pane;
      yield { key: String(shard), value: { minute, partition, received, firing, part: 0, counts } };
    }
  }

  private packedPane(minute: number, partition: number, blocks: readonly BlockElement[]): Pane {
    const { firedPanes } = this.options;
    if (firedPanes === undefined) return paneOf(blocks);
    return resource<FiredPanes>(firedPanes).paneOf(minute, partition, blocks);
  }

  private pane(minute: number, partition: number, names: PaneNames): Pane {
    const fresh = () => new Pane(hashSeed, names);
    if (this.options.paneCache === "") return fresh();
    return resource<PaneCache>(this.options.paneCache).continue(minute, partition, fresh);
  }
}

/** Numbers the firings of this process from a random start, so that no two processes give the same number. */
let firings = hashSeed[0]! * 2 ** 20;

register(module);
