import { BACKFILL_PART } from "../../domain/rules/ledger-parts";
import { MINUTES_AN_HOUR } from "../../domain/rules/time";
import type { AuditDifference, AuditReport, LedgerRow, SettledMinute } from "../../io/ports";
import type { HourFinding } from "../../transforms/compare-hours";
import type { MinuteRow } from "../../transforms/minute-verdict";

const MAX_LISTED = 1_000;
/** Levels above the minutes are looked at by every hour that touches them: each difference is told once, as long as that many are remembered. */
const MAX_KNOWN = 100_000;

type AuditSums = Omit<
  AuditReport,
  "id" | "startedAtMs" | "durationMs" | "fromMs" | "toMs" | "repair" | "runner" | "outcome"
>;

interface Sums {
  cellsCompared: number;
  cellsDiffering: number;
  cellsRepaired: number;
  differences: readonly AuditDifference[];
}

/** What an audit's driver knows of it: a row a minute, sums, and examples. */
export class AuditBooks {
  /** Minutes to be audited again. */
  readonly unstable = new Set<number>();
  private readonly rows = new Map<number, MinuteRow>();
  private readonly left = new Set<number>();
  private readonly wrongHours = new Set<number>();
  private readonly reasons = new Map<number, string>();
  private readonly known = new Set<string>();
  private readonly sums = { cellsCompared: 0, cellsDiffering: 0, cellsRepaired: 0 };
  private readonly differences: AuditDifference[] = [];

  constructor(private readonly options: { repair: boolean }) {}

  take(findings: readonly HourFinding[]): void {
    for (const finding of findings) {
      for (const row of finding.minutes) {
        this.rows.set(row.minute, row);
        this.reasons.delete(row.minute);
        if (row.notComparable !== "") this.reasons.set(row.minute, row.notComparable);
      }
      for (const minute of finding.unstable) this.unstable.add(minute);
      for (const minute of finding.differing) this.left.add(minute);
      for (const minute of finding.notFinal) this.reasons.set(minute, NOT_FINAL);
      if (finding.incomparable !== undefined) {
        this.reasons.set(finding.hour * MINUTES_AN_HOUR, finding.incomparable);
        this.wrongHours.add(finding.hour);
      }
      if (finding.levelsDiffer) this.wrongHours.add(finding.hour);
      this.addSums(finding);
    }
  }

  addSums({ cellsCompared, cellsDiffering, cellsRepaired, differences }: Sums): void {
    this.sums.cellsCompared += cellsCompared;
    this.sums.cellsDiffering += cellsDiffering;
    this.sums.cellsRepaired += cellsRepaired;
    for (const difference of differences) {
      const { level, startMs, videoId, eventType } = difference;
      if (level !== "minute" && this.known.size < MAX_KNOWN) {
        const before = this.known.size;
        if (this.known.add(`${level} ${startMs} ${videoId} ${eventType}`).size === before) {
          this.sums.cellsDiffering--;
          if (this.options.repair) this.sums.cellsRepaired--;
          continue;
        }
      }
      if (this.differences.length < MAX_LISTED) this.differences.push(difference);
    }
  }

  neverStable(): void {
    for (const minute of this.unstable) this.reasons.set(minute, "the minute kept changing while it was compared");
  }

  get lastMinute(): number {
    let last = Number.NEGATIVE_INFINITY;
    for (const minute of this.rows.keys()) last = Math.max(last, minute);
    return last;
  }

  report(): AuditSums {
    const sums = { objectsRead: 0, events: 0, distinctEvents: 0, lateEvents: 0 };
    for (const { objects, counted } of this.rows.values()) {
      sums.objectsRead += objects;
      sums.events += counted.events;
      sums.distinctEvents += counted.distinct;
      sums.lateEvents += counted.lateCounted + counted.lateDuplicate;
    }
    const reasons = [...this.reasons].sort(([a], [b]) => a - b).slice(0, MAX_LISTED);
    return {
      ...sums,
      ...this.sums,
      reusedEventIds: 0,
      notComparable: reasons.map(([minute, reason]) => ({ minute, reason })),
      differences: this.differences,
    };
  }

  outcome(): AuditReport["outcome"] {
    if (this.reasons.size > 0) return "not-comparable";
    if (this.sums.cellsDiffering === 0) return "equal";
    return this.sums.cellsRepaired === this.sums.cellsDiffering ? "repaired" : "differences";
  }

  sequences(): Map<number, number> {
    return new Map([...this.rows.values()].map(({ minute, changeSequence }) => [minute, changeSequence]));
  }

  /** Minutes that are not as they should be, or of which that is not known. */
  unproven(): number[] {
    const minutes = new Set([...this.left, ...this.reasons.keys()]);
    for (const minute of this.rows.keys())
      if (this.wrongHours.has(Math.floor(minute / MINUTES_AN_HOUR))) minutes.add(minute);
    return [...minutes].sort((a, b) => a - b);
  }

  /** What the counters now have of the events that the stream sets aside, and of those it never sees. */
  settled(): { late: SettledMinute[]; backfilled: LedgerRow[] } {
    const unproven = new Set(this.unproven());
    const late: SettledMinute[] = [];
    const backfilled: LedgerRow[] = [];
    for (const { minute, counted: all } of this.rows.values()) {
      if (unproven.has(minute)) continue;
      if (all.lateCounted + all.lateDuplicate > 0)
        late.push({ minute, counted: all.lateCounted, duplicate: all.lateDuplicate });
      const [counted, duplicate] = [all.backfillCounted, all.backfillDuplicate];
      if (counted + duplicate === 0) continue;
      const row = { minute, part: BACKFILL_PART, received: counted + duplicate, counted, duplicate };
      backfilled.push({ ...row, late: 0, reusedIds: 0 });
    }
    return { late, backfilled };
  }
}

const NOT_FINAL = "cells differ, and the stream may still count events of the minute";
