// SPDX-License-Identifier: Apache-2.0
/**
 * The form in which decoded events reach a pane of the same process: batches that stay where they are, and row numbers.
 * The row partitioner makes it for the embedded stream, and panes read it.
 */
import type { EventColumns } from "./event-columns";
import { textSpans, viewOf } from "./name-table";
import type { BatchNumbers, PaneNames } from "./pane-names";

/** A decoded batch that stays in this process: panes read its rows in place. */
export class HeldBatch {
  /** Sixteen bytes an event. A view reads their words at any address: a copy in place of it would be aligned. */
  readonly ids: DataView;
  private numbers: BatchNumbers | undefined;

  constructor(readonly columns: EventColumns) {
    this.ids = viewOf(columns.ids);
  }

  /** Returns the numbers of the batch's names. The names are looked up once for all panes that share `names`. */
  numbersIn(names: PaneNames): BatchNumbers {
    if (this.numbers?.names !== names) {
      // Not destructured: a decoder makes the strings of `videos` when they are read.
      const { columns } = this;
      this.numbers = names.numbersOf(columns.videoSpans ?? textSpans(columns.videos), textSpans(columns.types));
    }
    return this.numbers!;
  }
}

/** Rows of a batch that belong to one minute and dedup partition. */
export interface BatchRows {
  batch: HeldBatch;
  /** The rows; where it is absent, all rows of the batch. */
  rows?: Uint32Array;
}

export function idWords(ids: Uint8Array): Uint32Array {
  // Not slice(): a Buffer's slice is a view, as badly aligned as the Buffer.
  const aligned = ids.byteOffset % 4 === 0 ? ids : new Uint8Array(ids);
  return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.length / 4);
}
