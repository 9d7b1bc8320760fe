// SPDX-License-Identifier: Apache-2.0
/**
 * Blocks of a bundle's events by minute and dedup partition. Workers of a cluster decode messages into such blocks
 * (transforms/decode-batches.ts).
 */
import { MINUTE_MS } from "../rules/time";
import { idWords } from "./batch-rows";
import { type BlockRows, EventBlockBuilder, MAX_TAKEN } from "./event-block";
import type { EventColumns } from "./event-columns";
import { type LateCount, LateEvents } from "./late-events";
import { NameTable, textSpans } from "./name-table";
import { partitionOf } from "./pane";

export interface SealedBlock {
  minute: number;
  partition: number;
  count: number;
  bytes: Uint8Array;
}

/** The bytes that the open blocks of a bundle may take before all of them are sealed early. */
const MAX_OPEN_BYTES = 128 << 20;

/**
 * Sorts the events of a bundle into blocks by (minute, dedup partition), and applies the lateness rule.
 */
export class BlockPartitioner {
  private readonly late: LateEvents;
  private readonly videos: NameTable;
  private readonly types: NameTable;
  private readonly open = new Map<number, (EventBlockBuilder | undefined)[]>();
  private sealed: SealedBlock[] = [];
  private openEvents = 0;
  private readonly touched: EventBlockBuilder[] = [];

  constructor(
    private readonly partitions: number,
    allowedLatenessMs: number,
    /** At least two random words, as for a Pane. */
    seed: Uint32Array,
    /** The first minute that this job owns. Events of earlier minutes belong to another job and are skipped. */
    private readonly fromMinute = Number.NEGATIVE_INFINITY,
  ) {
    this.late = new LateEvents(allowedLatenessMs);
    this.videos = new NameTable(seed[0]!);
    this.types = new NameTable(seed[1]!);
  }

  /**
   * Adds rows. `receivedAtMs` is one time for all rows, or a column. With `minutes`, rows of other minutes are skipped.
   */
  add(columns: EventColumns, receivedAtMs: number | Float64Array, minutes?: ReadonlySet<number>): void {
    const { count, timesMs, videoIndex, typeIndex, values } = columns;
    const ids = idWords(columns.ids);
    const videos = this.videos.indexSpans(columns.videoSpans ?? textSpans(columns.videos));
    const types = this.types.indexSpans(textSpans(columns.types));
    const rows: BlockRows = { ids, videos, videoIndex, types, typeIndex, timesMs, values };
    let minute = Number.NaN;
    let builders: (EventBlockBuilder | undefined)[] | undefined;
    let mayBeLate = false;
    for (let from = 0; from < count; from += MAX_TAKEN) {
      const to = Math.min(from + MAX_TAKEN, count);
      for (let row = from; row < to; row++) {
        const timeMs = timesMs[row]!;
        const itsMinute = Math.floor(timeMs / MINUTE_MS);
        if (itsMinute !== minute) {
          minute = itsMinute;
          const wanted = minute >= this.fromMinute && (minutes === undefined || minutes.has(minute));
          builders = wanted ? this.buildersOf(minute) : undefined;
          mayBeLate = this.late.mayTake(minute * MINUTE_MS, receivedAtMs);
        }
        if (builders === undefined) continue;
        if (mayBeLate) {
          const received = typeof receivedAtMs === "number" ? receivedAtMs : receivedAtMs[row]!;
          if (this.late.takes(minute, timeMs, received)) continue;
        }
        const at = row * 4;
        const partition =
          this.partitions === 1 ? 0 : partitionOf(ids[at]!, ids[at + 1]!, ids[at + 2]!, ids[at + 3]!, this.partitions);
        let builder = builders[partition];
        if (builder === undefined || (builder.pending === 0 && builder.full)) {
          builder = this.next(minute, partition, builders);
        }
        if (builder.pending === 0) this.touched.push(builder);
        builder.pendingRows[builder.pending++] = row;
      }
      for (const builder of this.touched) {
        this.openEvents += builder.pending;
        builder.take(rows);
      }
      this.touched.length = 0;
    }
    if (this.openEvents * 40 > MAX_OPEN_BYTES) this.sealAll();
  }

  private buildersOf(minute: number): (EventBlockBuilder | undefined)[] {
    let builders = this.open.get(minute);
    if (builders === undefined) {
      builders = new Array<EventBlockBuilder | undefined>(this.partitions).fill(undefined);
      this.open.set(minute, builders);
    }
    return builders;
  }

  private next(minute: number, partition: number, builders: (EventBlockBuilder | undefined)[]): EventBlockBuilder {
    this.seal(minute, partition, builders[partition]);
    const builder = new EventBlockBuilder(this.videos, this.types, minute);
    builders[partition] = builder;
    return builder;
  }

  private seal(minute: number, partition: number, builder: EventBlockBuilder | undefined): void {
    if (builder === undefined || builder.count === 0) return;
    this.sealed.push({ minute, partition, count: builder.count, bytes: builder.seal() });
    this.openEvents -= builder.count;
  }

  private sealAll(): void {
    for (const [minute, builders] of this.open) {
      builders.forEach((builder, partition) => {
        this.seal(minute, partition, builder);
      });
    }
    this.open.clear();
  }

  /** Returns the events set aside as late since the last call. */
  takeLate(): LateCount[] {
    return this.late.take();
  }

  /** Returns the blocks that became full since the last call. */
  takeSealed(): SealedBlock[] {
    if (this.sealed.length === 0) return this.sealed;
    const sealed = this.sealed;
    this.sealed = [];
    return sealed;
  }

  /** Returns all blocks that are left; the bundle ends here. */
  finish(): SealedBlock[] {
    this.sealAll();
    return this.takeSealed();
  }
}
