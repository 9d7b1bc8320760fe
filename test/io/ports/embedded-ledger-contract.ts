// SPDX-License-Identifier: Apache-2.0
/** The contract of every EmbeddedLedger beyond a Ledger: the position of a stream. */
import type { EmbeddedLedger } from "../../../io/ports";
import { ledgerContract, object } from "./ledger-contract";

interface EmbeddedLedgerUnderTest {
  /** Over the same store at every call of one test: the second sees what the first wrote. */
  open(): Promise<EmbeddedLedger & { close(): Promise<void> }>;
}

export function embeddedLedgerContract(describeName: string, subject: EmbeddedLedgerUnderTest): void {
  ledgerContract(describeName, subject);

  describe(`${describeName} keeps the contract of EmbeddedLedger`, () => {
    let ledger: EmbeddedLedger & { close(): Promise<void> };
    beforeEach(async () => {
      ledger = await subject.open();
    });
    afterEach(() => ledger.close());

    it("starts at position 0 with nothing pending", async () => {
      expect(await ledger.checkpoint()).toBe(0);
      expect(await ledger.pending()).toBeUndefined();
    });

    it("ends a pass at once: checkpoint, pending range, objects and changed minutes", async () => {
      await ledger.setPending({ fromPosition: 1, toPosition: 9 });
      expect(await ledger.pending()).toEqual({ fromPosition: 1, toPosition: 9 });
      await ledger.completePass(9, [object(5, "b", 2), object(5, "a", 1), object(4, "c", 3)], [5, 4, 5]);
      expect(await ledger.checkpoint()).toBe(9);
      expect(await ledger.pending()).toBeUndefined();
      expect(await ledger.archivedObjects(4, 6)).toEqual([object(4, "c", 3), object(5, "a", 1), object(5, "b", 2)]);
      expect(await ledger.archivedObjects(5, 5)).toEqual([]);
      expect(await ledger.changeSequences(0, 10)).toEqual(
        new Map([
          [4, 1],
          [5, 1],
        ]),
      );
    });

    it("never moves the checkpoint back, and lists a rewritten object once", async () => {
      await ledger.completePass(9, [object(5, "a", 1)], [5]);
      await ledger.completePass(7, [object(5, "a", 2)], []);
      expect(await ledger.checkpoint()).toBe(9);
      expect(await ledger.archivedObjects(0, 10)).toEqual([object(5, "a", 2)]);
    });

    it("ends the audited state of a minute that a pass has changed", async () => {
      await ledger.completePass(1, [], [5]);
      await ledger.markAudited({ fromMinute: 5, toMinute: 6, sequences: new Map([[5, 1]]), except: [] });
      expect((await ledger.auditedCounts(5, 6, 1)).get(5)).toBe(1);
      await ledger.completePass(2, [], [5]);
      expect(await ledger.auditedCounts(5, 6, 1)).toEqual(new Map());
      expect((await ledger.changeSequences(5, 6)).get(5)).toBe(2);
    });

    it("remembers after it is opened again", async () => {
      await ledger.setPending({ fromPosition: 3, toPosition: 4 });
      await ledger.completePass(2, [object(1, "a", 1)], [1]);
      await ledger.setPending({ fromPosition: 3, toPosition: 5 });
      await ledger.close();
      ledger = await subject.open();
      expect(await ledger.checkpoint()).toBe(2);
      expect(await ledger.pending()).toEqual({ fromPosition: 3, toPosition: 5 });
      expect(await ledger.changeSequences(0, 5)).toEqual(new Map([[1, 1]]));
    });
  });
}
