import type { MinuteCounts } from "../domain/minute-counts";
import { type AwaitableDoFn, awaitableParDo, type PCollection, register, resource } from "../engine";
import type { CounterStore } from "../io/ports";
import { RESOURCES } from "./resource-names";
import { unwrittenCells, type WrittenCells } from "./written-cells";

export interface WriteOptions {
  /** See CounterStore.apply: the writer has counted the whole minute from the archive. */
  followCorrections: boolean;
  /** Resource name of WrittenCells: cells that did not grow since they were last written are skipped. Empty: all are written. */
  writtenCells: string;
}

const WRITES_IN_FLIGHT = 32;

/**
 * Writes minute counts to the CounterStore, many chunks in flight; a bundle ends when all its writes are acknowledged.
 * In: MinuteCounts. Out: nothing. Rejects: none; a write that fails after its retries fails the bundle. Windowing: any.
 * Replay: absolute values with a version, so writing again, in any order, changes nothing.
 */
export function writeCounters(counts: PCollection<MinuteCounts>, options: WriteOptions): void {
  counts.apply(
    awaitableParDo("WriteCounters", new WriteCounters(RESOURCES.counterStore, options), {
      maxInFlight: WRITES_IN_FLIGHT,
    }),
  );
}

export class WriteCounters implements AwaitableDoFn<MinuteCounts, never> {
  constructor(
    readonly storeResource: string,
    readonly options: WriteOptions,
  ) {}

  async process(counts: MinuteCounts): Promise<void> {
    const store = resource<CounterStore>(this.storeResource);
    const { followCorrections, writtenCells } = this.options;
    const written = writtenCells === "" ? undefined : resource<WrittenCells>(writtenCells);
    const changed = written === undefined ? counts : unwrittenCells(written, counts);
    if (changed.counts.length === 0) return;
    await store.apply([changed], { followCorrections });
    written?.remember(changed);
  }
}

register("transforms/write-counters", exports);
