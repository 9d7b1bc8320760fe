// SPDX-License-Identifier: Apache-2.0
/**
 * The state of rows as a writer knows them. Knowledge is a state that the row once had, joined with the writer's own
 * writes since. Versions only grow, so knowledge is never ahead of the row, and a cell computed from it loses against
 * one computed from more. The row's w columns tell whether knowledge is still complete: each writer notes there when it
 * last wrote. The rounds of the counter store compute every level from it.
 */
import { cellMutations, detailMutation, isSameCell, NO_CELL, rollUp, storedCells } from "./cells";
import type { CounterCell } from "./codec";
import { isRanked, type RankMove } from "./rank-rows";
import type { Mutation } from "./requests";
import { DAY_FAMILY, HOUR_FAMILY, MINUTE_FAMILY, MONTH_FAMILY, TOTAL_FAMILY, WRITER_FAMILY } from "./row-keys";
import type { Row, RowCell } from "./rows";

/** Returns the marks of other writers on a row. */
export function marksOf(cells: readonly RowCell[], writerId: string): string {
  const marks: string[] = [];
  for (const { family, qualifier, version } of cells) {
    if (family === WRITER_FAMILY && qualifier !== writerId) marks.push(`${qualifier}@${version}`);
  }
  return marks.length > 1 ? marks.sort().join(" ") : (marks[0] ?? "");
}

/** The known minutes of an hour of a video. */
export class KnownMinutes {
  /** The cells by type, then by `MM`. */
  readonly #cells = new Map<string, Map<string, CounterCell>>();
  readonly marks: string;
  size = 0;
  asOfMs = performance.now();

  constructor(row: Row | undefined, writerId: string) {
    this.marks = marksOf(row?.cells ?? [], writerId);
    for (const { family, qualifier, cell } of storedCells(row?.cells ?? [])) {
      if (family === MINUTE_FAMILY) this.#set(qualifier.slice(0, -3), qualifier.slice(-2), cell);
    }
  }

  cell(type: string, minute: string): CounterCell {
    return this.#cells.get(type)?.get(minute) ?? NO_CELL;
  }

  /** Notes a write, whose version must be larger than the known one. */
  write(type: string, minute: string, cell: CounterCell): Mutation[] {
    this.#set(type, minute, cell);
    return cellMutations(MINUTE_FAMILY, `${type}:${minute}`, cell);
  }

  /** Notes how many events of the known cell have a value. */
  complete(type: string, minute: string, cell: CounterCell): Mutation {
    this.#set(type, minute, cell);
    return detailMutation(MINUTE_FAMILY, `${type}:${minute}`, cell);
  }

  get types(): Iterable<string> {
    return this.#cells.keys();
  }

  hour(type: string): CounterCell {
    return rollUp(this.#cells.get(type)?.values() ?? []);
  }

  #set(type: string, minute: string, cell: CounterCell): void {
    let minutes = this.#cells.get(type);
    if (minutes === undefined) {
      minutes = new Map();
      this.#cells.set(type, minutes);
    }
    if (!minutes.has(minute)) this.size++;
    minutes.set(minute, cell);
  }
}

/** How a computed cell relates to the known one. */
type Outcome = "equal" | "written" | "behind";

interface Unwritten {
  /** Whether the store has another cell of the same version, so that both columns must be written. */
  isExplicit: boolean;
  /** The count in the store. */
  countBefore: number;
}

/**
 * The cells of a level that add up to one cell above: the hours of a day, the days of a month, the months, all of one
 * type; or all totals.
 */
class Children {
  readonly cells = new Map<string, CounterCell>();
  readonly unwritten = new Map<string, Unwritten>();

  constructor(
    readonly family: LevelFamily,
    readonly parent: string,
  ) {}
}

/** An hour of a type and the levels above it, by the names of their columns. */
export interface HourNames {
  type: string;
  /** `YYYYMMDDHH`, `YYYYMMDD`, `YYYYMM`. */
  hour: string;
  day: string;
  month: string;
  /** `YYYYMMDD:TYPE`, `YYYYMM:TYPE`. */
  dayOfType: string;
  monthOfType: string;
}

export function hourNames(hour: string, type: string): HourNames {
  const day = hour.slice(0, 8);
  const month = hour.slice(0, 6);
  return { type, hour, day, month, dayOfType: `${day}:${type}`, monthOfType: `${month}:${type}` };
}

/**
 * The part of a video's summary row that its writer needs: some days with their hours, some months with their days,
 * months and totals.
 */
export class KnownSummary {
  readonly #levels: Record<LevelFamily, Map<string, Children>> = {
    [HOUR_FAMILY]: new Map(),
    [DAY_FAMILY]: new Map(),
    [MONTH_FAMILY]: new Map(),
    [TOTAL_FAMILY]: new Map(),
  };
  readonly #unwritten = new Set<Children>();
  readonly loadedDays = new Set<string>();
  readonly loadedMonths = new Set<string>();
  marks = "";
  size = 0;
  asOfMs = performance.now();

  /** Whether no cell of the video was ever written. */
  get isNew(): boolean {
    return (this.#levels[TOTAL_FAMILY].get("")?.cells.size ?? 0) === 0;
  }

  take(cells: readonly RowCell[]): void {
    for (const { family, qualifier, cell } of storedCells(cells)) {
      if (isLevel(family)) this.replace(family, qualifier, cell);
    }
  }

  /** Sets an hour and every level above it: its day, month and total. Changes wait for `takeMutations`. */
  raise({ type, hour, day, month, dayOfType, monthOfType }: HourNames, cell: CounterCell): Outcome {
    const hours = this.#children(HOUR_FAMILY, dayOfType);
    const days = this.#children(DAY_FAMILY, monthOfType);
    const months = this.#children(MONTH_FAMILY, type);
    const totals = this.#children(TOTAL_FAMILY, "");
    const outcomes = [this.#put(hours, hour, cell)];
    if (outcomes[0] !== "behind") outcomes.push(this.#put(days, day, rollUp(hours.cells.values())));
    if (outcomes[1] !== "behind") outcomes.push(this.#put(months, month, rollUp(days.cells.values())));
    if (outcomes[2] !== "behind") outcomes.push(this.#put(totals, type, rollUp(months.cells.values())));
    if (outcomes.includes("behind")) return "behind";
    return outcomes.includes("written") ? "written" : "equal";
  }

  put(family: LevelFamily, name: string, cell: CounterCell): Outcome {
    const [parent, child] = placeOf(family, name);
    return this.#put(this.#children(family, parent), child, cell);
  }

  /** Returns how cells changed that `takeMutations` is going to write, of those levels that are ranked. */
  rankMoves(): RankMove[] {
    const moves: RankMove[] = [];
    for (const { family, parent, cells, unwritten } of this.#unwritten) {
      if (!isRanked(family)) continue;
      for (const [child, { countBefore }] of unwritten)
        moves.push({ family, name: nameOf(family, parent, child), countBefore, count: cells.get(child)!.count });
    }
    return moves;
  }

  /** Writes every cell that was set since the last call, each once. */
  takeMutations(): Mutation[] {
    const mutations: Mutation[] = [];
    for (const { family, parent, cells, unwritten } of this.#unwritten) {
      for (const [child, { isExplicit }] of unwritten) {
        mutations.push(...cellMutations(family, nameOf(family, parent, child), cells.get(child)!, isExplicit));
      }
      unwritten.clear();
    }
    this.#unwritten.clear();
    return mutations;
  }

  /** Notes a cell as the row has it. */
  replace(family: LevelFamily, name: string, cell: CounterCell): void {
    const [parent, child] = placeOf(family, name);
    this.#set(this.#children(family, parent), child, cell);
  }

  stored(family: LevelFamily, name: string): CounterCell {
    const [parent, child] = placeOf(family, name);
    return this.#children(family, parent).cells.get(child) ?? NO_CELL;
  }

  /** Returns the sum of the known cells below a name. */
  sumBelow(family: LevelFamily, parent: string): CounterCell {
    return rollUp(this.#children(family, parent).cells.values());
  }

  /** Returns the names of the cells to which a level's known cells add up. */
  parents(family: Exclude<LevelFamily, typeof TOTAL_FAMILY>): Iterable<string> {
    return this.#levels[family].keys();
  }

  /** Returns the names of the known cells of a level. */
  names(family: LevelFamily): string[] {
    return [...this.#levels[family].values()].flatMap(({ parent, cells }) =>
      [...cells.keys()].map((child) => nameOf(family, parent, child)),
    );
  }

  #put(children: Children, child: string, cell: CounterCell): Outcome {
    const stored = children.cells.get(child) ?? NO_CELL;
    if (stored.version > cell.version) return "behind";
    if (isSameCell(stored, cell)) return "equal";
    this.#set(children, child, cell);
    const unwritten = children.unwritten.get(child);
    children.unwritten.set(child, {
      isExplicit: stored.version === cell.version || unwritten?.isExplicit === true,
      countBefore: unwritten?.countBefore ?? stored.count,
    });
    this.#unwritten.add(children);
    return "written";
  }

  #set({ cells }: Children, child: string, cell: CounterCell): void {
    const before = cells.size;
    cells.set(child, cell);
    this.size += cells.size - before;
  }

  #children(family: LevelFamily, parent: string): Children {
    const level = this.#levels[family];
    let children = level.get(parent);
    if (children === undefined) {
      children = new Children(family, parent);
      level.set(parent, children);
    }
    return children;
  }
}

export type LevelFamily = typeof HOUR_FAMILY | typeof DAY_FAMILY | typeof MONTH_FAMILY | typeof TOTAL_FAMILY;

function isLevel(family: string): family is LevelFamily {
  return family === HOUR_FAMILY || family === DAY_FAMILY || family === MONTH_FAMILY || family === TOTAL_FAMILY;
}

/** Splits a name: `2026112110:VIEW` of the hours is the child 2026112110 of `20261121:VIEW`, for example. */
function placeOf(family: LevelFamily, name: string): [parent: string, child: string] {
  if (family === HOUR_FAMILY) return [`${name.slice(0, 8)}:${name.slice(11)}`, name.slice(0, 10)];
  if (family === DAY_FAMILY) return [`${name.slice(0, 6)}:${name.slice(9)}`, name.slice(0, 8)];
  if (family === MONTH_FAMILY) return [name.slice(7), name.slice(0, 6)];
  return ["", name];
}

function nameOf(family: LevelFamily, parent: string, child: string): string {
  if (family === TOTAL_FAMILY) return child;
  return `${child}:${family === MONTH_FAMILY ? parent : parent.slice(parent.indexOf(":") + 1)}`;
}
