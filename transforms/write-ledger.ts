import {
  type AwaitableDoFn,
  awaitableParDo,
  type DoFn,
  flatten,
  groupByKey,
  type KV,
  P,
  type PCollection,
  parDo,
  register,
  resource,
  withName,
} from "../engine";
import type { Ledger, PartitionLedger } from "../io/ports";
import type { DecodeOptions } from "./decode-batches";
import type { DedupeOptions, PaneCache } from "./dedupe-by-event-id";
import type { LateElement } from "./elements";
import { RESOURCES } from "./resource-names";

/**
 * Writes what each partition received, counted and found to be a duplicate, and what came late.
 * In: ledger rows of DedupeByEventId, late counts keyed by minute. Out: nothing. Rejects: none; a failed write fails the bundle. Windowing:
 * one-minute windows. Replay: absolute values per (minute, partition); the row with more received wins.
 */
export function writeLedger(
  rows: PCollection<PartitionLedger>,
  late: PCollection<KV<string, LateElement>>,
  { dedupePartitions, paneCache }: Pick<DecodeOptions & DedupeOptions, "dedupePartitions" | "paneCache">,
): void {
  const lateRows = late
    .apply(withName("GroupLate", groupByKey<string, LateElement>()))
    .apply(withName("CountLate", parDo(new CountLate(dedupePartitions, paneCache))));
  P([rows, lateRows])
    .apply(withName("AllLedgerRows", flatten<PartitionLedger>()))
    .apply(awaitableParDo("WriteLedger", new WriteLedger(RESOURCES.ledger), { maxInFlight: 1 }));
}

/** Late events have a ledger partition of their own, one past the dedup partitions. */
export class CountLate implements DoFn<KV<string, Iterable<LateElement>>, PartitionLedger> {
  constructor(
    readonly partition: number,
    readonly paneCache: string,
  ) {}

  *process({ key, value }: KV<string, Iterable<LateElement>>): Iterable<PartitionLedger> {
    let late = 0;
    for (const { count } of value) late += count;
    const minute = Number(key);
    if (this.paneCache !== "") late = resource<PaneCache>(this.paneCache).addLate(minute, late);
    yield {
      minute,
      partition: this.partition,
      received: late,
      counted: 0,
      duplicate: 0,
      late,
      reusedIds: 0,
    };
  }
}

export class WriteLedger implements AwaitableDoFn<PartitionLedger, never> {
  private rows: PartitionLedger[] = [];

  constructor(readonly stateResource: string) {}

  startBundle(): void {
    this.rows = [];
  }

  process(row: PartitionLedger): void {
    this.rows.push(row);
  }

  async finishBundle(): Promise<void> {
    if (this.rows.length > 0) await resource<Ledger>(this.stateResource).writeLedger(this.rows);
  }
}

register("transforms/write-ledger", exports);
