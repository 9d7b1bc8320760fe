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
import { bookRetentionContract, nameOf } from "../ports/book-retention-contract";
import { removeFolders, temporaryFolder } from "../ports/condition";
import { letter } from "../ports/dead-letters-contract";
import { batchOf } from "../ports/embedded-log-contract";
import { object, row } from "../ports/ledger-contract";

let folder = "";
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(removeFolders);

async function withLedger(work: (ledger: SqliteLedger) => Promise<void>): Promise<void> {
  const ledger = new SqliteLedger({ folder });
  try {
    await work(ledger);
  } finally {
    await ledger.close();
  }
}

bookRetentionContract("SqliteLedger", { open: async () => new SqliteLedger({ folder }) });

describe("books past their retention", () => {
  it("objects that are gone take a row of a minute, backfilled ones keep their names, and the books stay what they were", () =>
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
        { minute: 6, name: nameOf(6, "backfill-5.avro"), events: 5, sizeBytes: 0 },
        { minute: 6, name: nameOf(6, "backfill-6.avro"), events: 6, sizeBytes: 0 },
        { minute: 6, name: nameOf(6, "expired.avro"), events: 10, sizeBytes: 0 },
        later,
      ]);
      // Whoever was stopped says it again, and a later one is added to the row.
      await ledger.expireObjects([...objects, ...backfilled, later]);
      expect(await ledger.books(0, 60)).toEqual(books);
      expect((await ledger.archivedObjects(6, 7)).map(({ events }) => events)).toEqual([5, 6, 17]);
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
