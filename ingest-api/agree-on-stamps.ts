// SPDX-License-Identifier: Apache-2.0
import type { EventColumns } from "../domain/columns/event-columns";
import type { ReceiptStamps, Stamp } from "../io/ports";
import type { StampBook } from "./stamp-book";

/** The accepted events of a request with their stamps: `stamps[n]` is the stamp of row `stampedRows[n]`. */
interface StampedEvents {
  columns: EventColumns;
  stamps: readonly Stamp[];
  stampedRows: readonly number[];
}

/**
 * Replaces the stamps of a request by those that every instance of the write API gives, before any event is stored with
 * them. One query asks for the stamps that this instance does not know yet. Rejects as the port does; the proposals
 * then stay for the request's retry. `storeEvents` calls it when a request has events without a time of their own.
 */
export async function agreeOnStamps(
  { columns, stamps, stampedRows }: StampedEvents,
  stampBook: StampBook,
  receiptStamps: ReceiptStamps,
): Promise<void> {
  const proposed = stampBook.toPersist(stamps);
  if (proposed.length > 0) stampBook.settle(await receiptStamps.hold(proposed));
  for (const [n, row] of stampedRows.entries()) columns.timesMs[row] = stamps[n]!.stampedAtMs;
}
