/**
 * What a writer knows of the rows it writes. Knowledge is a state the row once had, joined with the writer's own writes since; versions
 * only grow, so it is never ahead of the row, and what is computed from it loses against what is computed from more. Whether it is still all there is,
 * the row's w columns tell: each writer leaves there when it last wrote.
 */
import { type CounterCell, decodeCell, encodeCell, isSameCell, NO_CELL, rollUp } from "./cells";
import { DAY_FAMILY, HOUR_FAMILY, MINUTE_FAMILY, MONTH_FAMILY, TOTAL_FAMILY, WRITER_FAMILY } from "./row-keys";
import { type Mutation, type Row, type RowCell, setCell } from "./rows";

/** Which writers' marks a row bears, but this writer's. */
export function marksOf(cells: readonly RowCell[], writerId: string): string {
  const marks: string[] = [];
  for (const { family, qualifier, version } of cells) {
    if (family === WRITER_FAMILY && qualifier !== writerId) marks.push(`${qualifier}@${version}`);
  }
  return marks.length > 1 ? marks.sort().join(" ") : (marks[0] ?? "");
}

/** An hour of a video. */
export class KnownMinutes {
  /** By type, then `MM`. */
  readonly #cells = new Map<string, Map<string, CounterCell>>();
  readonly marks: string;
  size = 0;
  asOfMs = performance.now();

  constructor(row: Row | undefined, writerId: string) {
    this.marks = marksOf(row?.cells ?? [], writerId);
    for (const { family, qualifier, version, value } of row?.cells ?? []) {
      if (family === MINUTE_FAMILY) this.#set(qualifier.slice(0, -3), qualifier.slice(-2), decodeCell(version, value));
    }
  }

  version(type: string, minute: string): number {
    return this.#cells.get(type)?.get(minute)?.version ?? 0;
  }

  /** Notes a write; its version must be larger than the known one. */
  write(type: string, minute: string, cell: CounterCell): Mutation {
    this.#set(type, minute, cell);
    return setCell(MINUTE_FAMILY, `${type}:${minute}`, cell.version, encodeCell(cell));
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

/** How a cell that was computed relates to the one that is known. */
export type Outcome = "equal" | "written" | "behind";

/** The part of a video's summary row that its writer needs: some days with their hours, some months with their days, months and totals. */
export class KnownSummary {
  /** Each: parent's name (`DAY:TYPE`, `MONTH:TYPE`, `TYPE`) -> child's name -> cell. Totals: "" -> TYPE. */
  readonly #levels = {
    [HOUR_FAMILY]: new Map<string, Map<string, CounterCell>>(),
    [DAY_FAMILY]: new Map<string, Map<string, CounterCell>>(),
    [MONTH_FAMILY]: new Map<string, Map<string, CounterCell>>(),
    [TOTAL_FAMILY]: new Map<string, Map<string, CounterCell>>(),
  };
  readonly #unwritten = new Map<string, { family: LevelFamily; name: string }>();
  readonly loadedDays = new Set<string>();
  readonly loadedMonths = new Set<string>();
  marks = "";
  size = 0;
  asOfMs = performance.now();

  take(cells: readonly RowCell[]): void {
    for (const { family, qualifier, version, value } of cells) {
      if (!isLevel(family)) continue;
      const [parent, child] = placeOf(family, qualifier);
      this.#set(family, parent, child, decodeCell(version, value));
    }
  }

  /** Puts an hour and everything above it: its day, month and total. What changes is left for `takeMutations`. */
  raise(hour: string, type: string, cell: CounterCell): Outcome {
    const day = hour.slice(0, 8);
    const month = hour.slice(0, 6);
    const levels = [
      { family: HOUR_FAMILY, name: `${hour}:${type}`, cell: () => cell },
      { family: DAY_FAMILY, name: `${day}:${type}`, cell: () => this.children(HOUR_FAMILY, `${day}:${type}`) },
      { family: MONTH_FAMILY, name: `${month}:${type}`, cell: () => this.children(DAY_FAMILY, `${month}:${type}`) },
      { family: TOTAL_FAMILY, name: type, cell: () => this.children(MONTH_FAMILY, type) },
    ] as const;
    let outcome: Outcome = "equal";
    for (const { family, name, cell: computed } of levels) {
      const one = this.put(family, name, computed());
      if (one === "behind") return one;
      if (one === "written") outcome = one;
    }
    return outcome;
  }

  stored(family: LevelFamily, name: string): CounterCell {
    const [parent, child] = placeOf(family, name);
    return this.#levels[family].get(parent)?.get(child) ?? NO_CELL;
  }

  children(family: LevelFamily, parent: string): CounterCell {
    return rollUp(this.#levels[family].get(parent)?.values() ?? []);
  }

  /** Names of the cells that a level's known cells add up to. */
  parents(family: Exclude<LevelFamily, typeof TOTAL_FAMILY>): Iterable<string> {
    return this.#levels[family].keys();
  }

  /** Names of the known cells of a level. */
  names(family: LevelFamily): string[] {
    return [...this.#levels[family]].flatMap(([parent, children]) =>
      [...children.keys()].map((child) => nameOf(family, parent, child)),
    );
  }

  put(family: LevelFamily, name: string, cell: CounterCell): Outcome {
    const stored = this.stored(family, name);
    if (stored.version > cell.version) return "behind";
    if (isSameCell(stored, cell)) return "equal";
    const [parent, child] = placeOf(family, name);
    this.#set(family, parent, child, cell);
    this.#unwritten.set(`${family} ${name}`, { family, name });
    return "written";
  }

  /** Writes every cell that was put since, each once. */
  takeMutations(): Mutation[] {
    const mutations = [...this.#unwritten.values()].map(({ family, name }) => {
      const cell = this.stored(family, name);
      return setCell(family, name, cell.version, encodeCell(cell));
    });
    this.#unwritten.clear();
    return mutations;
  }

  /** Notes a cell that was replaced whatever its version. */
  replace(family: LevelFamily, name: string, cell: CounterCell): void {
    const [parent, child] = placeOf(family, name);
    this.#set(family, parent, child, cell);
  }

  #set(family: LevelFamily, parent: string, child: string, cell: CounterCell): void {
    let children = this.#levels[family].get(parent);
    if (children === undefined) {
      children = new Map();
      this.#levels[family].set(parent, children);
    }
    if (!children.has(child)) this.size++;
    children.set(child, cell);
  }
}

export type LevelFamily = typeof HOUR_FAMILY | typeof DAY_FAMILY | typeof MONTH_FAMILY | typeof TOTAL_FAMILY;

function isLevel(family: string): family is LevelFamily {
  return family === HOUR_FAMILY || family === DAY_FAMILY || family === MONTH_FAMILY || family === TOTAL_FAMILY;
}

/** `2026112110:VIEW` of the hours is the child 2026112110 of `20261121:VIEW`, and so on. */
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
