// SPDX-License-Identifier: Apache-2.0
/** completeThrough of one machine: the log's first uncounted entry, and backfills that list before they count. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SqliteEventLog } from "../../../io/sqlite/event-log";
import { SqliteLedger } from "../../../io/sqlite/ledger";
import { SqliteLogProgress } from "../../../io/sqlite/log-progress";
import { LOG_FILE } from "../../../io/sqlite/log-schema";
import { removeFolders, temporaryFolder } from "../ports/condition";
import { batchOf } from "../ports/embedded-log-contract";
import { object, row } from "../ports/ledger-contract";

const M = 29_000_000;
const backfilled = (minute: number, name: string, events: number) =>
  object(minute, `date=2025-02-19/hour=21/minute=20/backfill-${name}.avro`, events);

let folder: string;
let log: SqliteEventLog;
let ledger: SqliteLedger;
let progress: SqliteLogProgress;
beforeEach(async () => {
  folder = temporaryFolder();
  log = await SqliteEventLog.open({ folder });
  ledger = new SqliteLedger({ folder });
  progress = new SqliteLogProgress(log, ledger, ledger);
});
afterEach(async () => {
  await Promise.all([log.close(), ledger.close()]);
  removeFolders();
});

const through = async () => {
  const nowMs = Date.now() + 60_000;
  const timeMs = await progress.completeThroughMs(nowMs);
  return timeMs === nowMs ? "now" : timeMs;
};

test("a backfill that was stopped between listing and counting holds it at the listing, until its minutes are counted", async () => {
  expect(await through()).toBe("now");
  const beforeMs = Date.now();
  await ledger.addObjects([backfilled(M, "a", 3), backfilled(M + 500_000, "a", 2)], [M, M + 500_000]);
  const heldMs = await through();
  expect(heldMs).toBeGreaterThanOrEqual(beforeMs);
  expect(heldMs).toBeLessThanOrEqual(Date.now());
  await ledger.writeRows([row(M, 0, 3, 2)]);
  expect(await through()).toBe(heldMs);
  await ledger.writeRows([row(M + 500_000, 0, 2, 2)]);
  expect(await through()).toBe("now");
  expect(await ledger.openMinutes(5)).toEqual([]);
});

/** As a process whose clock was ahead has left the log. */
async function aheadBy(aheadMs: number): Promise<void> {
  await log.close();
  const db = new DatabaseSync(join(folder, LOG_FILE));
  const aheadAtMs = Date.now() + aheadMs;
  db.prepare("UPDATE entries SET appended_at_ms = ? WHERE position > 1").run(aheadAtMs);
  db.prepare("UPDATE log_state SET last_appended_at_ms = ?").run(aheadAtMs);
  db.close();
  log = await SqliteEventLog.open({ folder });
  progress = new SqliteLogProgress(log, ledger, ledger);
}

test("after a clock that was ahead is set right, what is appended holds it at the right time", async () => {
  const beforeMs = Date.now();
  for (let n = 0; n < 3; n++) await log.append(batchOf("one", M));
  await aheadBy(3_600_000);
  const stamps = [{ key: "k", stampedAtMs: Date.now() }];
  await log.append({ ...batchOf("after", M), stamps });
  const times = (await log.read(0, 10, 1e6)).map(({ appendedAtMs }) => appendedAtMs);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  await ledger.setPending({ fromPosition: 1, toPosition: 3 });
  await ledger.completePass(3, [], []);
  const heldMs = await through();
  expect(heldMs).toBeGreaterThanOrEqual(beforeMs);
  expect(heldMs).toBeLessThanOrEqual(Date.now());
  // A stamp of the right time is no old one.
  expect(await log.recentStamps(Date.now())).toEqual(stamps);
});

test("sums that agree while a pass of the stream is under way close nothing", async () => {
  await log.append(batchOf("one", M, 3));
  await ledger.addObjects([backfilled(M, "a", 3)], [M]);
  await ledger.setPending({ fromPosition: 1, toPosition: 1 });
  // The pass has counted its own three events and not listed them. The backfill's events, which are as many, are not
  // counted yet.
  await ledger.writeRows([row(M, 0, 3, 3)]);
  await through();
  await ledger.completePass(1, [object(M, "stream", 3)], [M]);
  expect(await through()).not.toBe("now");
  await ledger.writeRows([row(M, 0, 6, 6)]);
  expect(await through()).toBe("now");
});

test("a backfill of a thousand minutes is looked at once a minute, and a later one again", async () => {
  const minutes = Array.from({ length: 1_000 }, (_, n) => M + n);
  await ledger.addObjects(
    minutes.map((minute) => backfilled(minute, "a", 1)),
    minutes,
  );
  await ledger.writeRows(minutes.map((minute) => row(minute, 0, 1, 1)));
  expect(await through()).toBe("now");
  expect(await ledger.openMinutes(5)).toEqual([]);
  await ledger.addObjects([backfilled(M + 7, "b", 1)], [M + 7]);
  expect(await through()).not.toBe("now");
});
