/** What every StreamState promises beyond a Ledger: how far a stream has come. */
import type { StreamState } from "../../io/ports";
import { ledgerContract, object } from "./ledger-contract";

export interface StreamStateUnderTest {
  /** Over the same store at every call of one test: the second sees what the first wrote. */
  open(): Promise<StreamState & { close(): Promise<void> }>;
}

export function streamStateContract(describeName: string, subject: StreamStateUnderTest): void {
  ledgerContract(describeName, subject);

  describe(`${describeName} keeps the contract of StreamState`, () => {
    let state: StreamState & { close(): Promise<void> };
    beforeEach(async () => {
      state = await subject.open();
    });
    afterEach(() => state.close());

    it("starts at position 0 with nothing pending", async () => {
      expect(await state.checkpoint()).toBe(0);
      expect(await state.pending()).toBeUndefined();
    });

    it("ends a pass at once: checkpoint, pending range, objects and changed minutes", async () => {
      await state.setPending({ fromPosition: 1, toPosition: 9 });
      expect(await state.pending()).toEqual({ fromPosition: 1, toPosition: 9 });
      await state.completePass(9, [object(5, "b", 2), object(5, "a", 1), object(4, "c", 3)], [5, 4, 5]);
      expect(await state.checkpoint()).toBe(9);
      expect(await state.pending()).toBeUndefined();
      expect(await state.archivedObjects(4, 6)).toEqual([object(4, "c", 3), object(5, "a", 1), object(5, "b", 2)]);
      expect(await state.archivedObjects(5, 5)).toEqual([]);
      expect(await state.changeSequences(0, 10)).toEqual(
        new Map([
          [4, 1],
          [5, 1],
        ]),
      );
    });

    it("never moves the checkpoint back, and lists a rewritten object once", async () => {
      await state.completePass(9, [object(5, "a", 1)], [5]);
      await state.completePass(7, [object(5, "a", 2)], []);
      expect(await state.checkpoint()).toBe(9);
      expect(await state.archivedObjects(0, 10)).toEqual([object(5, "a", 2)]);
    });

    it("ends the audited state of a minute that a pass has changed", async () => {
      await state.completePass(1, [], [5]);
      await state.markAudited({ fromMinute: 5, toMinute: 6, sequences: new Map([[5, 1]]), except: [] });
      expect((await state.auditedCounts(5, 6, 1)).get(5)).toBe(1);
      await state.completePass(2, [], [5]);
      expect(await state.auditedCounts(5, 6, 1)).toEqual(new Map());
      expect((await state.changeSequences(5, 6)).get(5)).toBe(2);
    });

    it("remembers after it is opened again", async () => {
      await state.setPending({ fromPosition: 3, toPosition: 4 });
      await state.completePass(2, [object(1, "a", 1)], [1]);
      await state.setPending({ fromPosition: 3, toPosition: 5 });
      await state.close();
      state = await subject.open();
      expect(await state.checkpoint()).toBe(2);
      expect(await state.pending()).toEqual({ fromPosition: 3, toPosition: 5 });
      expect(await state.changeSequences(0, 5)).toEqual(new Map([[1, 1]]));
    });
  });
}
