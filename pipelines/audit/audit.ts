import { randomUUID } from "node:crypto";
import { correctionsOf } from "../../domain/corrections";
import { MINUTE_MS } from "../../domain/event";
import type { CellDifference } from "../../domain/reconcile";
import { provideResource, withdrawResource } from "../../engine";
import type { Archive, AuditDifference, AuditReport, CounterStore, Ledger, LogProgress } from "../../io/ports";
import type { AuditedMinute } from "../../transforms/audit-minutes";
import { RESOURCES } from "../../transforms/resource-names";
import { type AuditRunner, directAuditRunner } from "./audit-graph";
import { DAY_MS, type DerivedDifference, DerivedLevels, HOUR_MS } from "./derived-levels";

export interface AuditDependencies {
  archive: Archive;
  counters: CounterStore;
  state: Ledger;
  progress: LogProgress;
  /** Where the graph runs; default: in this process. */
  runner?: AuditRunner;
  clock: () => number;
}

export interface AuditRange {
  /** Whole minutes, half-open. Undefined: from the first, to behind the last minute that the archive or the counters have. */
  fromMs?: number | undefined;
  toMs?: number | undefined;
  repair: boolean;
  /** The lateness rule of the stream whose counters these are; -1: it has none. Backfilled events are never late. */
  allowedLatenessMs: number;
}

const MAX_LISTED = 1_000;

/**
 * The strong audit: recounts [from, to) from the archive by its own algorithm, minute by minute, compares every cell at every level with
 * the CounterStore in both directions, and with `repair` applies its numbers as corrections. Works hour by hour, so memory is bounded
 * by one minute's events and one hour's ids. The report is stored and returned.
 */
export async function runAudit(
  deps: AuditDependencies,
  { fromMs, toMs, repair, allowedLatenessMs }: AuditRange,
): Promise<AuditReport> {
  const { runner = directAuditRunner } = deps;
  const startedAtMs = deps.clock();
  const began = performance.now();
  const minutes = await minutesToAudit(deps, fromMs ?? 0, toMs ?? Number.MAX_SAFE_INTEGER);
  const first = fromMs ?? (minutes[0] ?? 0) * MINUTE_MS;
  const last = toMs ?? ((minutes[minutes.length - 1] ?? -1) + 1) * MINUTE_MS;
  const audit = new RunningAudit(deps, runner, repair, allowedLatenessMs);
  const provided = {
    archive: deps.archive,
    counterStore: deps.counters,
    ledger: deps.state,
    logProgress: deps.progress,
  };
  for (const [name, value] of Object.entries(provided))
    provideResource(RESOURCES[name as keyof typeof provided], value);
  try {
    await runner.prepare(minutes, { allowedLatenessMs });
    for (const [hour, itsMinutes] of byHour(minutes)) await audit.hour(hour, itsMinutes, first, last);
    await audit.finish();
  } finally {
    for (const name of Object.keys(provided)) withdrawResource(RESOURCES[name as keyof typeof provided]);
  }
  await audit.markEmptyMinutes(first, last);
  const report: AuditReport = {
    ...audit.report,
    id: randomUUID(),
    startedAtMs,
    durationMs: Math.round(performance.now() - began),
    fromMs: first,
    toMs: Math.max(first, last),
    repair,
    runner: runner.name,
    outcome: audit.outcome(),
  };
  await deps.state.addAudit(report);
  return report;
}

/** Minutes that have archived events or stored cells. */
async function minutesToAudit(
  { archive, counters }: AuditDependencies,
  fromMs: number,
  toMs: number,
): Promise<number[]> {
  const from = Math.floor(fromMs / MINUTE_MS);
  const to = Math.ceil(toMs / MINUTE_MS);
  const minutes = new Set(await archive.minutes(from, to));
  for await (const { minute } of counters.minuteCells(from, to)) minutes.add(minute);
  return [...minutes].sort((a, b) => a - b);
}

function byHour(minutes: readonly number[]): Map<number, number[]> {
  const hours = new Map<number, number[]>();
  for (const minute of minutes) {
    const hour = Math.floor(minute / 60) * HOUR_MS;
    const itsMinutes = hours.get(hour);
    if (itsMinutes === undefined) hours.set(hour, [minute]);
    else itsMinutes.push(minute);
  }
  return hours;
}

class RunningAudit {
  readonly report = {
    objectsRead: 0,
    events: 0,
    distinctEvents: 0,
    cellsCompared: 0,
    cellsDiffering: 0,
    cellsRepaired: 0,
    reusedEventIds: 0,
    lateEvents: 0,
    notComparable: [] as { minute: number; reason: string }[],
    differences: [] as AuditDifference[],
  };
  private readonly levels: DerivedLevels;
  private readonly days = new Set<number>();
  /** Videos whose derived levels are wrong by themselves, with the range to rebuild. */
  private readonly rebuilds = new Map<string, { fromMs: number; toMs: number }>();
  private readonly corrections: AuditedMinute[] = [];
  private readonly notMarked: number[] = [];
  private uncompared = 0;

  constructor(
    private readonly deps: AuditDependencies,
    private readonly runner: AuditRunner,
    private readonly repair: boolean,
    private readonly allowedLatenessMs: number,
  ) {
    this.levels = new DerivedLevels(deps.counters);
  }

  async hour(hourMs: number, minutes: readonly number[], fromMs: number, toMs: number): Promise<void> {
    const { found, reusedAcrossMinutes } = await this.runner.hour(minutes, {
      allowedLatenessMs: this.allowedLatenessMs,
    });
    this.report.reusedEventIds += reusedAcrossMinutes;
    for (const result of found) this.minute(result, hourMs);
    await this.lateEvents(minutes);
    this.days.add(Math.floor(hourMs / DAY_MS) * DAY_MS);
    for (const difference of await this.levels.hour(hourMs)) this.derived(difference, HOUR_MS);
    await this.applyRepairs();
    const comparable = found.filter(({ notComparable }) => notComparable === "");
    const clean = this.repair ? comparable : comparable.filter((result) => result.differences.length === 0);
    for (const one of found) if (!clean.includes(one)) this.notMarked.push(one.minute);
    await this.deps.state.markAudited({
      fromMinute: Math.max(hourMs, Math.ceil(fromMs)) / MINUTE_MS,
      toMinute: Math.min(hourMs + HOUR_MS, toMs, this.nowMinuteMs()) / MINUTE_MS,
      sequences: new Map(clean.map(({ minute, changeSequence }) => [minute, changeSequence])),
      except: this.notMarked,
    });
  }

  private minute(result: AuditedMinute, hourMs: number): void {
    const { report } = this;
    report.objectsRead += result.objects;
    report.events += result.events;
    report.distinctEvents += result.distinct;
    report.reusedEventIds += result.reusedIds;
    report.cellsCompared += result.cells;
    if (result.notComparable !== "") {
      this.uncompared++;
      if (report.notComparable.length < MAX_LISTED)
        report.notComparable.push({ minute: result.minute, reason: result.notComparable });
    }
    for (const difference of result.differences) {
      this.list("minute", result.minute * MINUTE_MS, difference);
      this.levels.correct("hour", hourMs, difference);
    }
    if (this.repair && result.differences.length > 0) this.corrections.push(result);
  }

  /** Repairs hour by hour, so that memory stays bounded; the levels above are then checked against what is right below. */
  private async applyRepairs(): Promise<void> {
    for (const { minute, differences } of this.corrections) {
      for (const counts of correctionsOf(minute, differences)) await this.deps.counters.correct([counts]);
    }
    this.corrections.length = 0;
    if (!this.repair) return;
    for (const [videoId, { fromMs, toMs }] of this.rebuilds) await this.deps.counters.rebuild(videoId, fromMs, toMs);
    this.rebuilds.clear();
    this.report.cellsRepaired = this.report.cellsDiffering;
  }

  private async lateEvents(minutes: readonly number[]): Promise<void> {
    const rows = await this.deps.state.ledger(minutes[0]!, minutes[minutes.length - 1]! + 1);
    for (const { late } of rows) this.report.lateEvents += late;
  }

  private derived(difference: DerivedDifference, lengthMs: number): void {
    this.list(difference.level, difference.startMs, difference);
    const { videoId, startMs, level } = difference;
    if (!this.repair && level === "hour") this.levels.correct("day", Math.floor(startMs / DAY_MS) * DAY_MS, difference);
    if (!this.repair && level === "day") this.levels.correct("total", 0, difference);
    const range = this.rebuilds.get(videoId);
    const toMs = startMs + lengthMs;
    this.rebuilds.set(videoId, {
      fromMs: Math.min(startMs, range?.fromMs ?? startMs),
      toMs: Math.max(toMs, range?.toMs ?? toMs),
    });
  }

  private list(level: AuditDifference["level"], startMs: number, d: CellDifference): void {
    this.report.cellsDiffering++;
    if (this.report.differences.length >= MAX_LISTED) return;
    this.report.differences.push({
      level,
      videoId: d.videoId,
      eventType: d.eventType,
      startMs,
      archiveCount: d.expectedCount,
      storedCount: d.storedCount,
      archiveSum: String(d.expectedSum),
      storedSum: String(d.storedSum),
      archiveValued: d.expectedValued,
      storedValued: d.storedValued,
    });
  }

  /** Days and totals, after every hour is known. */
  async finish(): Promise<void> {
    for (const day of this.days) for (const difference of await this.levels.day(day)) this.derived(difference, DAY_MS);
    await this.applyRepairs();
    for (const difference of await this.levels.total()) this.derived(difference, 0);
    await this.applyRepairs();
  }

  /** Minutes in which nothing was ever found: the whole range, without those that could not be marked. */
  async markEmptyMinutes(fromMs: number, toMs: number): Promise<void> {
    const fromMinute = Math.ceil(fromMs / MINUTE_MS);
    const toMinute = Math.floor(Math.min(toMs, this.nowMinuteMs()) / MINUTE_MS);
    await this.deps.state.markAudited({ fromMinute, toMinute, sequences: new Map(), except: this.notMarked });
  }

  private nowMinuteMs(): number {
    return Math.floor(this.deps.clock() / MINUTE_MS) * MINUTE_MS;
  }

  outcome(): AuditReport["outcome"] {
    if (this.uncompared > 0) return "not-comparable";
    if (this.report.cellsDiffering === 0) return "equal";
    return this.repair ? "repaired" : "differences";
  }
}
