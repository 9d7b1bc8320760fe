// SPDX-License-Identifier: Apache-2.0
/** completeThrough of one machine: the log's first uncounted entry, and backfills that list before they count. */
import { SqliteEventLog } from "../../../io/sqlite/event-log";
import { SqliteLedger } from "../../../io/sqlite/ledger";
import { SqliteLogProgress } from "../../../io/sqlite/log-progress";
import { removeFolders, temporaryFolder } from "../ports/condition";
import { batchOf } from "../ports/embedded-log-contract";
import { object, row } from "../ports/ledger-contract";

const M = 29_000_000;
const backfilled = (minute: number, name: string, events: number) =>
  object(minute, `date=2025-02-19/hour=21/minute=20/backfill-${name}.avro`, events);

let log: SqliteEventLog;
let ledger: SqliteLedger;
let progress: SqliteLogProgress;
beforeEach(async () => {
  const folder = temporaryFolder();
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
