// SPDX-License-Identifier: Apache-2.0
/**
 * The order of two writes of a ledger row, which is one part of a minute's books (ledger-parts.ts). Rows are absolute,
 * as cells are, and the later state stands whatever order the writes arrive in. Both ledgers decide by it which of two
 * writes stands.
 */

/** The numbers of a ledger row that tell its states apart. */
export interface RowState {
  /** Events that reached deduplication, repeats included. */
  received: number;
  /** Events that were set aside as late. */
  late: number;
  counted: number;
  reusedIds: number;
}

/**
 * The numbers that order the states of a row: the first number that differs decides, and the larger one is the later.
 */
function orderOfRow({ received, late, counted, reusedIds }: RowState): [number, number, number] {
  return [received + late, counted, reusedIds];
}

/** `orderOfRow` for columns of a table with these names; `of` names the row, with its dot. */
export function orderOfRowSql(of: string): string {
  return `(${of}received + ${of}late, ${of}counted, ${of}reused_ids)`;
}

const TIE_BITS = 23;
const EVENTS_LIMIT = 2 ** 30;

/**
 * The same order as one number, for a store that keeps the value with the largest number. States of one pane never have
 * as many events and different counts, so counts beyond 2^23 are compared by their first 23 bits, and `reusedIds` not
 * at all. Throws a RangeError beyond 2^30 events.
 */
export function rowVersion(row: RowState): number {
  const [events, counted] = orderOfRow(row);
  if (events >= EVENTS_LIMIT)
    throw new RangeError(`${events} events of one partition's minute; at most ${EVENTS_LIMIT - 1} fit`);
  const shift = Math.max(0, Math.ceil(Math.log2(events + 1)) - TIE_BITS);
  return events * 2 ** TIE_BITS + Math.floor(counted / 2 ** shift);
}
