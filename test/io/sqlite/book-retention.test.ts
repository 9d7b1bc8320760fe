// SPDX-License-Identifier: Apache-2.0
/** What of the books goes with age, over real files. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { MINUTE_MS } from "../../../domain/rules/time";
import { SqliteDeadLetters } from "../../../io/sqlite/dead-letters";
import { SqliteEventLog } from "../../../io/sqlite/event-log";
import { SqliteLedger } from "../../../io/sqlite/ledger";
import { expireAccepted } from "../../../io/sqlite/log-expiry";
import { removeFolders, temporaryFolder } from "../../contracts/condition";
import { letter } from "../../contracts/dead-letters-contract";
import { batchOf } from "../../contracts/embedded-log-contract";
import { object, row } from "../../contracts/ledger-contract";

let folder = "";
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(removeFolders);

const nameOf = (minute: number, file: string) =>
  `date=1970-01-01/hour=00/minute=${String(minute).padStart(2, "0")}/${file}`;

async function withLedger(work: (ledger: SqliteLedger) => Promise<void>): Promise<void> {
  const ledger = new SqliteLedger({ folder });
  try {
    await work(ledger);
  } finally {
    await ledger.close();
  }
}

describe("books past their retention", () => {
  it("objects that are gone take a row or two of a minute, and the books stay what they were", () =>
    withLedger(async (ledger) => {
      const objects = [1, 2, 3, 4].map((n) => object(6, nameOf(6, `w-${n}.avro`), n));
      const backfilled = [5, 6].map((n) => object(6, nameOf(6, `backfill-${n}.avro`), n));
      const later = object(6, nameOf(6, "w-9.avro"), 7);
      await ledger.addObjects([...objects, ...backfilled, later], [6]);
      await ledger.writeRows([row(6, 0, 28, 20)]);
      const books = await ledger.books(0, 60);
      await ledger.expireObjects([...objects, ...backfilled]);
      expect(await ledger.books(0, 60)).toEqual(books);
      expect(await ledger.archivedObjects(6, 7)).toEqual([
        { minute: 6, name: nameOf(6, "backfill-expired.avro"), events: 11, sizeBytes: 0 },
        { minute: 6, name: nameOf(6, "expired.avro"), events: 10, sizeBytes: 0 },
        later,
      ]);
      // Whoever was stopped says it again, and a later one is added to the row.
      await ledger.expireObjects([...objects, ...backfilled, later]);
      expect(await ledger.books(0, 60)).toEqual(books);
      expect((await ledger.archivedObjects(6, 7)).map(({ events }) => events)).toEqual([11, 17]);
    }));

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
      const report = { durationMs: 1, fromMs: 0, toMs: 1, repair: false, runner: "direct", outcome: "equal" as const };
      const none = { objectsRead: 0, events: 0, distinctEvents: 0, cellsCompared: 0, cellsDiffering: 0 };
      const rest = { cellsRepaired: 0, reusedEventIds: 0, lateEvents: 0, notComparable: [], differences: [] };
      for (const at of [10, 20, 30])
        await ledger.addAudit({ id: `a${at}`, startedAtMs: at, ...report, ...none, ...rest });
      expect(await ledger.expireAudits(20)).toBe(1);
      expect((await ledger.audits(10)).map(({ id }) => id)).toEqual(["a30", "a20"]);
    }));

  it("dead letters go by their receipt, make room, and their file shrinks; counts stay as long as the ledger", async () => {
    const letters = new SqliteDeadLetters({ folder, maxBytes: 3_000_000 });
    const heavy = (atMs: number) => letter("x".repeat(50_000), { receivedAtMs: atMs });
    await letters.append(Array.from({ length: 55 }, (_, n) => heavy(n < 50 ? MINUTE_MS : 9 * MINUTE_MS)));
    await expect(letters.append(Array.from({ length: 10 }, () => heavy(9 * MINUTE_MS)))).rejects.toThrow(/bound/);
    const sizeBytes = () => {
      const db = new DatabaseSync(join(folder, "dead-letters.sqlite"));
      db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      db.close();
      return statSync(join(folder, "dead-letters.sqlite")).size;
    };
    const full = sizeBytes();
    expect(await letters.expire({ lettersMs: 5 * MINUTE_MS, countsMs: 0 })).toBe(50);
    expect(await letters.list({ limit: 100 })).toHaveLength(5);
    expect([...(await letters.rejectedByMinute(0, 20))]).toEqual([
      [1, 50],
      [9, 5],
    ]);
    expect(sizeBytes()).toBeLessThan(full / 3);
    await letters.append(Array.from({ length: 10 }, () => heavy(9 * MINUTE_MS)));
    expect(await letters.expire({ lettersMs: 5 * MINUTE_MS, countsMs: 5 * MINUTE_MS })).toBe(0);
    expect([...(await letters.rejectedByMinute(0, 20)).keys()]).toEqual([9]);
    await letters.close();
  });

  it("what the log accepted of old minutes goes while it takes more", async () => {
    const log = await SqliteEventLog.open({ folder });
    for (let n = 0; n < 30; n++) await log.append(batchOf(`${n}`, n));
    const appending = Promise.all(Array.from({ length: 50 }, (_, n) => log.append(batchOf(`more ${n}`, 25))));
    await expireAccepted(folder, 20);
    await appending;
    expect([...(await log.accepted(0, 60)).keys()]).toEqual([20, 21, 22, 23, 24, 25, 26, 27, 28, 29]);
    expect((await log.accepted(25, 26)).get(25)).toBe(51);
    await log.close();
  });
});
