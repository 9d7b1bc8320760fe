// SPDX-License-Identifier: Apache-2.0
/** The exact part of `viewmill plan`: it counts instead of estimating what the panes of a minute hold. */
import { BlockPartitioner } from "../domain/columns/block-partitioner";
import { openCounts, packPane } from "../domain/columns/count-block";
import { openBlock } from "../domain/columns/event-block";
import type { EventColumns } from "../domain/columns/event-columns";
import { NameTable, textSpans } from "../domain/columns/name-table";
import { Pane, partitionOf } from "../domain/columns/pane";
import { ID_BYTES } from "../domain/event-identity";
import { MINUTE_MS, SECONDS_A_MINUTE } from "../domain/rules/time";
import { sfc32 } from "../domain/seeded-random";
import type { Sizing } from "./sizing";
import type { Workload } from "./workload";
import { zipfSampler } from "./zipf";

interface SimulationOptions {
  /** The number of events that are really generated, at most; whole panes, at least one. */
  maxEvents: number;
  seed: number;
}

/** One minute of a workload, through the real partitioner, panes and count blocks. */
export interface Simulation {
  events: number;
  /** Dedup partitions that were filled, of all P. */
  panes: number;
  eventsPerPane: number;
  /**
   * The load of the busiest of all P partitions, by the real hash of the events' ids, against the mean; and the load
   * that chance alone gives.
   */
  busiestPartition: number;
  expectedBusiestPartition: number;
  /** The load that chance gives for all events of a minute. */
  expectedBusiestOfMinute: number;
  /** The same load for a partitioning of events by video. */
  busiestPartitionByVideo: number;
  /** Busiest of the Q video shards against the mean, by bytes and by cells of count blocks. */
  busiestShardBytes: number;
  busiestShardCells: number;
  blockBytesPerEvent: number;
  countBytesPerPane: number;
  cellsPerPane: number;
  distinct: number;
  duplicate: number;
  /** The share of the hottest video's events, and its cells in all panes together: its cost in the second shuffle. */
  hottestShare: number;
  hottestCellsPerPane: number;
  /** Bytes a second of the whole workload, derived from these. */
  blockBytesPerSecond: number;
  countBytesPerSecond: number;
}

const MINUTE = Math.floor(Date.UTC(2026, 10, 21, 10) / MINUTE_MS);
/** For repeats, the number of events since the event first occurred. */
const REMEMBERED = 10_000;

/**
 * Fills as many whole panes as `maxEvents` allow. The result is exact for each pane, whatever the share of the panes.
 * Ids are spread by a hash, so the events of one partition are a random sample of all, and P' panes of P see the same
 * events as P' partitions of a stream that is P / P' times slower. Bundles are made slower likewise, so that blocks
 * hold as many events as they would. Deterministic for a seed.
 */
export function simulate(workload: Workload, { parts }: Sizing, { maxEvents, seed }: SimulationOptions): Simulation {
  const { partitions, shards, bytes } = parts;
  const size = { partitions, shards, seed };
  const perPane = (workload.eventsPerSecond * SECONDS_A_MINUTE) / partitions;
  const panes = Math.max(1, Math.min(partitions, Math.floor(maxEvents / perPane)));
  const events = Math.max(1, Math.round(panes * perPane));
  const bundleEvents = Math.max(1, Math.round((bytes.bundleEvents * panes) / partitions));
  const minute = new SimulatedMinute(workload, { ...size, panes });
  minute.run(events, bundleEvents);
  return minute.result(events, parts.firings);
}

class SimulatedMinute {
  private readonly random: () => number;
  private readonly rank: () => number;
  private readonly panes: Pane[];
  private readonly byId: Float64Array;
  private readonly byVideo: Float64Array;
  private readonly table: NameTable;
  private readonly seeds: Uint32Array;
  private blockBytes = 0;
  private hottest = 0;
  private readonly remembered: { ids: Uint32Array; video: Float64Array; type: Uint8Array };
  private made = 0;

  constructor(
    private readonly workload: Workload,
    private readonly size: { partitions: number; panes: number; shards: number; seed: number },
  ) {
    this.random = sfc32(size.seed);
    this.rank = zipfSampler(workload, this.random);
    this.seeds = Uint32Array.from({ length: 8 }, () => this.random() * 2 ** 32);
    this.table = new NameTable(this.seeds[0]!);
    this.panes = Array.from({ length: size.panes }, () => new Pane(this.seeds));
    this.byId = new Float64Array(size.partitions);
    this.byVideo = new Float64Array(size.partitions);
    this.remembered = {
      ids: new Uint32Array(REMEMBERED * 4),
      video: new Float64Array(REMEMBERED),
      type: new Uint8Array(REMEMBERED),
    };
  }

  run(events: number, bundleEvents: number): void {
    for (let from = 0; from < events; from += bundleEvents) {
      const bundle = new BlockPartitioner(this.size.panes, Number.POSITIVE_INFINITY, this.seeds);
      const end = Math.min(events, from + bundleEvents);
      for (let at = from; at < end; at += this.workload.batchEvents)
        bundle.add(this.batch(Math.min(this.workload.batchEvents, end - at)), 0);
      for (const { partition, bytes } of bundle.finish()) {
        this.blockBytes += bytes.byteLength;
        this.panes[partition]!.addBlock(openBlock(bytes));
      }
    }
  }

  private batch(count: number): EventColumns {
    const ids = new Uint32Array(count * 4);
    const videos = new Map<number, number>();
    const videoIndex = new Uint32Array(count);
    const typeIndex = new Uint32Array(count);
    const timesMs = new Float64Array(count);
    for (let row = 0; row < count; row++) {
      const memory = this.next();
      const word = this.remembered.ids.subarray(memory * 4, memory * 4 + 4);
      ids.set(word, row * 4);
      const video = this.remembered.video[memory]!;
      let index = videos.get(video);
      if (index === undefined) {
        index = videos.size;
        videos.set(video, index);
      }
      videoIndex[row] = index;
      typeIndex[row] = this.remembered.type[memory]!;
      timesMs[row] = MINUTE * MINUTE_MS + Math.floor(this.random() * MINUTE_MS);
      this.note(word, video);
    }
    const types = this.workload.typeShares.map((_, type) => `TYPE_${type}`);
    const names = Array.from(videos.keys(), (video) => this.nameOf(video));
    return { count, ids: new Uint8Array(ids.buffer), videos: names, videoIndex, types, typeIndex, timesMs };
  }

  /** Returns the place of the next event among the remembered ones: a new event, or a repeat. */
  private next(): number {
    const { ids, video, type } = this.remembered;
    if (this.made > 0 && this.random() < this.workload.duplicateShare)
      return Math.floor(this.random() * Math.min(this.made, REMEMBERED));
    const place = this.made++ % REMEMBERED;
    for (let i = 0; i < 4; i++) ids[place * 4 + i] = this.random() * 2 ** 32;
    // Version and variant of a UUID (RFC 9562), so that the 16 bytes are the id.
    const bytes = new Uint8Array(ids.buffer, place * ID_BYTES, ID_BYTES);
    bytes[6] = (bytes[6]! & 0x0f) | 0x70;
    bytes[8] = (bytes[8]! & 0x3f) | 0x80;
    video[place] = this.random() < this.workload.hotShare ? 1 : this.rank();
    let left = this.random();
    type[place] = Math.max(
      0,
      this.workload.typeShares.findIndex((share) => {
        left -= share;
        return left < 0;
      }),
    );
    return place;
  }

  private note(id: Uint32Array, video: number): void {
    const { partitions } = this.size;
    const byId = partitionOf(id[0]!, id[1]!, id[2]!, id[3]!, partitions);
    this.byId[byId] = this.byId[byId]! + 1;
    const name = this.table.indexSpans(textSpans([this.nameOf(video)]))[0]!;
    const byVideo = this.table.shard(name, partitions);
    this.byVideo[byVideo] = this.byVideo[byVideo]! + 1;
    if (video === 1) this.hottest++;
  }

  private nameOf(video: number): string {
    return `v${video.toString(36)}`.padEnd(this.workload.videoIdBytes, "-");
  }

  result(events: number, firings: number): Simulation {
    const { partitions, shards } = this.size;
    const shardBytes = new Float64Array(shards);
    const shardCells = new Float64Array(shards);
    let hottestCells = 0;
    const hottest = this.nameOf(1);
    for (const pane of this.panes) {
      for (const { shard, bytes } of packPane(pane, shards)) {
        const counts = openCounts(bytes, MINUTE);
        shardBytes[shard] = shardBytes[shard]! + bytes.byteLength;
        shardCells[shard] = shardCells[shard]! + counts.counts.length;
        const index = counts.videos.indexOf(hottest);
        if (index >= 0) for (const video of counts.videoIndex) if (video === index) hottestCells++;
      }
    }
    const panes = this.panes.length;
    const total = (column: Float64Array) => column.reduce((sum, each) => sum + each, 0);
    const distinct = this.panes.reduce((sum, pane) => sum + pane.distinct, 0);
    const countBytesPerPane = total(shardBytes) / panes;
    return {
      events,
      panes,
      eventsPerPane: events / panes,
      busiestPartition: busiest(this.byId),
      expectedBusiestPartition: byChance(partitions, events),
      expectedBusiestOfMinute: byChance(partitions, this.workload.eventsPerSecond * SECONDS_A_MINUTE),
      busiestPartitionByVideo: busiest(this.byVideo),
      busiestShardBytes: busiest(shardBytes),
      busiestShardCells: busiest(shardCells),
      blockBytesPerEvent: this.blockBytes / events,
      countBytesPerPane,
      cellsPerPane: total(shardCells) / panes,
      distinct,
      duplicate: events - distinct,
      hottestShare: this.hottest / events,
      hottestCellsPerPane: hottestCells / panes,
      blockBytesPerSecond: (this.blockBytes / events) * this.workload.eventsPerSecond,
      countBytesPerSecond: (countBytesPerPane * partitions * firings) / 60,
    };
  }
}

/**
 * The largest of that many loads of independent events, over their mean: a normal maximum, 1 + sqrt(2 ln P / events of
 * each).
 */
const byChance = (partitions: number, events: number): number =>
  1 + Math.sqrt((2 * Math.log(partitions)) / (events / partitions));

function busiest(load: Float64Array): number {
  let [most, sum] = [0, 0];
  for (const each of load) {
    most = Math.max(most, each);
    sum += each;
  }
  return sum === 0 ? 1 : (most * load.length) / sum;
}
