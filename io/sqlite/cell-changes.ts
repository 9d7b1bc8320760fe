// SPDX-License-Identifier: Apache-2.0
/**
 * What the last transactions changed: a row per transaction, with the minutes, hours and days whose blocks it wrote. A
 * reader that keeps cells (kept-cells.ts) learns from it which of them it must read again. Every writer of blocks
 * writes it in the same transaction (block-tables.ts).
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { dayOf, hourOf } from "../../domain/rules/time";

/** The levels of time; the totals have none. */
export type TimeLevel = "minute" | "hour" | "day";
const TIME_LEVELS: readonly TimeLevel[] = ["minute", "hour", "day"];

/** `times` is NULL where a transaction changed more times than a row names. */
export const CELL_CHANGES = `
CREATE TABLE cell_changes (mark INTEGER PRIMARY KEY, times TEXT);
INSERT INTO cell_changes VALUES (0, NULL);
`;

/** The transactions that a reader may be behind: at ten a second most of a minute. */
const KEPT_MARKS = 512;
const MOST_TIMES = 256;

type Times = Record<TimeLevel, number[]>;

/** Collects the times of one transaction, and writes them with it. */
export class CellChanges {
  readonly #put: StatementSync;
  readonly #prune: StatementSync;
  readonly #last: StatementSync;
  #isWritten = false;
  readonly #times = { minute: new Set<number>(), hour: new Set<number>(), day: new Set<number>() };

  constructor(db: DatabaseSync) {
    this.#put = db.prepare("INSERT INTO cell_changes SELECT MAX(mark) + 1, ? FROM cell_changes");
    this.#last = lastMark(db);
    this.#prune = db.prepare(`DELETE FROM cell_changes WHERE mark <= (SELECT MAX(mark) FROM cell_changes) - ?`);
  }

  /** Returns the mark of the last transaction that wrote cells. */
  last(): number {
    return numberOf(this.#last);
  }

  /** Notes that the transaction writes a block of any level. */
  noteWrite(): void {
    this.#isWritten = true;
  }

  note(level: TimeLevel, time: number): void {
    this.#times[level].add(time);
  }

  /** Writes the row of the transaction, after its blocks. Returns whether it has one. */
  flush(): boolean {
    if (!this.#isWritten) return false;
    const { minute, hour, day } = this.#times;
    const size = minute.size + hour.size + day.size;
    const times: Times = { minute: [...minute], hour: [...hour], day: [...day] };
    this.#put.run(size > MOST_TIMES ? null : JSON.stringify(times));
    this.#prune.run(KEPT_MARKS);
    this.forget();
    return true;
  }

  forget(): void {
    this.#isWritten = false;
    for (const level of TIME_LEVELS) this.#times[level].clear();
  }
}

function lastMark(db: DatabaseSync): StatementSync {
  const last = db.prepare("SELECT MAX(mark) FROM cell_changes");
  last.setReturnArrays(true);
  return last;
}

function numberOf(last: StatementSync): number {
  const [mark] = last.get() as unknown as [number];
  return mark;
}

/** Reads what changed since a mark, on the snapshot of the caller. */
export class CellChangesReader {
  readonly #since: StatementSync;
  readonly #last: StatementSync;

  constructor(db: DatabaseSync) {
    this.#since = db.prepare("SELECT mark, times FROM cell_changes WHERE mark > ? ORDER BY mark");
    this.#since.setReturnArrays(true);
    this.#last = lastMark(db);
  }

  last(): number {
    return numberOf(this.#last);
  }

  /**
   * Calls `changed` with each time of each level whose answers may have changed since, with the transaction's mark: an
   * hour changes with its minutes, and a day with its hours. Returns the newest mark; undefined where the changes are
   * not known, and anything may have changed.
   */
  since(mark: number, changed: (level: TimeLevel, time: number, mark: number) => void): number | undefined {
    let last = mark;
    for (const [its, text] of this.#since.all(mark) as unknown as [number, string | null][]) {
      if (its !== last + 1 || text === null) return undefined;
      last = its;
      const { minute, hour, day } = JSON.parse(text) as Times;
      const hours = new Set([...hour, ...minute.map(hourOf)]);
      for (const time of minute) changed("minute", time, its);
      for (const time of hours) changed("hour", time, its);
      for (const time of new Set([...day, ...Array.from(hours, dayOf)])) changed("day", time, its);
    }
    return last;
  }
}
