// SPDX-License-Identifier: Apache-2.0
import type { BookRetention, Ledger } from "../../../io/ports";
import { object, row } from "./ledger-contract";

export const nameOf = (minute: number, file: string) =>
  `date=1970-01-01/hour=00/minute=${String(minute).padStart(2, "0")}/${file}`;

/** What every ledger promises of books past their retention. `open` returns a new, empty one. */
export function bookRetentionContract(name: string, { open }: { open(): Promise<Ledger & BookRetention> }): void {
  async function withLedger(work: (ledger: Ledger & BookRetention) => Promise<void>): Promise<void> {
    const ledger = await open();
    try {
      await work(ledger);
    } finally {
      await ledger.close();
    }
  }

  describe(`books past their retention: ${name}`, () => {
    it("go minute by minute; what is not audited stays; that the others are audited stays known", () =>
      withLedger(async (ledger) => {
        for (const minute of [3, 4, 5, 50]) {
          await ledger.addObjects([object(minute, nameOf(minute, "w-1.avro"), 2)], [minute]);
          await ledger.writeRows([row(minute, 0, 2, 2)]);
        }
        const sequences = await ledger.changeSequences(0, 60);
        await ledger.markAudited({ fromMinute: 0, toMinute: 60, sequences, except: [4] });
        const audited = await ledger.auditedCounts(0, 60, 1);
        expect(await ledger.expireBooks(40)).toBe(2);
        expect((await ledger.books(0, 60)).map(({ minute }) => minute)).toEqual([4, 50]);
        expect(await ledger.archivedObjects(0, 4)).toEqual([]);
        expect(await ledger.auditedCounts(0, 60, 1)).toEqual(audited);
        expect(await ledger.expireBooks(40)).toBe(0);
      }));

    it("a minute that changes after its books went is not taken for the one that was audited before", () =>
      withLedger(async (ledger) => {
        await ledger.addObjects([object(3, nameOf(3, "w-1.avro"), 2)], [3]);
        const sequences = await ledger.changeSequences(0, 60);
        await ledger.markAudited({ fromMinute: 0, toMinute: 60, sequences, except: [] });
        await ledger.expireBooks(40);
        await ledger.addObjects([object(3, nameOf(3, "backfill-1.avro"), 2)], [3]);
        // An audit that read the minute before its books went.
        await ledger.markAudited({ fromMinute: 3, toMinute: 4, sequences, except: [] });
        expect((await ledger.auditedCounts(0, 60, 1)).has(3)).toBe(false);
        const now = await ledger.changeSequences(0, 60);
        await ledger.markAudited({ fromMinute: 3, toMinute: 4, sequences: now, except: [] });
        expect((await ledger.auditedCounts(0, 60, 1)).has(3)).toBe(true);
      }));

    it("reports of audits go by their start", () =>
      withLedger(async (ledger) => {
        const report = {
          durationMs: 1,
          fromMs: 0,
          toMs: 1,
          repair: false,
          runner: "direct",
          outcome: "equal" as const,
        };
        const none = { objectsRead: 0, events: 0, distinctEvents: 0, cellsCompared: 0, cellsDiffering: 0 };
        const rest = { cellsRepaired: 0, reusedEventIds: 0, lateEvents: 0, notComparable: [], differences: [] };
        for (const at of [10, 20, 30])
          await ledger.addAudit({ id: `a${at}`, startedAtMs: at, ...report, ...none, ...rest });
        expect(await ledger.expireAudits(20)).toBe(1);
        expect((await ledger.audits(10)).map(({ id }) => id)).toEqual(["a30", "a20"]);
      }));
  });
}
