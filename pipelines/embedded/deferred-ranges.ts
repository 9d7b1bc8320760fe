// SPDX-License-Identifier: Apache-2.0
import type { DeferredRange } from "../../io/ports";
import type { DecodedRange } from "./archive-entries";

/**
 * Keeps the decoded range from which slices are taken, so that its entries are decoded once and not for every slice. It
 * keeps one range, as a pass does; the entries of any other range are decoded again from the log. The stream process
 * keeps one from pass to pass.
 */
export class DeferredRanges {
  private held: { key: string; range: DecodedRange } | undefined;

  /** Returns the range without the minutes that are counted already. Slices remove their minutes from it. */
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
