// SPDX-License-Identifier: Apache-2.0
import { type AwaitableDoFn, awaitableParDo, type PCollection, register, resource } from "../engine";
import type { CounterStore, Ledger, LedgerRow } from "../io/ports";
import type { ShardCounts } from "./elements";
import { RESOURCES } from "./resource-names";
import { unwrittenCells, type WrittenCells } from "./written-cells";

export interface WriteOptions {
  /** See CounterStore.apply: true for a writer that has counted the whole minute from the archive. */
  followCorrections: boolean;
  /**
   * Resource name of WrittenCells: cells without received events since their last write are skipped. Empty: all cells
   * are written.
   */
  writtenCells: string;
  /**
   * See CounterStore.apply: minutes before this one were final before this run, so a change of their cells is a
   * revision. Absent: no minute was final.
   */
  finalBeforeMinute?: number;
}

const WRITES_IN_FLIGHT = 32;

/**
 * Writes minute counts to the CounterStore, many chunks in flight, and then the books of the written cells, so that the
 * ledger never says counted before the counters do. A bundle ends when all its writes are acknowledged. In:
 * ShardCounts. Out: nothing. Rejects: none; a write that fails after its retries fails the bundle. Windowing: any.
 * Replay: absolute values with a version, so writing again, in any order, changes nothing.
 * The counting graph ends with this step.
 */
export function writeCounters(counts: PCollection<ShardCounts>, options: WriteOptions): void {
  counts.apply(
    awaitableParDo("WriteCounters", new WriteCounters(RESOURCES, options), { maxInFlight: WRITES_IN_FLIGHT }),
  );
}

export class WriteCounters implements AwaitableDoFn<ShardCounts, never> {
  private books: LedgerRow[] = [];

  constructor(
    readonly names: { counterStore: string; ledger: string },
    readonly options: WriteOptions,
  ) {}

  startBundle(): void {
    this.books = [];
  }

  async process({ counts, books }: ShardCounts): Promise<void> {
    if (books !== undefined) this.books.push(books);
    const store = resource<CounterStore>(this.names.counterStore);
    const { followCorrections, writtenCells, finalBeforeMinute } = this.options;
    const written = writtenCells === "" ? undefined : resource<WrittenCells>(writtenCells);
    const changed = written === undefined ? counts : unwrittenCells(written, counts);
    if (changed.counts.length === 0) return;
    await store.apply([changed], {
      followCorrections,
      ...(finalBeforeMinute === undefined ? {} : { finalBeforeMinute }),
    });
    written?.remember(changed);
  }

  async finishBundle(): Promise<void> {
    if (this.books.length > 0) await resource<Ledger>(this.names.ledger).writeRows(this.books);
  }
}

register(module);
