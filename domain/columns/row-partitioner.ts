// SPDX-License-Identifier: Apache-2.0
import { ID_BYTES } from "../event-identity";
import { MINUTE_MS } from "../rules/time";
import { type BatchRows, HeldBatch } from "./batch-rows";
import type { EventColumns } from "./event-columns";
import { type LateCount, LateEvents } from "./late-events";
import { partitionOf } from "./pane";
import type { PaneNames } from "./pane-names";

interface PartitionedRows {
  minute: number;
  partition: number;
  count: number;
  batches: BatchRows[];
}

/** Marks a row that is skipped. */
const NONE = -1;

/**
 * Sorts the events of a bundle by (minute, dedup partition), as BlockPartitioner does, for panes in the same process:
 * the groups refer to rows and copy none. The embedded stream uses it, and block-partitioner.ts serves clusters.
 */
export class RowPartitioner {
  private readonly late: LateEvents;
  private readonly groups = new Map<number, (PartitionedRows | undefined)[]>();
  private groupOfRow = new Int32Array(512);

  constructor(
    private readonly partitions: number,
    allowedLatenessMs: number,
    /** The first minute that this job owns. Events of earlier minutes belong to another job and are skipped. */
    private readonly fromMinute = Number.NEGATIVE_INFINITY,
    /** The names of the panes that the rows are for, if they are known already. */
    private readonly names?: PaneNames,
  ) {
    this.late = new LateEvents(allowedLatenessMs);
  }

  /**
   * Adds rows. `receivedAtMs` is one time for all rows, or a column. With `minutes`, rows of other minutes are skipped.
   */
  add(columns: EventColumns, receivedAtMs: number | Float64Array, minutes?: ReadonlySet<number>): void {
    if (columns.count === 0) return;
    const batch = new HeldBatch(columns);
    const wanted = (minute: number) => minute >= this.fromMinute && (minutes === undefined || minutes.has(minute));
    const minute = onlyMinute(columns);
    if (minute !== undefined && this.partitions === 1 && !this.late.mayTake(minute * MINUTE_MS, receivedAtMs)) {
      if (wanted(minute)) this.put(minute, 0, { batch }, columns.count);
      return;
    }
    this.addMixed(batch, receivedAtMs, wanted);
  }

  private addMixed(batch: HeldBatch, receivedAtMs: number | Float64Array, wanted: (minute: number) => boolean): void {
    const { partitions, late } = this;
    const { ids } = batch;
    const { count, timesMs } = batch.columns;
    if (this.groupOfRow.length < count) this.groupOfRow = new Int32Array(count * 2);
    const groupOfRow = this.groupOfRow;
    const firstGroup = new Map<number, number>();
    const sizes: number[] = [];
    let minute = Number.NaN;
    let fromMs = Number.NaN;
    let mayBeLate = false;
    let first = NONE;
    for (let row = 0; row < count; row++) {
      const timeMs = timesMs[row]!;
      if (!(timeMs >= fromMs && timeMs < fromMs + MINUTE_MS)) {
        minute = Math.floor(timeMs / MINUTE_MS);
        fromMs = minute * MINUTE_MS;
        let known = firstGroup.get(minute);
        if (known === undefined) {
          known = wanted(minute) ? sizes.length : NONE;
          if (known !== NONE) for (let i = 0; i < partitions; i++) sizes.push(0);
          firstGroup.set(minute, known);
        }
        first = known;
        mayBeLate = late.mayTake(fromMs, receivedAtMs);
      }
      groupOfRow[row] = NONE;
      if (first === NONE) continue;
      if (mayBeLate) {
        const received = typeof receivedAtMs === "number" ? receivedAtMs : receivedAtMs[row]!;
        if (late.takes(minute, timeMs, received)) continue;
      }
      const group = partitions === 1 ? first : first + partitionAt(ids, row * ID_BYTES, partitions);
      groupOfRow[row] = group;
      sizes[group]!++;
    }
    const rows = rowsByGroup(groupOfRow, count, sizes);
    for (const [itsMinute, group] of firstGroup) {
      if (group === NONE) continue;
      for (let partition = 0; partition < partitions; partition++) {
        const its = rows[group + partition]!;
        if (its.length > 0) this.put(itsMinute, partition, { batch, rows: its }, its.length);
      }
    }
  }

  private put(minute: number, partition: number, rows: BatchRows, count: number): void {
    // The bytes of the names are still in the cache: the batch has been decoded just now.
    if (this.names !== undefined) rows.batch.numbersIn(this.names);
    let groups = this.groups.get(minute);
    if (groups === undefined) {
      groups = [];
      this.groups.set(minute, groups);
    }
    const group = groups[partition];
    if (group === undefined) groups[partition] = { minute, partition, count, batches: [rows] };
    else {
      group.count += count;
      group.batches.push(rows);
    }
  }

  /** Returns the events set aside as late since the last call. */
  takeLate(): LateCount[] {
    return this.late.take();
  }

  /** Returns all groups; the bundle ends here. */
  finish(): PartitionedRows[] {
    const all = [...this.groups.values()].flatMap((groups) => groups.filter((group) => group !== undefined));
    this.groups.clear();
    return all;
  }
}

/** Returns the minute of all events, or undefined where the events lie in several minutes. */
function onlyMinute({ count, timesMs }: EventColumns): number | undefined {
  const minute = Math.floor(timesMs[0]! / MINUTE_MS);
  const fromMs = minute * MINUTE_MS;
  const toMs = fromMs + MINUTE_MS;
  for (let row = 1; row < count; row++) if (!(timesMs[row]! >= fromMs && timesMs[row]! < toMs)) return undefined;
  return minute;
}

function partitionAt(ids: DataView, at: number, partitions: number): number {
  return partitionOf(
    ids.getUint32(at, true),
    ids.getUint32(at + 4, true),
    ids.getUint32(at + 8, true),
    ids.getUint32(at + 12, true),
    partitions,
  );
}

function rowsByGroup(groupOfRow: Int32Array, count: number, sizes: readonly number[]): Uint32Array[] {
  const rows = sizes.map((size) => new Uint32Array(size));
  const filled = new Uint32Array(sizes.length);
  for (let row = 0; row < count; row++) {
    const group = groupOfRow[row]!;
    if (group !== NONE) rows[group]![filled[group]!++] = row;
  }
  return rows;
}
