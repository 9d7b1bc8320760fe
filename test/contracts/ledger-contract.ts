/** What every Ledger promises. */
import type { ArchivedObject, AuditReport, Ledger, PartitionLedger } from "../../io/ports";

export interface LedgerUnderTest {
  /** Over the same store at every call of one test: the second sees what the first wrote. */
  open(): Promise<Ledger>;
}

export function object(minute: number, name: string, events: number): ArchivedObject {
  return { minute, name, events, sizeBytes: events * 10 };
}

export function row(minute: number, partition: number, received: number, counted: number, late = 0): PartitionLedger {
  return { minute, partition, received, counted, duplicate: received - counted, late, reusedIds: 0 };
}

function report(id: string, startedAtMs: number): AuditReport {
  return {
    id,
    startedAtMs,
    durationMs: 5,
    fromMs: 0,
    toMs: 60_000,
    repair: true,
    runner: "direct",
    outcome: "repaired",
    objectsRead: 1,
    events: 2,
    distinctEvents: 2,
    cellsCompared: 1,
    cellsDiffering: 1,
    cellsRepaired: 1,
    reusedEventIds: 0,
    lateEvents: 0,
    notComparable: [{ minute: 7, reason: "unreadable" }],
    differences: [
      {
        level: "minute",
        videoId: "a",
        eventType: "VIEW",
        startMs: 0,
        archiveCount: 2,
        storedCount: 1,
        archiveSum: "36893488147419103232",
        storedSum: "-1",
      },
    ],
  };
}

export function ledgerContract(describeName: string, subject: LedgerUnderTest): void {
  describe(`${describeName} keeps the contract of Ledger`, () => {
    let state: Ledger;
    beforeEach(async () => {
      state = await subject.open();
    });
    afterEach(() => state.close());

    it("lists objects by minute, then name, a rewritten one once, and says which minutes have changed", async () => {
      await state.addObjects([object(5, "b", 2), object(5, "a", 1), object(4, "c", 3)], [5, 4, 5]);
      expect(await state.archivedObjects(4, 6)).toEqual([object(4, "c", 3), object(5, "a", 1), object(5, "b", 2)]);
      expect(await state.archivedObjects(5, 5)).toEqual([]);
      expect(await state.changeSequences(0, 10)).toEqual(
        new Map([
          [4, 1],
          [5, 1],
        ]),
      );
      await state.addObjects([object(5, "a", 7), object(5, "b", 1)], []);
      expect(await state.archivedObjects(5, 6)).toEqual([object(5, "a", 7), object(5, "b", 1)]);
      expect((await state.ledger(5, 6))[0]?.archived).toBe(8);
      expect((await state.changeSequences(5, 6)).get(5)).toBe(1);
    });

    it("keeps the ledger row with more received, then more counted, in any order of writing", async () => {
      const rows = [row(5, 0, 10, 8, 1), row(5, 0, 12, 7), row(5, 0, 12, 9), row(5, 1, 3, 3), row(-1, 0, 1, 1)];
      for (const one of [...rows, ...rows.toReversed()]) await state.writeLedger([one]);
      await state.addObjects(
        [object(5, "a", 15), object(6, "date=1970-01-01/hour=00/minute=06/backfill-x.avro", 4)],
        [5],
      );
      expect(await state.ledger(-10, 10)).toEqual([
        { minute: -1, accepted: 0, archived: 0, backfilled: 0, counted: 1, duplicate: 0, late: 0, reusedIds: 0 },
        { minute: 5, accepted: 0, archived: 15, backfilled: 0, counted: 12, duplicate: 3, late: 0, reusedIds: 0 },
        { minute: 6, accepted: 0, archived: 4, backfilled: 4, counted: 0, duplicate: 0, late: 0, reusedIds: 0 },
      ]);
      expect(await state.ledger(6, 7)).toHaveLength(1);
    });

    it("adds up what the archived messages declared, and a message that is in two objects once", async () => {
      const once = { ...object(5, "a", 10), accepted: 12 };
      const message = (id: string, events: number, accepted = events) => ({ id, events, accepted });
      const first = { ...object(5, "b", 7), accepted: 7, messages: [message("m1", 3), message("m2", 4, 5)] };
      const second = { ...object(5, "c", 9), accepted: 9, messages: [message("m2", 4, 5), message("m3", 5)] };
      const elsewhere = { ...object(6, "b", 3), accepted: 3, messages: [message("m1", 3)] };
      await state.addObjects([once, first], [5]);
      await state.addObjects([second, elsewhere, first], [5, 6]);
      expect(await state.archivedObjects(5, 7)).toEqual([once, first, second, elsewhere]);
      expect((await state.ledger(0, 10)).map(({ minute, accepted, archived }) => [minute, accepted, archived])).toEqual(
        [
          [5, 12 + 3 + 5 + 5, 10 + 3 + 4 + 5],
          [6, 3, 3],
        ],
      );
    });

    it("never moves back the time through which all is archived", async () => {
      expect(await state.archivedThroughMs()).toBe(0);
      for (const timeMs of [1_700_000_000_500, 1_700_000_000_000, 5]) await state.setArchivedThrough(timeMs);
      expect(await state.archivedThroughMs()).toBe(1_700_000_000_500);
    });

    it("marks a minute audited only when it has not changed since it was compared", async () => {
      await state.addObjects([], [5, 6]);
      const before = await state.changeSequences(0, 10);
      await state.addObjects([], [6]);
      await state.markAudited([5, 6, 7].map((minute) => ({ minute, changeSequence: before.get(minute) ?? 0 })));
      expect(await state.auditedCounts(0, 10, 1)).toEqual(
        new Map([
          [5, 1],
          [7, 1],
        ]),
      );
      await state.addObjects([], [5]);
      expect(await state.auditedCounts(0, 10, 1)).toEqual(new Map([[7, 1]]));
      await state.markAudited([
        { minute: 7, changeSequence: 0 },
        { minute: 5, changeSequence: 2 },
      ]);
      expect(await state.auditedCounts(0, 10, 1)).toEqual(
        new Map([
          [5, 1],
          [7, 1],
        ]),
      );
      await state.addObjects([], [7]);
      await state.markAudited([{ minute: 7, changeSequence: 0 }]);
      expect(await state.auditedCounts(0, 10, 1)).toEqual(new Map([[5, 1]]));
    });

    it("counts audited minutes by bucket, also before 1970", async () => {
      await state.markAudited([-61, -60, -1, 0, 59, 60, 130].map((minute) => ({ minute, changeSequence: 0 })));
      expect(await state.auditedCounts(-120, 120, 60)).toEqual(
        new Map([
          [-120, 1],
          [-60, 2],
          [0, 2],
          [60, 1],
        ]),
      );
    });

    it("keeps audit reports whole, newest first", async () => {
      for (const [id, at] of [
        ["a", 1],
        ["b", 3],
        ["c", 2],
      ] as const)
        await state.addAudit(report(id, at));
      expect(await state.audits(2)).toEqual([report("b", 3), report("c", 2)]);
    });

    it("remembers after it is opened again", async () => {
      await state.addObjects([object(1, "a", 1)], [1]);
      await state.writeLedger([row(1, 0, 1, 1)]);
      await state.markAudited([{ minute: 1, changeSequence: 1 }]);
      await state.close();
      state = await subject.open();
      expect(await state.changeSequences(0, 5)).toEqual(new Map([[1, 1]]));
      expect(await state.auditedCounts(0, 60, 60)).toEqual(new Map([[0, 1]]));
      expect(await state.ledger(0, 5)).toMatchObject([{ minute: 1, archived: 1, counted: 1 }]);
    });

    it("keeps the books of writers that list the same minute at once", async () => {
      const others = await Promise.all([subject.open(), subject.open()]);
      const writers = [state, ...others];
      const message = (id: string) => ({ id, events: 2, accepted: 2 });
      await Promise.all(
        writers.flatMap((writer, n) =>
          Array.from({ length: 8 }, (_, m) =>
            writer.addObjects(
              [{ ...object(5, `w${n}-${m}`, 4), accepted: 4, messages: [message(`m${n}-${m}`), message("shared")] }],
              [5],
            ),
          ),
        ),
      );
      expect(await state.ledger(5, 6)).toMatchObject([{ archived: 24 * 2 + 2, accepted: 24 * 2 + 2 }]);
      expect((await state.changeSequences(5, 6)).get(5)).toBe(24);
      for (const other of others) await other.close();
    });
  });
}
