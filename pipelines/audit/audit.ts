// SPDX-License-Identifier: Apache-2.0
/**
 * The audit from its plan to its report. `viewmill audit` runs it, for an operator and for the schedule of the service,
 * and backfills end with it.
 */
import { randomInt, randomUUID } from "node:crypto";
import { ALL_FINAL, finalBeforeMs, NO_LATENESS, setsAside } from "../../domain/rules/lateness";
import { MINUTE_MS, MINUTES_AN_HOUR } from "../../domain/rules/time";
import { provideResource, withdrawResource } from "../../engine";
import type { Archive, AuditReport, CounterStore, Ledger, LogProgress } from "../../io/ports";
import type { AuditOptions, AuditUnit } from "../../transforms/audit-elements";
import { RESOURCES } from "../../transforms/resource-names";
import { pause } from "../pause";
import { AuditBooks } from "./audit-books";
import { type AuditRunner, directAuditRunner } from "./audit-runner";
import { checkRollUps, compareRolledRange } from "./check-roll-ups";
import { type AuditPlan, EVENTS_A_UNIT, partsOf, planAudit } from "./plan-audit";
import { examplesOf } from "./reused-examples";

export interface AuditDependencies {
  archive: Archive;
  counters: CounterStore;
  ledger: Ledger;
  progress: LogProgress;
  /** The runner of the graph; default: this process. */
  runner?: AuditRunner;
  clock: () => number;
}

export interface AuditRange {
  /**
   * The audited range, half-open and widened to whole minutes. Undefined: from the first minute to the end of the last
   * minute that was promised or is stored.
   */
  fromMs?: number | undefined;
  toMs?: number | undefined;
  repair: boolean;
  /** The lateness rule of the stream whose counters these are; NO_LATENESS: it has none. */
  allowedLatenessMs: number;
  /**
   * The number of events that one worker holds at once; default 6,000,000. A minute with more events is divided by its
   * ids.
   */
  eventsAUnit?: number;
  /** How long a worker waits for a stream that is behind; default 30,000. */
  patienceMs?: number;
}

const IDS_A_PARTITION = 2_000_000;
const MAX_ID_PARTITIONS = 4_096;
const AGAIN_PAUSE_MS = 200;
const PATIENCE_MS = 30_000;
/** The number of reports among which the last check of roll-ups and totals is looked for. */
const REPORTS_READ = 200;

/**
 * The strong audit: recounts [from, to) from the archive by its own algorithm, compares every cell with the
 * CounterStore in both directions, then the levels above, and with `repair` stores its numbers as corrections. It goes
 * over all that was promised, whether there is anything of it or not. The driver keeps a row a minute, sums, and
 * examples. The report is stored and returned. docs/decisions/0021-an-audit-goes-over-promises.md
 */
export async function runAudit(deps: AuditDependencies, range: AuditRange): Promise<AuditReport> {
  const { runner = directAuditRunner, ledger, clock } = deps;
  const startedAtMs = clock();
  const began = performance.now();
  const asked = { fromMinute: minuteAt(range.fromMs, Math.floor), toMinute: minuteAt(range.toMs, Math.ceil) };
  const plan = await planAudit(deps, { ...asked, eventsAUnit: range.eventsAUnit ?? EVENTS_A_UNIT });
  const options = await optionsOf(deps, range, plan);
  const books = new AuditBooks(options);
  const report = await withPorts(deps, async () => {
    const reused = await runner.run(plan.units, options, async (findings) => books.take(findings));
    await untilStable(runner, options, books, plan);
    books.takeRolled(await compareRolledRange(deps.counters, plan));
    const sums = { ...books.report(), ...(await examplesOf(deps.archive, reused, options.seeds)) };
    return { ...sums, outcome: books.outcome() };
  });
  if (range.repair) await settle(ledger, books, startedAtMs);
  await withdrawMarks(ledger, books.wrong());
  await mark(deps, books, options);
  const whole: AuditReport = {
    ...report,
    id: randomUUID(),
    startedAtMs,
    durationMs: Math.round(performance.now() - began),
    fromMs: plan.fromMinute * MINUTE_MS,
    toMs: plan.toMinute * MINUTE_MS,
    repair: range.repair,
    runner: runner.name,
  };
  await ledger.addAudit(whole);
  return whole;
}

/** Writes the numbers of the counters into the ledger after a repair. */
async function settle(ledger: Ledger, books: AuditBooks, auditedAtMs: number): Promise<void> {
  const settled = books.settled();
  if (settled.length > 0) await ledger.settleLate(settled, { auditedAtMs });
  const turnedUp = books.turnedUp();
  if (turnedUp.length > 0) await ledger.writeOff(turnedUp);
}

/**
 * Checks the roll-ups, and every total against its days, whatever range touched them. Stored and returned as a report
 * of no range.
 */
export async function auditTotals(
  deps: Pick<AuditDependencies, "counters" | "ledger" | "runner" | "clock">,
  { repair }: { repair: boolean },
): Promise<AuditReport> {
  const { runner = directAuditRunner, counters, ledger, clock } = deps;
  const startedAtMs = clock();
  const began = performance.now();
  const books = new AuditBooks({ repair, allowedLatenessMs: NO_LATENESS, finalBeforeMs: 0 });
  const lastMs = (await ledger.audits(REPORTS_READ)).find(({ totals }) => totals === true)?.startedAtMs;
  const rolled = await checkRollUps(counters, { nowMs: startedAtMs, lastMs });
  books.takeRolled(rolled);
  provideResource(RESOURCES.counterStore, counters);
  try {
    for (const finding of await runner.totals(counters.videoParts, { repair })) books.addSums(finding);
  } finally {
    withdrawResource(RESOURCES.counterStore);
  }
  const report: AuditReport = {
    ...books.report(),
    id: randomUUID(),
    startedAtMs,
    durationMs: Math.round(performance.now() - began),
    fromMs: 0,
    toMs: 0,
    repair,
    runner: runner.name,
    notComparable: rolled.notComparable.map(({ minute, reason }) => ({ minute, reason })),
    outcome: books.outcome(),
    totals: true,
  };
  await ledger.addAudit(report);
  return report;
}

function minuteAt(timeMs: number | undefined, round: (value: number) => number): number | undefined {
  return timeMs === undefined ? undefined : round(timeMs / MINUTE_MS);
}

async function optionsOf(
  { counters, progress, clock }: AuditDependencies,
  { repair, allowedLatenessMs, patienceMs = PATIENCE_MS }: AuditRange,
  plan: AuditPlan,
): Promise<AuditOptions> {
  const archivedThroughMs = setsAside(allowedLatenessMs) ? await progress.archivedThroughMs(clock()) : 0;
  return {
    fromMinute: plan.fromMinute,
    toMinute: plan.toMinute,
    isAgain: false,
    allowedLatenessMs,
    finalBeforeMs: finalBeforeMs(archivedThroughMs, allowedLatenessMs),
    repair,
    patienceMs,
    seeds: [randomInt(2 ** 31), randomInt(2 ** 31)],
    idPartitions: Math.min(MAX_ID_PARTITIONS, Math.max(1, Math.ceil(plan.events / IDS_A_PARTITION))),
    videoParts: counters.videoParts,
  };
}

/** Audits minutes again that changed while they were compared. */
async function untilStable(
  runner: AuditRunner,
  options: AuditOptions,
  books: AuditBooks,
  plan: AuditPlan,
): Promise<void> {
  const parts = new Map(plan.units.map((unit) => [unit.minute, unit]));
  for (let round = 1; round < runner.rounds && books.unstable.size > 0; round++) {
    await pause(AGAIN_PAUSE_MS, new AbortController().signal);
    const units: AuditUnit[] = books.auditAgain().flatMap((minute) => {
      const { of = 1, events = 0 } = parts.get(minute) ?? {};
      return partsOf(minute, Math.max(1, of), events);
    });
    await runner.run(units, { ...options, isAgain: true }, async (findings) => books.take(findings));
  }
  books.neverStable();
}

/**
 * Marks the minutes that the audit found correct: the compared minutes, and the minutes between them without any
 * promise or stored cell.
 */
async function mark(
  { ledger, clock }: AuditDependencies,
  books: AuditBooks,
  { finalBeforeMs: finalMs, fromMinute, toMinute }: AuditOptions,
): Promise<void> {
  const through = Math.floor(Math.min(finalMs, clock()) / MINUTE_MS);
  const to = Math.min(toMinute, Math.max(through, finalMs === ALL_FINAL ? books.lastMinute + 1 : 0));
  if (fromMinute >= to) return;
  await ledger.markAudited({ fromMinute, toMinute: to, sequences: books.sequences(), except: books.unproven() });
}

/** Takes back what earlier audits said of minutes that this audit found wrong. */
async function withdrawMarks(ledger: Ledger, minutes: ReadonlySet<number>): Promise<void> {
  for (const [hour, own] of Map.groupBy(minutes, (minute) => Math.floor(minute / MINUTES_AN_HOUR))) {
    const from = hour * MINUTES_AN_HOUR;
    const marked = await ledger.auditedCounts(from, from + MINUTES_AN_HOUR, 1);
    const wrong = own.filter((minute) => marked.has(minute));
    if (wrong.length > 0) await ledger.addObjects([], wrong);
  }
}

/** The ports belong to the process, so audits of one process take turns. */
let audits: Promise<unknown> = Promise.resolve();

function withPorts<T>(deps: AuditDependencies, work: () => Promise<T>): Promise<T> {
  const inTurn = audits.then(() => withOwnPorts(deps, work));
  audits = inTurn.catch(() => undefined);
  return inTurn;
}

async function withOwnPorts<T>(deps: AuditDependencies, work: () => Promise<T>): Promise<T> {
  const provided = new Map<string, unknown>([
    [RESOURCES.archive, deps.archive],
    [RESOURCES.counterStore, deps.counters],
    [RESOURCES.ledger, deps.ledger],
    [RESOURCES.logProgress, deps.progress],
  ]);
  for (const [name, value] of provided) provideResource(name, value);
  try {
    return await work();
  } finally {
    for (const name of provided.keys()) withdrawResource(name);
  }
}
