// SPDX-License-Identifier: Apache-2.0

import { isFinalMinute, setsAside } from "../../domain/rules/lateness";
import { HOUR_MS, HOURS_A_DAY, hourOf, MINUTES_AN_HOUR } from "../../domain/rules/time";
import type { AuditDifference, AuditReport, FoundLoss, SettledMinute, WriteOff } from "../../io/ports";
import type { AuditOptions } from "../../transforms/audit-elements";
import type { HourFinding } from "../../transforms/compare-hours";
import type { MinuteRow } from "../../transforms/minute-verdict";
import type { RolledFinding } from "./check-roll-ups";

const MAX_LISTED = 1_000;
/**
 * The number of remembered differences. Every hour that touches a level above the minutes looks at the level, and each
 * remembered difference is reported once.
 */
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

/**
 * The memory of an audit's driver: a row a minute, sums, and examples. runAudit fills it from the findings and makes
 * the report of it.
 */
export class AuditBooks {
  /** Minutes to be audited again. */
  readonly unstable = new Set<number>();
  private readonly rows = new Map<number, MinuteRow>();
  private readonly corrected = new Set<number>();
  private readonly left = new Set<number>();
  /** Hours of which no cell was compared, or not every one. */
  private readonly incomparableHours = new Set<number>();
  private readonly differingHours = new Set<number>();
  /** Why minutes could not be compared; of an hour its first minute. */
  private readonly reasons = new Map<number, string>();
  private readonly known = new Set<string>();
  private readonly sums = { cellsCompared: 0, cellsDiffering: 0, cellsRepaired: 0 };
  private readonly differences: AuditDifference[] = [];

  constructor(private readonly options: Pick<AuditOptions, "repair" | "allowedLatenessMs" | "finalBeforeMs">) {}

  /** Takes the findings of parts of the videos, in any order. */
  take(findings: readonly HourFinding[]): void {
    for (const finding of findings) {
      for (const row of finding.minutes) {
        this.rows.set(row.minute, row);
        if (row.notComparable !== "") this.reasons.set(row.minute, row.notComparable);
      }
      for (const minute of finding.unstable) this.unstable.add(minute);
      for (const minute of finding.corrected) this.corrected.add(minute);
      for (const minute of finding.differing) this.left.add(minute);
      for (const minute of finding.notFinal) this.reasons.set(minute, NOT_FINAL);
      if (finding.incomparable !== undefined) {
        this.reasons.set(finding.hour * MINUTES_AN_HOUR, finding.incomparable);
        this.incomparableHours.add(finding.hour);
      }
      if (finding.levelsDiffer) this.differingHours.add(finding.hour);
      this.addSums(finding);
    }
  }

  /** Returns the minutes to be audited again, ascending. The next findings say whether they can be compared. */
  auditAgain(): number[] {
    const minutes = [...this.unstable].sort((a, b) => a - b);
    for (const minute of minutes) if (!this.incomparableHours.has(hourOf(minute))) this.reasons.delete(minute);
    this.unstable.clear();
    return minutes;
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
          // A level above roll-ups is reported and not repaired.
          if (this.options.repair && cellsRepaired > 0) this.sums.cellsRepaired--;
          continue;
        }
      }
      if (this.differences.length < MAX_LISTED) this.differences.push(difference);
    }
  }

  /** Takes what was found of levels whose lower level is in roll-ups. */
  takeRolled({ notComparable, ...sums }: RolledFinding): void {
    this.addSums(sums);
    for (const { level, startMs } of sums.differences) {
      const hours = level === "day" ? HOURS_A_DAY : 1;
      for (let n = 0; n < hours; n++) this.differingHours.add(startMs / HOUR_MS + n);
    }
    for (const { minute, hours, reason } of notComparable) {
      this.reasons.set(minute, reason);
      for (let n = 0; n < hours; n++) this.incomparableHours.add(hourOf(minute) + n);
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
    const losses = this.losses().slice(0, MAX_LISTED);
    const writtenOff = this.writtenOff();
    const reasons = [...this.reasons].sort(([a], [b]) => a - b).slice(0, MAX_LISTED);
    return {
      ...sums,
      ...this.sums,
      reusedEventIds: 0,
      ...(losses.length > 0 && { losses }),
      ...(writtenOff.length > 0 && { writtenOff }),
      notComparable: reasons.map(([minute, reason]) => ({ minute, reason })),
      differences: this.differences,
    };
  }

  private losses(): FoundLoss[] {
    return this.sortedRows().flatMap(({ minute, loss }) => (loss.events > 0 ? [{ minute, ...loss }] : []));
  }

  private writtenOff(): WriteOff[] {
    return this.sortedRows().flatMap(({ missing, writtenOff }) => {
      const events = Math.min(missing, writtenOff?.events ?? 0);
      return events > 0 ? [{ ...writtenOff!, events }] : [];
    });
  }

  /**
   * Returns the losses of which fewer events are missing than were written off. Events that are in the archive after
   * all must not hide later losses.
   */
  turnedUp(): WriteOff[] {
    return this.sortedRows().flatMap(({ missing, writtenOff, notComparable, rolledBooks }) =>
      rolledBooks === undefined && writtenOff !== undefined && missing < writtenOff.events && notComparable === ""
        ? [{ ...writtenOff, events: missing, atMs: writtenOff.atMs + 1 }]
        : [],
    );
  }

  private sortedRows(): MinuteRow[] {
    return [...this.rows.values()].sort((a, b) => a.minute - b.minute);
  }

  outcome(): AuditReport["outcome"] {
    if (this.reasons.size > 0) return "not-comparable";
    if (this.sums.cellsDiffering === 0) return "equal";
    return this.sums.cellsRepaired === this.sums.cellsDiffering ? "repaired" : "differences";
  }

  sequences(): Map<number, number> {
    return new Map([...this.rows.values()].map(({ minute, changeSequence }) => [minute, changeSequence]));
  }

  /** Returns the minutes that differ, or that the audit could not prove equal. */
  unproven(): number[] {
    const minutes = new Set([...this.left, ...this.reasons.keys()]);
    for (const hour of this.incomparableHours) for (const minute of minutesOf(hour)) minutes.add(minute);
    for (const minute of this.wrong()) minutes.add(minute);
    return [...minutes].sort((a, b) => a - b);
  }

  /** Minutes that were compared and differ, or that the archive has not as it should: no earlier audit counts there. */
  wrong(): Set<number> {
    const minutes = new Set(this.left);
    for (const { minute, notComparable } of this.rows.values()) if (notComparable !== "") minutes.add(minute);
    for (const hour of this.differingHours) for (const minute of minutesOf(hour)) minutes.add(minute);
    return minutes;
  }

  /**
   * Returns the new numbers of minutes whose stored numbers are no longer the stream's alone: their cells were
   * corrected, events of theirs were late, backfilled or lost, or roll-ups have their cells; or the stream's numbers do
   * not balance, because it took a message twice. The archive is the truth of such a minute, and so are the audit's
   * numbers, until more is archived.
   */
  settled(): SettledMinute[] {
    const unproven = new Set(this.unproven());
    return this.sortedRows().flatMap((row) => {
      if (unproven.has(row.minute) || !this.isSettled(row)) return [];
      if (row.rolledBooks !== undefined) return settledRolled(row, row.rolledBooks);
      const { events, distinct } = row.counted;
      const archived = events - row.repeated;
      return [{ minute: row.minute, counted: distinct, duplicate: archived - distinct, archived }];
    });
  }

  private isSettled({ minute, counted, writtenOff, wasSettled, isUnbalanced, rolledBooks }: MinuteRow): boolean {
    const { allowedLatenessMs, finalBeforeMs } = this.options;
    if (!isFinalMinute(minute, finalBeforeMs)) return false;
    if (writtenOff !== undefined || wasSettled || rolledBooks !== undefined) return true;
    if (!setsAside(allowedLatenessMs)) return false;
    const { lateCounted, lateDuplicate, backfillCounted, backfillDuplicate } = counted;
    return (
      isUnbalanced ||
      this.corrected.has(minute) ||
      lateCounted + lateDuplicate + backfillCounted + backfillDuplicate > 0
    );
  }
}

/**
 * The counters have what the roll-ups have and what the archive still has. Whatever else was archived was a repeat. No
 * sum of the books tells the two apart: which of the later events an earlier audit has settled is not known.
 */
function settledRolled(
  { minute, counted: { distinct } }: MinuteRow,
  { archived, counted: rolled }: NonNullable<MinuteRow["rolledBooks"]>,
): SettledMinute[] {
  if (rolled === undefined) return [];
  const counted = rolled + distinct;
  return [{ minute, counted, duplicate: Math.max(0, archived - counted), archived }];
}

const minutesOf = (hour: number): number[] =>
  Array.from({ length: MINUTES_AN_HOUR }, (_, n) => hour * MINUTES_AN_HOUR + n);

const NOT_FINAL = "cells differ, and the stream may still count events of the minute";
