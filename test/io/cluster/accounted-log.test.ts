// SPDX-License-Identifier: Apache-2.0
import { AccountedLog, type AccountOptions } from "../../../io/cluster/accounted-log";
import { type EventLog, type IngestBooking, LogFullError, StoreUnavailableError } from "../../../io/ports";
import { SqliteEventLog } from "../../../io/sqlite/event-log";
import { SqliteLedger } from "../../../io/sqlite/ledger";
import { removeFolders, temporaryFolder } from "../ports/condition";

const M = 29_000_000;
let inner: SqliteEventLog;
let ledger: SqliteLedger;
let nowMs = 0;
let opened: AccountedLog[] = [];
beforeEach(async () => {
  const folder = temporaryFolder();
  inner = await SqliteEventLog.open({ folder });
  ledger = new SqliteLedger({ folder });
  nowMs = 1_000_000;
  opened = [];
});
afterEach(async () => {
  for (const log of opened) await log.close();
  await ledger.close();
  removeFolders();
});

const accounted = (options: Partial<AccountOptions> = {}, log: EventLog = inner): AccountedLog => {
  const made = new AccountedLog(log, { ledger, clock: () => nowMs, intervalMs: 20, ...options });
  opened.push(made);
  return made;
};
const batch = (...minutes: [number, number][]) => ({
  payload: new Uint8Array(10),
  events: minutes.reduce((sum, [, events]) => sum + events, 0),
  acceptedByMinute: new Map(minutes),
});
const promised = async () => (await ledger.books(M - 10, M + 10)).map(({ minute, promised: n }) => [minute - M, n]);

test("what was acknowledged is booked by minute, without anybody reading the log", async () => {
  const log = accounted();
  await Promise.all([log.append(batch([M, 3], [M + 1, 1])), log.append(batch([M, 4]))]);
  await vi.waitFor(async () =>
    expect(await promised()).toEqual([
      [0, 7],
      [1, 1],
    ]),
  );
  await log.append(batch([M, 1]));
  await vi.waitFor(async () =>
    expect(await promised()).toEqual([
      [0, 8],
      [1, 1],
    ]),
  );
  expect(await ledger.ingestAccounts()).toHaveLength(1);
});

test("two instances have an account each", async () => {
  const logs = [accounted(), accounted()];
  await Promise.all(logs.map((log) => log.append(batch([M, 2]))));
  await vi.waitFor(async () => expect(await promised()).toEqual([[0, 4]]));
  expect(await ledger.ingestAccounts()).toHaveLength(2);
});

test("the end books the rest and closes the account; a crash leaves it open", async () => {
  const log = accounted({ intervalMs: 3_600_000 });
  const crashing = accounted({ intervalMs: 3_600_000 });
  accounted();
  await Promise.all([log, crashing].map((one) => one.append(batch())));
  await vi.waitFor(async () => expect(await ledger.ingestAccounts()).toHaveLength(2));
  await log.append(batch([M, 5]));
  expect(await promised()).toEqual([]);
  await log.close();
  expect(await promised()).toEqual([[0, 5]]);
  expect(await ledger.ingestAccounts()).toHaveLength(1);
});

test("an append that was refused is not booked", async () => {
  const log = accounted();
  const refused = { ...batch([M, 2]), events: 1 };
  await expect(log.append(refused)).rejects.toThrow(RangeError);
  await log.append(batch([M + 1, 1]));
  await vi.waitFor(async () => expect(await promised()).toEqual([[1, 1]]));
});

test("while the ledger is away events are accepted, and booked once it is back; too many minutes wait outside", async () => {
  let away = true;
  const failures: unknown[] = [];
  const answering = {
    bookAccepted: async (booking: IngestBooking) => {
      if (away) throw new StoreUnavailableError("away");
      return ledger.bookAccepted(booking);
    },
  };
  const log = accounted({ ledger: answering, maxMinutes: 2, onFailure: (error) => failures.push(error) });
  for (const minute of [M, M + 1, M + 2]) await log.append(batch([minute, 1]));
  await vi.waitFor(() => expect(failures.length).toBeGreaterThan(2));
  await expect(log.append(batch([M, 1]))).rejects.toThrow(LogFullError);
  away = false;
  await vi.waitFor(async () =>
    expect(await promised()).toEqual([
      [0, 1],
      [1, 1],
      [2, 1],
    ]),
  );
  await log.append(batch([M, 1]));
  await vi.waitFor(async () => expect((await promised())[0]).toEqual([0, 2]));
});

test("an account that has held many minutes is followed by another, and nothing is booked twice", async () => {
  const log = accounted({ maxMinutes: 3 });
  const times = 4;
  for (let time = 0; time < times; time++) {
    for (let minute = 0; minute < 5; minute++) {
      await log.append(batch([M + minute, 1]));
      const sum = time * 5 + minute + 1;
      await vi.waitFor(async () => {
        const all = await promised();
        expect(all.reduce((events, [, n]) => events + n!, 0)).toBe(sum);
      });
    }
  }
  expect(await promised()).toEqual([0, 1, 2, 3, 4].map((minute) => [minute, times]));
  await vi.waitFor(async () => expect(await ledger.ingestAccounts()).toHaveLength(1));
});

test("the account is never ahead of an append that is under way; after a clock that was ahead, times are right again", async () => {
  const bookings: IngestBooking[] = [];
  const noting = {
    bookAccepted: (booking: IngestBooking) => {
      bookings.push(booking);
      return ledger.bookAccepted(booking);
    },
  };
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const slow: EventLog = {
    append: (one) => gate.then(() => inner.append(one)),
    ping: () => inner.ping(),
    close: () => inner.close(),
  };
  const log = accounted({ ledger: noting }, slow);
  const startedMs = nowMs;
  const appending = log.append(batch([M, 1]));
  nowMs += 5_000;
  const before = bookings.length;
  await vi.waitFor(() => expect(bookings.length).toBeGreaterThan(before + 2));
  expect(bookings.at(-1)).toMatchObject({ throughMs: startedMs });
  nowMs -= 60_000;
  release();
  await appending;
  await vi.waitFor(async () => expect(await promised()).toEqual([[0, 1]]));
  expect(bookings.find(({ minutes }) => minutes.size > 0)).toMatchObject({ sinceMs: startedMs - 55_000 });
  await log.append(batch([M + 1, 1]));
  await vi.waitFor(async () => expect(await promised()).toHaveLength(2));
  const last = bookings.findLast(({ minutes }) => minutes.size > 0);
  expect(last).toMatchObject({ sinceMs: nowMs, throughMs: nowMs, leaseUntilMs: nowMs + 30_000 });
});
