// SPDX-License-Identifier: Apache-2.0
import * as fc from "fast-check";
import { type AbortedTransaction, abortedRecords, type FetchedRecord } from "../../../io/kafka/aborted-transactions";

const COMMIT = Buffer.from([0, 0, 0, 1]);
const ABORT = Buffer.from([0, 0, 0, 0]);
const PRODUCERS = 4;

/**
 * One partition as a broker keeps it: records, and its index of aborted transactions, in the order in which they ended.
 */
class Partition {
  readonly records: (FetchedRecord & { batchContext: { producerId: string; inTransaction: boolean } })[] = [];
  readonly index: (AbortedTransaction & { lastOffset: number })[] = [];
  readonly aborted = new Set<string>();
  private readonly open = new Map<number, { firstOffset: string; offsets: string[] }>();

  write(producer: number, inTransaction: boolean, key: Buffer | null): void {
    const offset = this.add(producer, inTransaction, key, false);
    if (!inTransaction) return;
    const transaction = this.open.get(producer) ?? { firstOffset: offset, offsets: [] };
    transaction.offsets.push(offset);
    this.open.set(producer, transaction);
  }

  end(producer: number, aborts: boolean): void {
    const transaction = this.open.get(producer);
    if (transaction === undefined) return;
    this.open.delete(producer);
    const lastOffset = Number(this.add(producer, true, aborts ? ABORT : COMMIT, true));
    if (!aborts) return;
    for (const offset of transaction.offsets) this.aborted.add(offset);
    this.index.push({ producerId: String(producer), firstOffset: transaction.firstOffset, lastOffset });
  }

  endAll(aborts: boolean): void {
    for (const producer of [...this.open.keys()]) this.end(producer, aborts);
  }

  /** Returns the answer to a fetch from `offset` on: records, and the aborted transactions that overlap with them. */
  fetch(offset: number) {
    const transactions = this.index.filter(({ lastOffset }) => lastOffset >= offset);
    return { records: this.records.slice(offset), transactions };
  }

  private add(producer: number, inTransaction: boolean, key: Buffer | null, isControlRecord: boolean): string {
    const offset = String(this.records.length);
    this.records.push({ offset, key, isControlRecord, batchContext: { producerId: String(producer), inTransaction } });
    return offset;
  }
}

const producer = fc.nat(PRODUCERS - 1);
const key = fc.constantFrom(null, ABORT, COMMIT, Buffer.from("key"));
const step = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constant("write" as const), producer, fc.boolean(), key) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("end" as const), producer, fc.boolean()) },
);

it("are those of transactions that were aborted, wherever the fetch begins and however transactions overlap", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat(60), fc.boolean(), (script, from, aborts) => {
      const partition = new Partition();
      for (const each of script) {
        if (each[0] === "write") partition.write(each[1], each[2], each[3]);
        else partition.end(each[1], each[2]);
      }
      partition.endAll(aborts);
      const offset = Math.min(from, partition.records.length);
      const { records, transactions } = partition.fetch(offset);
      const found = [...abortedRecords(records, transactions)].map((record) => record.offset);
      expect(found).toEqual(
        [...partition.aborted]
          .map(Number)
          .filter((each) => each >= offset)
          .sort((a, b) => a - b)
          .map(String),
      );
    }),
    { numRuns: 500 },
  );
});
