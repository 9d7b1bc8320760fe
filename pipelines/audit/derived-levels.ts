import { addToCell, type CellDifference, type ComparedCell, differences, isDifferent } from "../../domain/reconcile";
import type { CounterStore } from "../../io/ports";

export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

/** How often a cell that differs is read again: a write in between moves both levels, a real difference stays. */
const CONFIRMATIONS = 5;

/** Confirming a total reads every day; with more differences than this something is wrong for certain. */
const MAX_CONFIRMED_TOTALS = 100;

type Sums = Pick<ComparedCell, "count" | "sum" | "valued">;

const NOTHING: Sums = { count: 0, sum: 0n, valued: 0 };

export interface DerivedDifference extends CellDifference {
  level: "hour" | "day" | "total";
  startMs: number;
}

/**
 * Checks I3: hour = sum of its minutes, day = sum of its hours, total = sum of days. What a lower level has wrong is taken off first (by
 * `corrections`), so that a damaged minute is one difference and not four.
 */
export class DerivedLevels {
  /** Key: level and start; value: what to add to the stored sum of that level's parts to get the true sum. */
  private readonly corrections = new Map<string, Map<string, ComparedCell>>();

  constructor(private readonly counters: CounterStore) {}

  correct(level: "hour" | "day" | "total", startMs: number, { videoId, eventType, ...d }: CellDifference): void {
    const key = `${level} ${startMs}`;
    let cells = this.corrections.get(key);
    if (cells === undefined) {
      cells = new Map();
      this.corrections.set(key, cells);
    }
    addToCell(
      cells,
      videoId,
      eventType,
      d.expectedCount - d.storedCount,
      d.expectedSum - d.storedSum,
      d.expectedValued - d.storedValued,
    );
  }

  async hour(startMs: number): Promise<DerivedDifference[]> {
    const expected = new Map<string, ComparedCell>();
    for await (const counts of this.counters.minuteCells(startMs / 60_000, (startMs + HOUR_MS) / 60_000)) {
      for (let row = 0; row < counts.counts.length; row++) {
        const sum = (BigInt(counts.sumHigh[row]!) << 32n) + BigInt(counts.sumLow[row]!);
        addToCell(
          expected,
          counts.videos[counts.videoIndex[row]!]!,
          counts.types[counts.typeIndex[row]!]!,
          counts.counts[row]!,
          sum,
          counts.valued[row]!,
        );
      }
    }
    return this.compare("hour", startMs, expected, this.stored("hour", startMs, startMs + HOUR_MS), "minute", HOUR_MS);
  }

  async day(startMs: number): Promise<DerivedDifference[]> {
    const expected = await this.stored("hour", startMs, startMs + DAY_MS);
    return this.compare("day", startMs, expected, this.stored("day", startMs, startMs + DAY_MS), "hour", DAY_MS);
  }

  async total(): Promise<DerivedDifference[]> {
    const expected = await this.stored("day", 0, Number.MAX_SAFE_INTEGER);
    const stored = new Map<string, ComparedCell>();
    for await (const { videoId, eventType, count, sum, valued } of this.counters.allTotals())
      addToCell(stored, videoId, eventType, count, sum, valued);
    this.apply("total", 0, expected);
    const found: DerivedDifference[] = [];
    const all = differences(expected, stored);
    for (const difference of all) {
      const confirmed = all.length > MAX_CONFIRMED_TOTALS ? difference : await this.confirmTotal(difference);
      if (confirmed !== undefined) found.push({ ...confirmed, level: "total", startMs: 0 });
    }
    return found;
  }

  private async stored(level: "hour" | "day", startMs: number, endMs: number): Promise<Map<string, ComparedCell>> {
    const cells = new Map<string, ComparedCell>();
    for await (const cell of this.counters.derivedCells(level, startMs, endMs)) {
      addToCell(cells, cell.videoId, cell.eventType, cell.count, cell.sum, cell.valued);
    }
    return cells;
  }

  private apply(level: "hour" | "day" | "total", startMs: number, expected: Map<string, ComparedCell>): void {
    for (const cell of this.corrections.get(`${level} ${startMs}`)?.values() ?? []) {
      addToCell(expected, cell.videoId, cell.eventType, cell.count, cell.sum, cell.valued);
    }
  }

  private async compare(
    level: "hour" | "day",
    startMs: number,
    expected: Map<string, ComparedCell>,
    stored: Promise<Map<string, ComparedCell>>,
    parts: "minute" | "hour",
    lengthMs: number,
  ): Promise<DerivedDifference[]> {
    this.apply(level, startMs, expected);
    const found: DerivedDifference[] = [];
    for (const difference of differences(expected, await stored)) {
      const confirmed = await this.confirm(difference, level, startMs, parts, lengthMs);
      if (confirmed !== undefined) found.push({ ...confirmed, level, startMs });
    }
    return found;
  }

  private async confirm(
    { videoId, eventType }: CellDifference,
    level: "hour" | "day",
    startMs: number,
    parts: "minute" | "hour",
    lengthMs: number,
  ): Promise<CellDifference | undefined> {
    const correction = this.corrections.get(`${level} ${startMs}`)?.get(`${videoId} ${eventType}`);
    return this.untilStable(videoId, eventType, correction, async () => {
      const lower = await this.counters.read(videoId, eventType, startMs, startMs + lengthMs, parts);
      const [own] = await this.counters.read(videoId, eventType, startMs, startMs + lengthMs, level);
      return { lower, own: own ?? NOTHING };
    });
  }

  private confirmTotal({ videoId, eventType }: CellDifference): Promise<CellDifference | undefined> {
    const correction = this.corrections.get("total 0")?.get(`${videoId} ${eventType}`);
    return this.untilStable(videoId, eventType, correction, async () => {
      const lower: Sums[] = [];
      for await (const cell of this.counters.derivedCells("day", 0, Number.MAX_SAFE_INTEGER)) {
        if (cell.videoId === videoId && cell.eventType === eventType) lower.push(cell);
      }
      return { lower, own: (await this.counters.totals(videoId)).get(eventType) ?? NOTHING };
    });
  }

  private async untilStable(
    videoId: string,
    eventType: string,
    correction: ComparedCell | undefined,
    read: () => Promise<{ lower: Sums[]; own: Sums }>,
  ): Promise<CellDifference | undefined> {
    let difference: CellDifference | undefined;
    for (let i = 0; i < CONFIRMATIONS; i++) {
      const { lower, own } = await read();
      difference = {
        videoId,
        eventType,
        expectedCount: lower.reduce((sum, cell) => sum + cell.count, correction?.count ?? 0),
        expectedSum: lower.reduce((sum, cell) => sum + cell.sum, correction?.sum ?? 0n),
        expectedValued: lower.reduce((sum, cell) => sum + cell.valued, correction?.valued ?? 0),
        storedCount: own.count,
        storedSum: own.sum,
        storedValued: own.valued,
      };
      if (!isDifferent(difference)) return undefined;
    }
    return difference;
  }
}
