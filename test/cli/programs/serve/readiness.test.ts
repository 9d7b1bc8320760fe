// SPDX-License-Identifier: Apache-2.0
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { answersOf, claimCheck, sharedLogChecks, storeChecks } from "../../../../cli/programs/serve/readiness";
import { DirectoryArchive } from "../../../../io/directory/archive";
import { DirectoryClaimStore } from "../../../../io/directory/claims";
import type { AuditReport } from "../../../../io/ports";
import { SqliteDeadLetters } from "../../../../io/sqlite/dead-letters";
import { SqliteLedger } from "../../../../io/sqlite/ledger";
import { removeFolders, temporaryFolder } from "../../../io/ports/condition";

const M = 29_000_000;
const NOW_MS = (M + 30) * 60_000;
let folder = "";
let ledger: SqliteLedger;
beforeEach(() => {
  folder = temporaryFolder();
  ledger = new SqliteLedger({ folder });
});
afterEach(async () => {
  await ledger.close();
  removeFolders();
});

const shared = () => answersOf(sharedLogChecks(ledger, () => NOW_MS));
const named = async (name: string) => (await shared()).find((one) => one.name === name);

test("each store is named, with what it is to the service", async () => {
  const deadLetters = new SqliteDeadLetters({ folder });
  mkdirSync(join(folder, "archive"));
  mkdirSync(join(folder, "claims"));
  const archive = new DirectoryArchive({ folder: join(folder, "archive") });
  const checks = storeChecks({ archive, ledger, deadLetters }, () => NOW_MS);
  const claims = claimCheck(new DirectoryClaimStore({ folder: join(folder, "claims") }));
  const found = await answersOf([...checks, claims]);
  expect(found.map(({ name, ok, required }) => [name, ok, required])).toEqual([
    ["ledger", true, true],
    ["archive", true, false],
    ["dead letters", true, true],
    ["last audit", true, false],
    ["claims", true, false],
  ]);
  await deadLetters.close();
});

test("an audit that found nothing to compare is not told as equal", async () => {
  const deadLetters = new SqliteDeadLetters({ folder });
  const archive = new DirectoryArchive({ folder: join(folder, "archive") });
  const lastAudit = async () => {
    const found = await answersOf(storeChecks({ archive, ledger, deadLetters }, () => NOW_MS));
    return found.find(({ name }) => name === "last audit");
  };
  const report = (id: string, events: number, cellsCompared: number): AuditReport => ({
    ...{ id, startedAtMs: NOW_MS + cellsCompared, durationMs: 1, fromMs: 0, toMs: 0, repair: false, runner: "direct" },
    ...{ outcome: "equal", objectsRead: 0, events, distinctEvents: events, cellsCompared, cellsDiffering: 0 },
    ...{ cellsRepaired: 0, reusedEventIds: 0, lateEvents: 0, notComparable: [], differences: [] },
  });
  expect(await lastAudit()).toMatchObject({ detail: "none yet" });
  await ledger.addAudit(report("empty", 0, 0));
  expect(await lastAudit()).toMatchObject({
    ok: true,
    detail: expect.stringMatching(/^had nothing to compare, begun /),
  });
  await ledger.addAudit(report("looked", 2, 5));
  expect(await lastAudit()).toMatchObject({ ok: true, detail: expect.stringMatching(/^equal, begun /) });
  // What the daily check of totals and roll-ups found stays in sight while hours are audited after it.
  const rolled = { ...report("rolled", 0, 6), outcome: "not-comparable" as const, totals: true };
  await ledger.addAudit(rolled);
  await ledger.addAudit(report("hour", 2, 7));
  const detail = expect.stringMatching(/^totals and roll-ups: not-comparable, begun /);
  expect(await lastAudit()).toMatchObject({ ok: false, detail });
  await ledger.addAudit({ ...report("whole", 0, 8), totals: true });
  expect(await lastAudit()).toMatchObject({ ok: true });
  await deadLetters.close();
});

test("one that hangs or fails is told alone, within its deadline", async () => {
  const check = (name: string, look: () => Promise<string>) => ({ name, required: true, look });
  const found = await answersOf(
    [
      check("hangs", () => new Promise(() => undefined)),
      check("fails", () => Promise.reject(new Error("the disk is gone"))),
      check("answers", async () => "well"),
    ],
    30,
  );
  expect(found).toEqual([
    { name: "hangs", required: true, ok: false, detail: "no answer within 30 ms" },
    { name: "fails", required: true, ok: false, detail: "the disk is gone" },
    { name: "answers", required: true, ok: true, detail: "well" },
  ]);
});

test("the archiver's mark: none, fresh, behind, silent", async () => {
  expect(await named("archiver")).toMatchObject({ ok: false, required: false, detail: expect.stringMatching(/never/) });
  await ledger.setArchivedThrough("a", NOW_MS - 1_000, NOW_MS + 1_000);
  expect(await named("archiver")).toMatchObject({ ok: true });
  await ledger.setArchivedThrough("b", NOW_MS - 120_000, NOW_MS + 1_000);
  expect(await named("archiver")).toMatchObject({ ok: false, detail: expect.stringMatching(/archived through/) });
  await ledger.setArchivedThrough("a", NOW_MS, NOW_MS - 1);
  await ledger.setArchivedThrough("b", NOW_MS, NOW_MS - 1);
  expect(await named("archiver")).toMatchObject({
    ok: false,
    detail: expect.stringMatching(/no archiver has said anything lately/),
  });
});

test("the job: what is archived for long and not counted names its minute, late events do not", async () => {
  const object = { name: "o", minute: M, events: 5, sizeBytes: 1, accepted: 5, acceptedSinceMs: NOW_MS - 1_000_000 };
  await ledger.addObjects([object], [M]);
  expect(await named("job")).toMatchObject({ ok: false, detail: expect.stringContaining("not counted since") });
  const row = { minute: M, duplicate: 0, reusedIds: 0 };
  await ledger.writeRows([{ ...row, part: 0, received: 3, counted: 3, late: 0 }]);
  expect(await named("job")).toMatchObject({ ok: false });
  await ledger.writeRows([{ ...row, part: 9, received: 2, counted: 0, late: 2 }]);
  expect(await named("job")).toMatchObject({ ok: true });
});

test("an ingest instance that ended without its last booking is named", async () => {
  const account = { sequence: 1, minutes: new Map(), sinceMs: NOW_MS, throughMs: NOW_MS - 40_000 };
  await ledger.bookAccepted({ ...account, instance: "alive", leaseUntilMs: NOW_MS + 5 });
  expect(await named("ingest accounts")).toMatchObject({ ok: true, detail: "1 open" });
  await ledger.bookAccepted({ ...account, instance: "crashed", leaseUntilMs: NOW_MS - 5 });
  expect(await named("ingest accounts")).toMatchObject({ ok: false, detail: expect.stringContaining("crashed after") });
});
