// SPDX-License-Identifier: Apache-2.0
/** The contract of every Ledger. */
import type { ArchivedObject, AuditReport, IngestBooking, Ledger, LedgerMinute, LedgerRow } from "../../../io/ports";

interface LedgerUnderTest {
  /** Over the same store at every call of one test: the second sees what the first wrote. */
  open(): Promise<Ledger>;
}

export function object(minute: number, name: string, events: number): ArchivedObject {
  return { minute, name, events, sizeBytes: events * 10 };
}

export function row(minute: number, part: number, received: number, counted: number, late = 0): LedgerRow {
  return { minute, part, received, counted, duplicate: received - counted, late, reusedIds: 0 };
}

const FOLDER = "date=1970-01-01/hour=00/minute=06";
const MINUTE_2016 = Date.parse("2016-01-01T00:00:00Z") / 60_000;

function booking(instance: string, sequence: number, ...minutes: [number, number][]): IngestBooking {
  const throughMs = 1_000 + sequence;
  return {
    instance,
    sequence,
    minutes: new Map(minutes),
    sinceMs: throughMs - 10,
    throughMs,
    leaseUntilMs: throughMs + 1_000,
  };
}

function partsOf({ minute, accepted, promised, declared, direct, backfilled, archived }: LedgerMinute) {
  return { minute, accepted, promised, declared, direct, backfilled, archived };
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
    let ledger: Ledger;
    beforeEach(async () => {
      ledger = await subject.open();
    });
    afterEach(() => ledger.close());

    it("lists objects by minute, then name, a rewritten one once, and says which minutes have changed", async () => {
      await ledger.addObjects([object(5, "b", 2), object(5, "a", 1), object(4, "c", 3)], [5, 4, 5]);
      expect(await ledger.archivedObjects(4, 6)).toEqual([object(4, "c", 3), object(5, "a", 1), object(5, "b", 2)]);
      expect(await ledger.archivedObjects(5, 5)).toEqual([]);
      expect(await ledger.changeSequences(0, 10)).toEqual(
        new Map([
          [4, 1],
          [5, 1],
        ]),
      );
      await ledger.addObjects([object(5, "a", 7), object(5, "b", 1)], []);
      expect(await ledger.archivedObjects(5, 6)).toEqual([object(5, "a", 7), object(5, "b", 1)]);
      expect((await ledger.books(5, 6))[0]?.archived).toBe(8);
      expect((await ledger.changeSequences(5, 6)).get(5)).toBe(1);
    });

    it("keeps the ledger row with more received, then more counted, in any order of writing", async () => {
      const rows = [row(5, 0, 10, 8, 1), row(5, 0, 12, 7), row(5, 0, 12, 9), row(5, 1, 3, 3), row(-1, 0, 1, 1)];
      for (const one of [...rows, ...rows.toReversed()]) await ledger.writeRows([one]);
      await ledger.addObjects([object(5, "a", 15), object(6, `${FOLDER}/backfill-x.avro`, 4)], [5]);
      const none = { accepted: 0, promised: 0, declared: 0, direct: 0, backfilled: 0, archived: 0 };
      expect(await ledger.books(-10, 10)).toEqual([
        { minute: -1, ...none, counted: 1, duplicate: 0, late: 0, lost: 0, reusedIds: 0 },
        { minute: 5, ...none, archived: 15, counted: 12, duplicate: 3, late: 0, lost: 0, reusedIds: 0 },
        {
          minute: 6,
          ...none,
          accepted: 4,
          backfilled: 4,
          archived: 4,
          counted: 0,
          duplicate: 0,
          late: 0,
          lost: 0,
          reusedIds: 0,
        },
      ]);
      expect(await ledger.books(6, 7)).toHaveLength(1);
    });

    it("adds up what the archived messages declared, and a message that is in two objects once", async () => {
      const once = { ...object(5, "a", 10), accepted: 12 };
      const message = (id: string, events: number, accepted = events) => ({ id, events, accepted });
      const first = { ...object(5, "b", 7), accepted: 7, messages: [message("m1", 3), message("m2", 4, 5)] };
      const second = { ...object(5, "c", 9), accepted: 9, messages: [message("m2", 4, 5), message("m3", 5)] };
      const elsewhere = { ...object(6, "b", 3), accepted: 3, messages: [message("m1", 3)] };
      await ledger.addObjects([once, first], [5]);
      await ledger.addObjects([second, elsewhere, first], [5, 6]);
      expect(await ledger.archivedObjects(5, 7)).toEqual([once, first, second, elsewhere]);
      expect((await ledger.books(0, 10)).map(({ minute, accepted, archived }) => [minute, accepted, archived])).toEqual(
        [
          [5, 12 + 3 + 5 + 5, 10 + 3 + 4 + 5],
          [6, 3, 3],
        ],
      );
    });

    it("tells direct producers' events from those that ingest instances answered for", async () => {
      const messages = [
        { id: "m1", events: 3, accepted: 3, direct: 3 },
        { id: "m2", events: 4, accepted: 5 },
      ];
      const mixed = { ...object(5, "a", 7), accepted: 8, direct: 3 };
      const repeated = { ...object(5, "b", 7), accepted: 8, direct: 3, messages };
      await ledger.addObjects([mixed, repeated, { ...repeated, name: "c" }], [5]);
      expect(await ledger.archivedObjects(5, 6)).toEqual([mixed, repeated, { ...repeated, name: "c" }]);
      expect(await ledger.books(5, 6)).toMatchObject([{ archived: 14, declared: 10, direct: 6, accepted: 16 }]);
    });

    it("takes what instances promised and what messages declared for two accounts of the same, of which the larger stands", async () => {
      await ledger.addObjects([{ ...object(5, "a", 4), accepted: 4 }, object(5, `${FOLDER}/backfill-x.avro`, 2)], [5]);
      await ledger.bookAccepted(booking("i1", 1, [5, 3], [6, 1]));
      await ledger.bookAccepted(booking("i2", 1, [5, 2]));
      expect((await ledger.books(0, 10)).map(partsOf)).toEqual([
        { minute: 5, accepted: 7, promised: 5, declared: 4, direct: 0, backfilled: 2, archived: 6 },
        { minute: 6, accepted: 1, promised: 1, declared: 0, direct: 0, backfilled: 0, archived: 0 },
      ]);
      await ledger.addObjects([{ ...object(5, "b", 3), accepted: 3 }], [5]);
      expect((await ledger.books(5, 6)).map(partsOf)).toEqual([
        { minute: 5, accepted: 9, promised: 5, declared: 7, direct: 0, backfilled: 2, archived: 9 },
      ]);
    });

    it("keeps an instance's account in any order of its bookings, each as often as it comes", async () => {
      const bookings = [booking("i1", 1, [5, 3]), booking("i1", 2, [5, 8], [7, 1]), booking("i1", 3, [7, 4])];
      for (const one of [...bookings.toReversed(), ...bookings]) await ledger.bookAccepted(one);
      expect((await ledger.books(0, 10)).map(({ minute, promised }) => [minute, promised])).toEqual([
        [5, 8],
        [7, 4],
      ]);
      expect(await ledger.ingestAccounts()).toEqual([{ instance: "i1", throughMs: 1_003, leaseUntilMs: 2_003 }]);
      await ledger.bookAccepted({ ...booking("i1", 4), leaseUntilMs: 0 });
      await ledger.bookAccepted(bookings[2]!);
      expect(await ledger.ingestAccounts()).toEqual([]);
    });

    it("has a mark for each archive reader, and never moves one back", async () => {
      expect(await ledger.archiveReaders()).toEqual([]);
      for (const timeMs of [1_700_000_000_500, 1_700_000_000_000, 5])
        await ledger.setArchivedThrough("a", timeMs, timeMs);
      await ledger.setArchivedThrough("b", 7, 1_700_000_000_000);
      expect(await ledger.archiveReaders()).toEqual([
        { reader: "a", throughMs: 1_700_000_000_500, leaseUntilMs: 5 },
        { reader: "b", throughMs: 7, leaseUntilMs: 1_700_000_000_000 },
      ]);
    });

    it("says since when minutes are open, the longest first, until they are closed", async () => {
      await ledger.bookAccepted({ ...booking("i1", 1, [9, 1], [5, 1]), sinceMs: 70 });
      await ledger.addObjects([{ ...object(5, "a", 1), acceptedSinceMs: 60 }, object(6, "a", 1)], [5, 6]);
      await ledger.addObjects([{ ...object(5, "b", 1), acceptedSinceMs: 90 }], [5]);
      const open = await ledger.openMinutes(10);
      expect(open.map(({ minute, sinceMs }) => [minute, sinceMs])).toEqual([
        [5, 60],
        [9, 70],
      ]);
      expect(await ledger.openMinutes(1)).toEqual(open.slice(0, 1));
      await ledger.closeMinutes(open);
      expect(await ledger.openMinutes(10)).toEqual([]);
    });

    it("does not close a minute for which something came since it was read", async () => {
      await ledger.addObjects([{ ...object(5, "a", 1), acceptedSinceMs: 60 }], [5]);
      const [before] = await ledger.openMinutes(10);
      await ledger.bookAccepted({ ...booking("i1", 1, [5, 1]), sinceMs: 70 });
      await ledger.closeMinutes([before!]);
      const [after] = await ledger.openMinutes(10);
      expect(after).toMatchObject({ minute: 5 });
      expect(after!.sinceMs).toBeLessThanOrEqual(70);
      await ledger.closeMinutes([after!]);
      await ledger.addObjects([{ ...object(5, "b", 1), acceptedSinceMs: 80 }], [5]);
      await ledger.closeMinutes([before!, after!]);
      expect(await ledger.openMinutes(10)).toMatchObject([{ minute: 5, sinceMs: 80 }]);
    });

    it("has one opening of a minute however many bookings there were", async () => {
      for (let n = 1; n <= 20; n++) await ledger.bookAccepted({ ...booking("i1", n, [5, n]), sinceMs: 100 + n });
      for (let read = 0; read < 2; read++) {
        expect(await ledger.openMinutes(10)).toMatchObject([{ minute: 5, sinceMs: 101 }]);
      }
      await ledger.closeMinutes(await ledger.openMinutes(10));
      expect(await ledger.openMinutes(10)).toEqual([]);
    });

    it("takes a backfilled object for accepted when it is listed", async () => {
      const before = Date.now();
      await ledger.addObjects([object(5, `${FOLDER}/backfill-x.avro`, 2)], [5]);
      const [open] = await ledger.openMinutes(10);
      expect(open?.minute).toBe(5);
      expect(open!.sinceMs).toBeGreaterThanOrEqual(before);
      expect(open!.sinceMs).toBeLessThanOrEqual(Date.now());
    });

    it("keeps the low watermark that was seen last, also where it has fallen", async () => {
      expect(await ledger.completeThroughMs()).toBeUndefined();
      await ledger.setCompleteThrough(500, 1_000);
      await ledger.setCompleteThrough(400, 2_000);
      await ledger.setCompleteThrough(600, 1_500);
      expect(await ledger.completeThroughMs()).toBe(400);
    });

    it("moves what an audit settled from late to counted or duplicate; the newest audit stays", async () => {
      const late = (events: number) => ({ ...row(5, 99, events, 0, events), duplicate: 0 });
      await ledger.writeRows([row(5, 0, 10, 8), late(6), row(6, 0, 1, 1)]);
      await ledger.settleLate([{ minute: 5, counted: 2, duplicate: 1 }], { auditedAtMs: 20 });
      const sums = async () =>
        (await ledger.books(5, 6)).map(({ counted, duplicate, late }) => [counted, duplicate, late]);
      expect(await sums()).toEqual([[10, 3, 3]]);
      await ledger.settleLate([{ minute: 5, counted: 0, duplicate: 0 }], { auditedAtMs: 10 });
      expect(await sums()).toEqual([[10, 3, 3]]);
      await ledger.settleLate([{ minute: 5, counted: 4, duplicate: 2 }], { auditedAtMs: 30 });
      expect(await sums()).toEqual([[12, 4, 0]]);
      await ledger.writeRows([late(7)]);
      expect(await sums()).toEqual([[12, 4, 1]]);
    });

    it("takes the numbers of an audit that counted a whole minute for those of the minute; what is archived since waits", async () => {
      await ledger.addObjects([object(5, "a", 12)], [5]);
      await ledger.writeRows([row(5, 0, 10, 8, 2), row(5, 1, 6, 6)]);
      const settled = { minute: 5, counted: 9, duplicate: 3, archived: 12 };
      await ledger.settleLate([settled], { auditedAtMs: 20 });
      await ledger.settleLate([{ ...settled, counted: 1 }], { auditedAtMs: 10 });
      expect(await ledger.books(5, 6)).toMatchObject([{ counted: 9, duplicate: 3, late: 0, isSettled: true }]);
      await ledger.writeRows([row(5, 0, 11, 9, 2)]);
      await ledger.addObjects([object(5, "b", 1)], [5]);
      expect(await ledger.books(5, 6)).toMatchObject([{ archived: 13, counted: 9, duplicate: 3, late: 1 }]);
      await ledger.settleLate([{ minute: 5, counted: 10, duplicate: 3, archived: 13 }], { auditedAtMs: 30 });
      expect(await ledger.books(5, 6)).toMatchObject([{ counted: 10, duplicate: 3, late: 0 }]);
    });

    it("tells lost events that are written off from those that are missing; the latest write-off of a minute stays", async () => {
      await ledger.bookAccepted(booking("i1", 1, [5, 7], [6, 1]));
      await ledger.addObjects([{ ...object(5, "a", 4), accepted: 4 }], [5]);
      const loss = { minute: 5, events: 2, reason: 'retention \u00b7 "topic"', atMs: 1_700_000_000_000, auditId: "a1" };
      const later = { ...loss, events: 3, atMs: loss.atMs + 1, auditId: "a2" };
      await ledger.writeOff([loss]);
      expect(await ledger.books(0, 10)).toMatchObject([
        { minute: 5, accepted: 7, archived: 4, lost: 2, writtenOff: loss },
        { minute: 6, accepted: 1, archived: 0, lost: 0 },
      ]);
      for (const one of [later, loss]) await ledger.writeOff([one]);
      expect(await ledger.books(5, 6)).toMatchObject([{ lost: 3, writtenOff: later }]);
      await ledger.addObjects([{ ...object(5, "b", 2), accepted: 2 }], [5]);
      expect(await ledger.books(5, 6)).toMatchObject([{ accepted: 7, archived: 6, lost: 1, writtenOff: later }]);
    });

    const mark = (fromMinute: number, toMinute: number, sequences: [number, number][] = [], except: number[] = []) =>
      ledger.markAudited({ fromMinute, toMinute, sequences: new Map(sequences), except });

    it("marks a minute audited only when it has not changed since it was compared", async () => {
      await ledger.addObjects([], [5, 6]);
      const before = await ledger.changeSequences(0, 10);
      await ledger.addObjects([], [6]);
      await ledger.markAudited({ fromMinute: 5, toMinute: 8, sequences: before, except: [] });
      const audited = async () => [...(await ledger.auditedCounts(0, 10, 1)).keys()];
      expect(await audited()).toEqual([5, 7]);
      await ledger.addObjects([], [5]);
      expect(await audited()).toEqual([7]);
      await mark(4, 8, [[5, 2]], [4]);
      expect(await audited()).toEqual([5, 7]);
      await ledger.addObjects([], [7]);
      await mark(7, 8);
      expect(await audited()).toEqual([5]);
    });

    it("marks ranges of any length, but not the minutes that are excepted", async () => {
      const [from, to] = [MINUTE_2016, MINUTE_2016 + 10 * 525_600];
      await ledger.addObjects([], [from + 7, from + 90, from + 91]);
      const excepted = [from + 3, from + 91, to - 1];
      await mark(
        from,
        to,
        [
          [from + 7, 1],
          [from + 90, 1],
          [from + 91, 1],
        ],
        excepted,
      );
      const whole = to - from;
      expect([...(await ledger.auditedCounts(from, to, whole * 10)).values()]).toEqual([whole - 3]);
      const hours = await ledger.auditedCounts(from, from + 180, 60);
      expect([...hours.values()]).toEqual([59, 59, 60]);
      expect((await ledger.auditedCounts(to - 60, to + 60, 1)).size).toBe(59);
      await mark(to - 1, to + 10);
      await mark(from + 3, from + 4);
      expect([...(await ledger.auditedCounts(from, to, whole * 10)).values()]).toEqual([whole - 1]);
      await ledger.addObjects([], [from + 100]);
      expect([...(await ledger.auditedCounts(from + 60, from + 120, 60)).values()]).toEqual([58]);
    });

    it("joins ranges that touch or overlap", async () => {
      for (const [from, to] of [
        [10, 20],
        [30, 40],
        [20, 25],
        [39, 50],
        [5, 60],
        [70, 70],
      ] as const)
        await mark(from, to);
      await mark(80, 70);
      expect(await ledger.auditedCounts(-100, 200, 1_000)).toEqual(
        new Map(
          [
            [-1_000, 0],
            [0, 55],
          ].filter(([, n]) => n !== 0) as [number, number][],
        ),
      );
    });

    it("counts audited minutes by bucket, also before 1970", async () => {
      for (const minute of [-61, -60, -1, 0, 59, 60, 130]) await mark(minute, minute + 1);
      expect(await ledger.auditedCounts(-120, 120, 60)).toEqual(
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
        await ledger.addAudit(report(id, at));
      expect(await ledger.audits(2)).toEqual([report("b", 3), report("c", 2)]);
    });

    it("remembers after it is opened again", async () => {
      await ledger.addObjects([object(1, "a", 1)], [1]);
      await ledger.writeRows([row(1, 0, 1, 1)]);
      await mark(0, 3, [[1, 1]]);
      await ledger.bookAccepted(booking("i1", 1, [1, 1]));
      await ledger.setArchivedThrough("r", 5, 6);
      await ledger.setCompleteThrough(4, 5);
      await ledger.settleLate([{ minute: 1, counted: 0, duplicate: 0 }], { auditedAtMs: 1 });
      await ledger.close();
      ledger = await subject.open();
      expect(await ledger.changeSequences(0, 5)).toEqual(new Map([[1, 1]]));
      expect(await ledger.auditedCounts(0, 60, 60)).toEqual(new Map([[0, 3]]));
      expect(await ledger.books(0, 5)).toMatchObject([{ minute: 1, archived: 1, counted: 1, promised: 1 }]);
      expect(await ledger.archiveReaders()).toHaveLength(1);
      expect(await ledger.ingestAccounts()).toHaveLength(1);
      expect(await ledger.openMinutes(5)).toMatchObject([{ minute: 1 }]);
      expect(await ledger.completeThroughMs()).toBe(4);
    });

    it("keeps the books of writers that list the same minute at once", async () => {
      const others = await Promise.all([subject.open(), subject.open()]);
      const writers = [ledger, ...others];
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
      expect(await ledger.books(5, 6)).toMatchObject([{ archived: 24 * 2 + 2, accepted: 24 * 2 + 2 }]);
      // A write whose answer was lost was repeated.
      expect((await ledger.changeSequences(5, 6)).get(5)).toBeGreaterThanOrEqual(24);
      for (const other of others) await other.close();
    });
  });
}
