// SPDX-License-Identifier: Apache-2.0
/**
 * Finds fetched records of aborted transactions, by the rule of Kafka's own consumer (clients,
 * CompletedFetch.nextFetchedRecord). A fetch answer names the aborted transactions that overlap with it, in the order
 * in which they ended, each with its producer and first offset. A transaction extends from there to the producer's next
 * abort marker.
 */
export interface FetchedRecord {
  offset: string;
  key: Buffer | null;
  isControlRecord?: boolean;
  batchContext?: { producerId: string; inTransaction: boolean };
}

export interface AbortedTransaction {
  producerId: string;
  firstOffset: string;
}

/** The key of a control record is version (int16), type (int16); type 0 aborts, 1 commits. */
const ABORT = 0;
const TYPE_AT = 2;

/** `records` are in the order of their offsets. */
export function abortedRecords<Record extends FetchedRecord>(
  records: readonly Record[],
  transactions: readonly AbortedTransaction[],
): Set<Record> {
  const aborted = new Set<Record>();
  if (transactions.length === 0) return aborted;
  const toCome = transactions
    .map(({ producerId, firstOffset }) => ({ producerId, firstOffset: BigInt(firstOffset) }))
    .sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  const aborting = new Set<string>();
  let next = 0;
  for (const record of records) {
    const offset = BigInt(record.offset);
    for (; next < toCome.length && toCome[next]!.firstOffset <= offset; next++) aborting.add(toCome[next]!.producerId);
    const { producerId, inTransaction } = record.batchContext ?? { producerId: "-1", inTransaction: false };
    if (record.isControlRecord === true) {
      if (isAbort(record)) aborting.delete(producerId);
    } else if (inTransaction && aborting.has(producerId)) aborted.add(record);
  }
  return aborted;
}

const isAbort = ({ key }: FetchedRecord): boolean =>
  key !== null && key.length >= TYPE_AT + 2 && key.readInt16BE(TYPE_AT) === ABORT;
