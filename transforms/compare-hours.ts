// SPDX-License-Identifier: Apache-2.0
import type { MinuteCounts } from "../domain/columns/minute-counts";
import { addTo } from "../domain/rules/cell-sums";
import { correctionsOf } from "../domain/rules/corrections";
import { isFinalMinute } from "../domain/rules/lateness";
import { addToCell, type CellDifference, type ComparedCell, cellKey, differences } from "../domain/rules/reconcile";
import { touchesDay } from "../domain/rules/roll-up-turns";
import { dayOf, HOUR_MS, MINUTE_MS, MINUTES_AN_HOUR } from "../domain/rules/time";
import {
  type AwaitableDoFn,
  awaitableParDo,
  groupByKey,
  type KV,
  type PCollection,
  register,
  resource,
  withName,
} from "../engine";
import {
  type Archive,
  type AuditDifference,
  type CounterStore,
  type Ledger,
  type RolledHour,
  StoreUnavailableError,
} from "../io/ports";
import type { AuditOptions, HourElement, RecountBooks } from "./audit-elements";
import { cellColumns, decodeCells, type RecountedCell } from "./cell-columns";
import { differingLevels, type LevelDifference } from "./compare-levels";
import { HourNames } from "./hour-names";
import { type MinuteRow, verdictOf } from "./minute-verdict";
import { objectsKey } from "./recount-minutes";
import { RESOURCES } from "./resource-names";
import { areSameCells } from "./same-cells";

const HOURS_IN_FLIGHT = 1;
/** The largest number of differences that a finding lists. All of them are counted. */
const MAX_LISTED = 1_000;

/** The result of the comparison for one hour and part of the videos. */
export interface HourFinding {
  hour: number;
  videoPart: number;
  /** The books of the recounted minutes; in the finding of part 0 alone. */
  minutes: MinuteRow[];
  cellsCompared: number;
  cellsDiffering: number;
  cellsRepaired: number;
  differences: AuditDifference[];
  /** Minutes with corrected cells. */
  corrected: number[];
  /** Minutes whose differences stay. */
  differing: number[];
  /** Minutes that changed while they were compared, and that the audit has to look at again. */
  unstable: number[];
  /** Minutes that differ because the stream has not passed them yet. */
  notFinal: number[];
  /** Whether levels above the minutes differ and stay so. */
  levelsDiffer: boolean;
  /** Why no cell of the hour could be compared: its cells are leaving the store, or a roll-up is damaged. */
  incomparable?: string;
}

/**
 * Compares an hour's recounted cells of a part of the videos with the stored ones, in both directions, then the levels
 * above them for the videos that the hour touches. With `repair` the recount's numbers are stored as corrections. In:
 * cells and books by hour and part of the videos. Out: one finding a key. Rejects: none. Windowing: global. Replay: a
 * repaired cell is equal then; no other cell changes. The audit's graph has this step after the recount.
 */
export function compareHours(
  hours: PCollection<KV<string, HourElement>>,
  options: AuditOptions,
): PCollection<HourFinding> {
  return hours
    .apply(withName("GroupByHour", groupByKey<string, HourElement>()))
    .apply(awaitableParDo("CompareHour", new CompareHour(RESOURCES, options), { maxInFlight: HOURS_IN_FLIGHT }));
}

export class CompareHour implements AwaitableDoFn<KV<string, Iterable<HourElement>>, HourFinding> {
  constructor(
    readonly names: { archive: string; counterStore: string; ledger: string },
    readonly options: AuditOptions,
  ) {}

  async process({ key, value }: KV<string, Iterable<HourElement>>): Promise<HourFinding[]> {
    const [hour, videoPart] = key.split(" ").map(Number) as [number, number];
    const comparison = new HourComparison(hour, videoPart, this.options, {
      archive: resource<Archive>(this.names.archive),
      counters: resource<CounterStore>(this.names.counterStore),
      ledger: resource<Ledger>(this.names.ledger),
    });
    return [await comparison.run(value)];
  }
}

interface Ports {
  archive: Archive;
  counters: CounterStore;
  ledger: Ledger;
}

class HourComparison {
  private readonly finding: HourFinding;
  private readonly books = new Map<number, MinuteRow>();
  private readonly cells = new Map<number, Uint8Array[]>();
  /** The names of all videos that the hour touches. */
  private readonly touched: HourNames;
  private rolled: RolledHour | undefined;
  /** The numbers that the stored minutes lack, by cell. */
  private readonly lacking = new Map<string, ComparedCell>();

  constructor(
    private readonly hour: number,
    private readonly videoPart: number,
    private readonly options: AuditOptions,
    private readonly ports: Ports,
  ) {
    this.touched = new HourNames(options.seeds[0]);
    this.finding = {
      ...{ hour, videoPart, minutes: [], cellsCompared: 0, cellsDiffering: 0, cellsRepaired: 0, differences: [] },
      ...{ corrected: [], differing: [], unstable: [], notFinal: [], levelsDiffer: false },
    };
  }

  async run(elements: Iterable<HourElement>): Promise<HourFinding> {
    this.take(elements);
    const { counters } = this.ports;
    this.rolled = await counters.rolledHour?.(this.hour);
    if (this.rolled?.isRolling === true) return this.notCompared("cells of the hour are being rolled up");
    const { fromMinute, toMinute, isAgain } = this.options;
    const from = Math.max(fromMinute, this.hour * MINUTES_AN_HOUR);
    const to = Math.min(toMinute, (this.hour + 1) * MINUTES_AN_HOUR);
    const recounted = new Set(this.cells.keys());
    for await (const stored of counters.minuteCells(from, to, this.videoPart)) {
      recounted.delete(stored.minute);
      if (isAgain && !this.books.has(stored.minute)) continue;
      await this.compareStored(stored);
    }
    for (const minute of recounted) await this.compare(minute, new Map());
    try {
      await this.touchRolled();
      await this.compareLevels();
    } catch (error) {
      if (!(error instanceof StoreUnavailableError) || !(await this.hasRollUps())) throw error;
      return this.notCompared(error.message);
    }
    if (this.videoPart === 0) this.finding.minutes = [...this.books.values()];
    return this.finding;
  }

  /** Returns whether files touch the day of the hour: a file of hours has a whole month. */
  private async hasRollUps(): Promise<boolean> {
    if (this.rolled !== undefined) return true;
    const rollUps = (await this.ports.counters.rollUps?.()) ?? [];
    return rollUps.some((one) => touchesDay(one, dayOf(this.hour)));
  }

  private notCompared(reason: string): HourFinding {
    if (this.videoPart === 0) this.finding.minutes = [...this.books.values()];
    return { ...this.finding, incomparable: reason };
  }

  /**
   * Adds the videos whose cells of the hour have left the store. The levels above them are compared with the roll-ups.
   */
  private async touchRolled(): Promise<void> {
    for (const videoId of (await this.rolled?.videos(this.videoPart)) ?? []) this.touched.numberOf(videoId);
  }

  private take(elements: Iterable<HourElement>): void {
    const parts = new Map<number, RecountBooks[]>();
    for (const { minute, cells, books } of elements) {
      if (cells !== undefined) this.cells.set(minute, [...(this.cells.get(minute) ?? []), cells]);
      if (books !== undefined) parts.set(minute, [...(parts.get(minute) ?? []), books]);
    }
    for (const [minute, books] of parts) {
      const { row, isChanged } = verdictOf(books);
      this.books.set(minute, row);
      if (isChanged) this.finding.unstable.push(minute);
    }
  }

  private async compareStored(stored: MinuteCounts): Promise<void> {
    const { minute } = stored;
    const cells = this.cells.get(minute) ?? [];
    if (cells.length !== 1 || !areSameCells(cellColumns(cells[0]!), stored, this.touched)) {
      await this.compare(minute, storedCells(stored));
      return;
    }
    this.cells.delete(minute);
    if (this.isComparable(minute)) this.finding.cellsCompared += stored.counts.length;
  }

  private isComparable(minute: number): boolean {
    return !this.finding.unstable.includes(minute) && (this.books.get(minute)?.notComparable ?? "") === "";
  }

  private async compare(minute: number, stored: ReadonlyMap<string, ComparedCell>): Promise<void> {
    const { finding } = this;
    const recounted = this.recounted(minute);
    for (const { videoId } of stored.values()) this.touched.numberOf(videoId);
    for (const { videoId } of recounted.values()) this.touched.numberOf(videoId);
    if (!this.isComparable(minute)) return;
    let cells = recounted.size;
    for (const key of stored.keys()) if (!recounted.has(key)) cells++;
    const found = differences(recounted, stored);
    if (found.length > 0 && !(await this.isUnchanged(minute))) {
      finding.unstable.push(minute);
      return;
    }
    finding.cellsCompared += cells;
    if (found.length === 0) return;
    if (!isFinalMinute(minute, this.options.finalBeforeMs)) finding.notFinal.push(minute);
    else await this.differ(minute, found, recounted);
  }

  private async differ(
    minute: number,
    found: readonly CellDifference[],
    recounted: ReadonlyMap<string, RecountedCell>,
  ): Promise<void> {
    const { finding } = this;
    for (const difference of found) this.list("minute", minute * MINUTE_MS, difference);
    if (!this.options.repair) {
      finding.differing.push(minute);
      for (const each of found) {
        const { videoId, eventType, expectedCount, expectedSum, expectedValued } = each;
        const { storedCount, storedSum, storedValued } = each;
        const lacks = [expectedCount - storedCount, expectedSum - storedSum, expectedValued - storedValued] as const;
        addToCell(this.lacking, videoId, eventType, ...lacks);
      }
      return;
    }
    const cells = found.map((each) => ({
      ...each,
      lastMsInMinute: recounted.get(cellKey(each.videoId, each.eventType))?.lastMsInMinute ?? 0,
    }));
    for (const counts of correctionsOf(minute, cells)) await this.ports.counters.correct([counts]);
    finding.cellsRepaired += found.length;
    finding.corrected.push(minute);
    // A stream that follows corrections may have written between the comparison and the correction. The correction then
    // took the stream's events away. By now the archive has an object with these events, and the minute is audited
    // again at once.
    if (!(await this.isUnchanged(minute))) finding.unstable.push(minute);
  }

  /** Returns whether the archive and the books of the minute are still those that the recount read. */
  private async isUnchanged(minute: number): Promise<boolean> {
    const { archive, ledger } = this.ports;
    const sequence = (await ledger.changeSequences(minute, minute + 1)).get(minute) ?? 0;
    const key = objectsKey(await archive.list(minute, minute + 1));
    const books = this.books.get(minute);
    return sequence === (books?.changeSequence ?? 0) && key === (books?.objectsKey ?? objectsKey([]));
  }

  private recounted(minute: number): Map<string, RecountedCell> {
    const cells = new Map<string, RecountedCell>();
    for (const bytes of this.cells.get(minute) ?? []) {
      for (const cell of decodeCells(cellColumns(bytes))) {
        const key = cellKey(cell.videoId, cell.eventType);
        const known = cells.get(key);
        if (known === undefined) {
          cells.set(key, cell);
          continue;
        }
        addTo(known, cell);
        known.lastMsInMinute = Math.max(known.lastMsInMinute, cell.lastMsInMinute);
      }
    }
    this.cells.delete(minute);
    return cells;
  }

  private async compareLevels(): Promise<void> {
    const { counters } = this.ports;
    const wrong = new Set<string>();
    // The cells below have left the store. A person has to say whether the level or the roll-up is right.
    const isRepairing = this.options.repair && this.rolled === undefined;
    for await (const each of differingLevels(counters, this.touched.all(), this.hour, this.lacking)) {
      this.list(each.level, each.startMs, cellDifference(each));
      wrong.add(each.videoId);
      if (isRepairing) this.finding.cellsRepaired++;
    }
    if (wrong.size === 0) return;
    this.finding.levelsDiffer = !isRepairing;
    if (!isRepairing) return;
    for (const videoId of wrong) await counters.rebuild(videoId, this.hour * HOUR_MS, (this.hour + 1) * HOUR_MS);
  }

  private list(level: AuditDifference["level"], startMs: number, d: CellDifference): void {
    this.finding.cellsDiffering++;
    if (this.finding.differences.length < MAX_LISTED) this.finding.differences.push(auditDifference(level, startMs, d));
  }
}

function cellDifference({ videoId, eventType, expected, stored }: LevelDifference): CellDifference {
  return {
    videoId,
    eventType,
    expectedCount: expected.count,
    expectedSum: expected.sum,
    expectedValued: expected.valued,
    storedCount: stored.count,
    storedSum: stored.sum,
    storedValued: stored.valued,
  };
}

export const levelDifference = (found: LevelDifference): AuditDifference =>
  auditDifference(found.level, found.startMs, cellDifference(found));

function auditDifference(level: AuditDifference["level"], startMs: number, d: CellDifference): AuditDifference {
  return {
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
  };
}

function storedCells(counts: MinuteCounts): Map<string, ComparedCell> {
  const cells = new Map<string, ComparedCell>();
  for (let row = 0; row < counts.counts.length; row++) {
    const high = counts.sumHigh[row]!;
    const low = counts.sumLow[row]!;
    addToCell(
      cells,
      counts.videos[counts.videoIndex[row]!]!,
      counts.types[counts.typeIndex[row]!]!,
      counts.counts[row]!,
      high === 0 ? BigInt(low) : (BigInt(high) << 32n) + BigInt(low),
      counts.valued[row]!,
    );
  }
  return cells;
}

register(module);
