// SPDX-License-Identifier: Apache-2.0
import { dueHours } from "../../../cli/programs/due-hours";
import { HOUR_MS, MINUTE_MS, MINUTES_AN_HOUR } from "../../../domain/rules/time";
import { SqliteLogProgress } from "../../../io/sqlite/log-progress";
import { T0 } from "../../domain/model";
import { AuditHarness } from "../../pipelines/audit-harness";
import { event } from "../../transforms/elements";

let harness: AuditHarness;
beforeEach(async () => {
  harness = await AuditHarness.open();
});
afterEach(() => harness.close());

const hourOf = (timeMs: number) => Math.floor(timeMs / HOUR_MS) * HOUR_MS;

async function due(
  nowMs = Date.now(),
  { finalAfterMs = 0, sinceMs = 0 } = {},
): Promise<{ ranges: { fromMs: number; toMs: number }[]; asked: number }> {
  const { archive, ledger, log } = harness.stores;
  let asked = 0;
  const counted = {
    books: (from: number, to: number) => ledger.books(from, to),
    auditedCounts: (from: number, to: number, width: number) => {
      asked += (to - from) / MINUTES_AN_HOUR;
      return ledger.auditedCounts(from, to, width);
    },
  };
  const progress = new SqliteLogProgress(log, ledger, ledger);
  const ranges = await dueHours({ archive, ledger: counted, progress, nowMs, finalAfterMs, sinceMs });
  return { ranges, asked };
}

async function audited(...hours: number[]): Promise<void> {
  const { ledger } = harness.stores;
  for (const fromMs of hours) {
    const [fromMinute, toMinute] = [fromMs / MINUTE_MS, (fromMs + HOUR_MS) / MINUTE_MS];
    const sequences = await ledger.changeSequences(fromMinute, toMinute);
    await ledger.markAudited({ fromMinute, toMinute, sequences, except: [] });
  }
}

test("hours with something in them are due until they are audited; the years between cost nothing", async () => {
  const times = [0, T0 - 30 * HOUR_MS, T0, T0 + HOUR_MS];
  for (const [n, eventTimeMs] of times.entries()) await harness.archive([event(`e${n}`, { eventTimeMs })], eventTimeMs);
  const [old, before, first] = times.map(hourOf) as [number, number, number];
  const { ranges, asked } = await due();
  expect(ranges).toEqual([
    { fromMs: old, toMs: old + HOUR_MS },
    { fromMs: before, toMs: before + HOUR_MS },
    { fromMs: first, toMs: first + 2 * HOUR_MS },
  ]);
  expect(asked).toBeLessThanOrEqual(4);
  await audited(old, first);
  expect((await due()).ranges).toEqual([
    { fromMs: before, toMs: before + HOUR_MS },
    { fromMs: first + HOUR_MS, toMs: first + 2 * HOUR_MS },
  ]);
});

test("an hour of which one minute is not audited since it changed is due, and no other", async () => {
  const [first, other] = [hourOf(T0), hourOf(T0) + HOUR_MS];
  for (const [n, eventTimeMs] of [first, other].entries())
    await harness.archive([event(`e${n}`, { eventTimeMs })], eventTimeMs);
  await audited(first, other);
  expect((await due()).ranges).toEqual([]);
  const late = first + 59 * MINUTE_MS;
  await harness.archive([event("late", { eventTimeMs: late })], late);
  expect((await due()).ranges).toEqual([{ fromMs: first, toMs: other }]);
});

test("an hour is due once it is final, and not where it is before the time that is asked for", async () => {
  const [first, other] = [hourOf(T0), hourOf(T0) + HOUR_MS];
  for (const [n, eventTimeMs] of [first, other].entries())
    await harness.archive([event(`e${n}`, { eventTimeMs })], eventTimeMs);
  const from = async (nowMs: number, sinceMs: number) =>
    (await due(nowMs, { finalAfterMs: 10 * MINUTE_MS, sinceMs })).ranges.map(({ fromMs }) => fromMs);
  const finalMs = other + 10 * MINUTE_MS;
  expect(await from(finalMs - 1, 0)).toEqual([]);
  expect(await from(finalMs, 0)).toEqual([first]);
  expect(await from(finalMs + 9 * HOUR_MS, first + HOUR_MS - 1)).toEqual([first]);
  expect(await from(finalMs + 9 * HOUR_MS, other)).toEqual([other]);
});

test("an hour that waits in the log for a stream that is behind is not due; one that does not balance is", async () => {
  const { log, ledger } = harness.stores;
  const waits = T0;
  const wrong = T0 + 5 * HOUR_MS;
  await harness.archive([event("wrong", { eventTimeMs: wrong })], wrong);
  await log.append({
    payload: Buffer.from("one"),
    events: 1,
    acceptedByMinute: new Map([[waits / MINUTE_MS, 1]]),
  });
  const hours = async (nowMs: number) => (await due(nowMs)).ranges.map(({ fromMs }) => fromMs);
  // Just appended: no stream can have it yet, and the other hour is as due as ever.
  expect(await hours(Date.now())).toEqual([waits, wrong].map(hourOf));
  // The stream has been behind for minutes: what does not balance waits for it.
  expect(await hours(Date.now() + 10 * MINUTE_MS)).toEqual([]);
  await ledger.completePass(1, [], []);
  expect(await hours(Date.now() + 10 * MINUTE_MS)).toEqual([waits, wrong].map(hourOf));
});
