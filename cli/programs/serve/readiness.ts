// SPDX-License-Identifier: Apache-2.0
/**
 * The checks behind /readyz: the log and each store are asked whether they answer, at every request. The read API
 * answers 200 where all required ones are well, else 503, and lists all of them; a drain makes it 503. A service is
 * ready when that answer is 200. apis.ts puts the checks together and adds those of the log and the counters; the
 * side of the log adds that of its stream.
 */
import { setTimeout as wait } from "node:timers/promises";
import { archiveObjectName } from "../../../domain/archive-name";
import { hasComparedNothing } from "../../../domain/rules/compared-nothing";
import { earliestLiveMark } from "../../../domain/rules/low-watermark";
import { DAY_MS, MINUTE_MS } from "../../../domain/rules/time";
import { type Archive, ClaimMissingError, type ClaimStore, type DeadLetters, type Ledger } from "../../../io/ports";
import type { Readiness } from "../../../query-api";

/** The deadline of each dependency alone, so that a hanging one hides no other. */
const DEADLINE_MS = 1_500;
/** The allowed delay of an archiver, which reports its progress every second. */
const ARCHIVER_LAG_MS = MINUTE_MS;
/**
 * The allowed delay of a job. A job counts a minute when the minute has ended; a minute that is archived for longer and
 * not counted waits for a job that is away.
 */
const JOB_LAG_MS = 10 * MINUTE_MS;
const OPEN_MINUTES = 20;

export interface Check {
  name: string;
  /**
   * Whether the service cannot work without the dependency. Other dependencies are reported and take nothing out of
   * service.
   */
  required: boolean;
  /**
   * Resolves with a description. Rejects where the dependency does not answer; rejects with NotWell where it answers
   * and reports a fault.
   */
  look(): Promise<string>;
}

/** Thrown when a dependency answers and reports a fault. */
class NotWell extends Error {
  override readonly name = "NotWell";
}

export function answersOf(checks: readonly Check[], deadlineMs = DEADLINE_MS): Promise<Readiness[]> {
  return Promise.all(
    checks.map(async ({ name, required, look }) => {
      const late = new AbortController();
      const deadline = wait(deadlineMs, undefined, { signal: late.signal, ref: false }).then(() => {
        throw new NotWell(`no answer within ${deadlineMs} ms`);
      });
      // The loser of the race has no listener.
      deadline.catch(() => undefined);
      try {
        return { name, required, ok: true, detail: await Promise.race([look(), deadline]) };
      } catch (error) {
        return { name, required, ok: false, detail: (error as Error).message };
      } finally {
        late.abort();
      }
    }),
  );
}

interface CheckedStores {
  archive: Pick<Archive, "list">;
  ledger: Pick<Ledger, "books" | "audits">;
  deadLetters: Pick<DeadLetters, "rejectedByMinute">;
}

/** Returns the checks of the stores that any service has. */
export function storeChecks({ archive, ledger, deadLetters }: CheckedStores, clock: () => number): Check[] {
  const minute = () => Math.floor(clock() / MINUTE_MS);
  return [
    { name: "ledger", required: true, look: () => ledger.books(minute(), minute() + 1).then(() => "ledger") },
    { name: "archive", required: false, look: () => archive.list(minute(), minute() + 1).then(() => "archive") },
    {
      name: "dead letters",
      required: true,
      look: () => deadLetters.rejectedByMinute(minute(), minute() + 1).then(() => "dead letters"),
    },
    { name: "last audit", required: false, look: () => lastAudit(ledger) },
  ];
}

/** The schedule audits about once an hour, and totals and roll-ups once a day. */
const A_DAY_OF_AUDITS = 30;

async function lastAudit(ledger: Pick<Ledger, "audits">): Promise<string> {
  const reports = await ledger.audits(A_DAY_OF_AUDITS);
  if (reports.length === 0) return "none yet";
  // Audits of hours come after the daily check of totals and roll-ups, and must not hide what it found.
  const totals = reports.find((one) => one.totals === true);
  const bad = [reports[0], totals].find((one) => one?.outcome === "differences" || one?.outcome === "not-comparable");
  const report = bad ?? reports[0]!;
  const outcome = hasComparedNothing(report) ? "had nothing to compare" : report.outcome;
  const said = `${report.totals === true ? "totals and roll-ups: " : ""}${outcome}, begun ${iso(report.startedAtMs)}`;
  if (bad === undefined) return said;
  throw new NotWell(said);
}

/** Checks the claims, where batches too large for the log are kept. Without them these batches alone are refused. */
export function claimCheck(claims: Pick<ClaimStore, "read">): Check {
  const look = () =>
    claims.read(archiveObjectName(0, "readiness.avro")).then(
      () => "claims",
      (error: unknown) => {
        if (error instanceof ClaimMissingError) return "claims";
        throw error;
      },
    );
  return { name: "claims", required: false, look };
}

type SharedLedger = Pick<Ledger, "archiveReaders" | "openMinutes" | "books" | "ingestAccounts">;

/** Checks the processes that archive and count a shared log, by their marks in the ledger. */
export function sharedLogChecks(ledger: SharedLedger, clock: () => number): Check[] {
  return [
    { name: "archiver", required: false, look: () => archiverMark(ledger, clock()) },
    { name: "job", required: false, look: () => jobLag(ledger, clock()) },
    { name: "ingest accounts", required: false, look: () => openAccounts(ledger, clock()) },
  ];
}

async function archiverMark(ledger: SharedLedger, nowMs: number): Promise<string> {
  const readers = await ledger.archiveReaders();
  const throughMs = earliestLiveMark(readers, nowMs);
  const last = readers.length === 0 ? "never" : iso(Math.max(...readers.map((reader) => reader.throughMs)));
  if (throughMs === undefined) throw new NotWell(`no archiver has said anything lately; archived through ${last}`);
  const said = `archived through ${iso(throughMs)}`;
  if (throughMs < nowMs - ARCHIVER_LAG_MS) throw new NotWell(said);
  return said;
}

async function jobLag(ledger: SharedLedger, nowMs: number): Promise<string> {
  for (const { minute, sinceMs } of await ledger.openMinutes(OPEN_MINUTES)) {
    if (sinceMs > nowMs - JOB_LAG_MS) break;
    const [books] = await ledger.books(minute, minute + 1);
    if (books !== undefined && books.archived > books.counted + books.duplicate + books.late) {
      throw new NotWell(`events of ${iso(minute * MINUTE_MS)} are archived and not counted since ${iso(sinceMs)}`);
    }
  }
  return "what is archived is counted";
}

/**
 * Reports crashed instances. The events that such an instance accepted after its last booking are known by its messages
 * alone.
 */
async function openAccounts(ledger: SharedLedger, nowMs: number): Promise<string> {
  const accounts = await ledger.ingestAccounts();
  const ended = accounts.filter(({ leaseUntilMs }) => leaseUntilMs <= nowMs && leaseUntilMs > nowMs - DAY_MS);
  if (ended.length === 0) return `${accounts.filter(({ leaseUntilMs }) => leaseUntilMs > nowMs).length} open`;
  const since = ended.map(({ instance, throughMs }) => `${instance} after ${iso(throughMs)}`);
  throw new NotWell(`ended without a last booking in the last day: ${since.slice(0, 5).join(", ")}`);
}

const iso = (timeMs: number): string => new Date(timeMs).toISOString();
