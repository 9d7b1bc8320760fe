// SPDX-License-Identifier: Apache-2.0
import type { Ledger } from "../../../io/ports";
import { object } from "./ledger-contract";

/** The first of two minutes with events, of 200 that were audited but for M - 50. */
const M = 29_000_000;

/**
 * The content of test/io/sqlite/fixtures and test/io/bigtable/fixtures, as the code that wrote them reported it, and
 * the steps that follow.
 */
export async function keepsWhatAnEarlierReleaseWrote(ledger: Ledger): Promise<void> {
  const parts = { promised: 0, direct: 0, lost: 0, reusedIds: 0 };
  const whole = { minute: M, ...parts, accepted: 11, declared: 7, archived: 9, backfilled: 4, counted: 8 };
  const late = { minute: M + 1, ...parts, accepted: 7, declared: 7, archived: 7, backfilled: 0, counted: 5 };
  expect(await ledger.books(M - 5, M + 5)).toEqual([
    { ...whole, duplicate: 1, late: 0, reusedIds: 1 },
    { ...late, duplicate: 0, late: 2 },
  ]);
  expect(await ledger.archivedObjects(M + 1, M + 2)).toMatchObject([{ messages: [{ id: "m1" }, { id: "m2" }] }, {}]);
  expect([...(await ledger.changeSequences(M - 5, M + 5))]).toEqual([
    [M, 2],
    [M + 1, 2],
  ]);
  expect(await ledger.archiveReaders()).toEqual([{ reader: "", throughMs: 1_700_000_000_000, leaseUntilMs: 0 }]);
  expect(await ledger.audits(5)).toMatchObject([{ id: "a1" }]);
  expect(await ledger.openMinutes(5)).toEqual([]);
  expect(await ledger.completeThroughMs()).toBeUndefined();
  const audited = async () => [...(await ledger.auditedCounts(M - 200, M + 200, 60)).values()];
  expect(await audited()).toEqual([20, 59, 59, 60]);
  await ledger.addObjects([], [M + 20]);
  expect(await audited()).toEqual([20, 59, 58, 60]);
  const sequences = await ledger.changeSequences(M - 100, M + 100);
  await ledger.markAudited({ fromMinute: M - 100, toMinute: M + 160, sequences, except: [] });
  expect(await audited()).toEqual([20, 60, 60, 60, 60]);
  await ledger.addObjects([object(M - 50, "late", 1)], [M - 50]);
  expect(await audited()).toEqual([20, 59, 60, 60, 60]);
}
