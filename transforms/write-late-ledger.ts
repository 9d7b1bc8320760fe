// SPDX-License-Identifier: Apache-2.0
import { lateReceiptPart } from "../domain/rules/ledger-parts";
import {
  type AwaitableDoFn,
  awaitableParDo,
  type DoFn,
  groupByKey,
  type KV,
  type PCollection,
  parDo,
  register,
  resource,
  withName,
} from "../engine";
import type { Ledger, LedgerRow } from "../io/ports";
import type { DedupeOptions, PaneCache } from "./dedupe-by-event-id";
import type { LateElement } from "./elements";
import { RESOURCES } from "./resource-names";

/**
 * Writes how many events were set aside as late.
 * In: late counts keyed by minute and receipt minute, in one-minute windows of their timestamps. Out: nothing. Rejects:
 * none; a failed write fails the bundle. Windowing: any. Replay: absolute values per (minute, receipt minute); the row
 * with more wins. The counting graph has this step beside the counting.
 */
export function writeLateLedger(
  late: PCollection<KV<string, LateElement>>,
  { videoShards, paneCache }: Pick<DedupeOptions, "videoShards" | "paneCache">,
): void {
  late
    .apply(withName("GroupLate", groupByKey<string, LateElement>()))
    .apply(withName("CountLate", parDo(new CountLate(videoShards, paneCache))))
    .apply(awaitableParDo("WriteLateLedger", new WriteLateLedger(RESOURCES.ledger), { maxInFlight: 1 }));
}

/**
 * Late events have ledger partitions of their own, past the video shards: one for each minute of receipt. The numbers
 * are absolute in that way, though the window of the minute itself may be gone.
 */
export class CountLate implements DoFn<KV<string, Iterable<LateElement>>, LedgerRow> {
  constructor(
    readonly videoShards: number,
    readonly paneCache: string,
  ) {}

  *process({ value }: KV<string, Iterable<LateElement>>): Iterable<LedgerRow> {
    let late = 0;
    let minute = 0;
    let receiptMinute = 0;
    for (const element of value) {
      late += element.count;
      ({ minute, receiptMinute } = element);
    }
    if (this.paneCache !== "") late = resource<PaneCache>(this.paneCache).addLate(minute, receiptMinute, late);
    yield {
      minute,
      part: lateReceiptPart(this.videoShards, receiptMinute),
      received: late,
      counted: 0,
      duplicate: 0,
      late,
      reusedIds: 0,
    };
  }
}

export class WriteLateLedger implements AwaitableDoFn<LedgerRow, never> {
  private rows: LedgerRow[] = [];

  constructor(readonly ledgerResource: string) {}

  startBundle(): void {
    this.rows = [];
  }

  process(row: LedgerRow): void {
    this.rows.push(row);
  }

  async finishBundle(): Promise<void> {
    if (this.rows.length > 0) await resource<Ledger>(this.ledgerResource).writeRows(this.rows);
  }
}

register(module);
