// SPDX-License-Identifier: Apache-2.0
import type { DeferredRange } from "../../io/ports";
import type { DecodedRange } from "./archive-entries";

/**
 * The decoded range that slices are taken from, so that its entries are decoded once and not for every slice. It holds
 * one range, as a pass does; what is not here is decoded again from the log.
 */
export class DeferredRanges {
  private held: { key: string; range: DecodedRange } | undefined;

  /** The range without the minutes that are counted. Slices take their minutes out of it. */
  async decoded(deferred: DeferredRange, decode: () => Promise<DecodedRange>): Promise<DecodedRange> {
    const key = `${deferred.fromPosition} ${deferred.toPosition}`;
    if (this.held?.key !== key) this.held = undefined;
    const range = this.held?.range ?? (await decode());
    for (const minute of range.objects.keys()) if (minute >= deferred.countedFromMinute) range.objects.delete(minute);
    // Slices are counted from their archive objects.
    range.batches.length = 0;
    this.held = { key, range };
    return range;
  }

  forget(): void {
    this.held = undefined;
  }
}
