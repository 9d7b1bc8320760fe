// SPDX-License-Identifier: Apache-2.0
/**
 * The ranking index: rows of the summaries' table that name the videos of an hour, a day or a month with at least 8
 * events of a type, by the power of two that their count reaches:
 *   `r<part>#<level>#<TYPE>#<exponent>#<time>#<videoId>`, one cell without a value in the level's family
 * An entry bounds the count: it is less than 2^(exponent + 1). The rule that makes rankings exact: a stored cell of at
 * least 8 events has an entry with its exponent, or with a larger one. Writers write an entry before the cell that
 * needs it, delete a smaller entry only after a larger one is stored, and never delete a video's largest entry. So
 * whatever is repeated, reordered or lost on the way, an entry may be too large, which costs time, and is never too
 * small. docs/decisions/0043-ranking-on-bigtable.md
 */
import type { BigtableConnection } from "./connection";
import { type RowMutation, setCell } from "./requests";
import { DAY_FAMILY, HOUR_FAMILY, hourText, MONTH_FAMILY, saltOf } from "./row-keys";
import { type KeyRange, mutateRows, type RowFilter, readRows } from "./rows";

export type RankedFamily = typeof HOUR_FAMILY | typeof DAY_FAMILY | typeof MONTH_FAMILY;

/** How a cell above the minutes changed; `name` is its column. */
export interface RankMove {
  family: RankedFamily;
  name: string;
  countBefore: number;
  count: number;
}

export interface RankEntry {
  videoId: string;
  /** `YYYYMMDDHH`, `YYYYMMDD` or `YYYYMM`. */
  time: string;
  exponent: number;
}

/** Counts below 2^LEAST_EXPONENT have no entry: most videos of an hour have few events. */
export const LEAST_EXPONENT = 3;
/** A count is at most 2^53 - 1. */
const MAX_EXPONENT = 52;
/** Entries of an hour are spread over this many ranges of keys. */
const PARTS = 4;
const TIME_WIDTH: Record<RankedFamily, number> = { [HOUR_FAMILY]: 10, [DAY_FAMILY]: 8, [MONTH_FAMILY]: 6 };
const EMPTY = Buffer.alloc(0);
const ROWS_A_PIECE = 1_000;
const KEYS_ALONE: RowFilter = {
  chain: { filters: [{ cellsPerRowLimitFilter: 1 }, { stripValueTransformer: true }] },
};

export const isRanked = (family: string): family is RankedFamily => Object.hasOwn(TIME_WIDTH, family);

/** Returns the largest exponent whose power of two is at most the count; -1 for a count of 0. */
function exponentOf(count: number): number {
  if (count < 2 ** 31) return 31 - Math.clz32(count);
  let exponent = 31;
  while (2 ** (exponent + 1) <= count) exponent++;
  return exponent;
}

/** Returns `YYYYMMDDHH`, `YYYYMMDD` or `YYYYMM` of an hour since 1970. */
export const timeText = (family: RankedFamily, hour: number): string => hourText(hour).slice(0, TIME_WIDTH[family]);

/** Divides a column's name, `<time>:<TYPE>`. */
function timeAndType(family: RankedFamily, name: string): [time: string, type: string] {
  const width = TIME_WIDTH[family];
  return [name.slice(0, width), name.slice(width + 1)];
}

const exponentPrefix = (part: number, family: RankedFamily, type: string, exponent: number): string =>
  `r${part}#${family}#${type}#${String(exponent).padStart(2, "0")}#`;

function entryKey(videoId: string, family: RankedFamily, name: string, exponent: number): string {
  const [time, type] = timeAndType(family, name);
  return `${exponentPrefix(saltOf(videoId) % PARTS, family, type, exponent)}${time}#${videoId}`;
}

/**
 * Returns the entries to write before the cells, and those to delete after the new entries are stored. A count that
 * falls keeps its entry.
 */
export function rankRows(
  videoId: string,
  moves: readonly RankMove[],
): { entries: RowMutation[]; outdated: RowMutation[] } {
  const entries: RowMutation[] = [];
  const outdated: RowMutation[] = [];
  for (const { family, name, countBefore, count } of moves) {
    const exponent = exponentOf(count);
    const before = exponentOf(countBefore);
    if (exponent < LEAST_EXPONENT || exponent <= before) continue;
    entries.push({ key: entryKey(videoId, family, name, exponent), mutations: [setCell(family, "", 0, EMPTY)] });
    if (before < LEAST_EXPONENT) continue;
    outdated.push({ key: entryKey(videoId, family, name, before), mutations: [{ deleteFromRow: {} }] });
  }
  return { entries, outdated };
}

/**
 * Reads the entries of times [from, to) with at least an exponent; undefined where there are more than `most`. An entry
 * moves to a larger exponent only, and rows are read in the order of their keys: so an entry that moves meanwhile is
 * read at its new place, or at both.
 */
export async function readRanks(
  connection: BigtableConnection,
  { family, type, from, to }: { family: RankedFamily; type: string; from: string; to: string },
  leastExponent: number,
  most: number,
): Promise<RankEntry[] | undefined> {
  const ranges = rangesOf(family, type, from, to, leastExponent);
  const query = { tableName: connection.tables.summaries, ranges, filter: KEYS_ALONE, limit: most + 1 };
  const rows = await readRows(connection, query);
  if (rows.length > most) return undefined;
  const prefix = exponentPrefix(0, family, type, 0).length;
  const width = TIME_WIDTH[family];
  return rows.map(({ key }) => ({
    exponent: Number(key.slice(prefix - 3, prefix - 1)),
    time: key.slice(prefix, prefix + width),
    videoId: key.slice(prefix + width + 1),
  }));
}

function rangesOf(family: RankedFamily, type: string, from: string, to: string, leastExponent: number): KeyRange[] {
  const ranges: KeyRange[] = [];
  for (let part = 0; part < PARTS; part++) {
    for (let exponent = leastExponent; exponent <= MAX_EXPONENT; exponent++) {
      const prefix = exponentPrefix(part, family, type, exponent);
      ranges.push({ start: prefix + from, end: prefix + to });
    }
  }
  return ranges;
}

/**
 * Deletes the entries of hours [fromHour, toHour), whose cells have left the store and which nobody writes now. Calls
 * `check` before each piece.
 */
export async function dropRankedHours(
  connection: BigtableConnection,
  fromHour: number,
  toHour: number,
  check: () => Promise<unknown>,
): Promise<void> {
  const tableName = connection.tables.summaries;
  const [from, to] = [timeText(HOUR_FAMILY, fromHour), timeText(HOUR_FAMILY, toHour)];
  for (const type of await rankedTypes(connection, HOUR_FAMILY)) {
    const ranges = rangesOf(HOUR_FAMILY, type, from, to, LEAST_EXPONENT);
    for (;;) {
      const rows = await readRows(connection, { tableName, ranges, filter: KEYS_ALONE, limit: ROWS_A_PIECE });
      if (rows.length === 0) break;
      await check();
      await mutateRows(
        connection,
        tableName,
        rows.map(({ key }) => ({ key, mutations: [{ deleteFromRow: {} }] })),
      );
    }
  }
}

/** Returns the event types that have entries of a level: one read of one row for each type and part. */
async function rankedTypes(connection: BigtableConnection, family: RankedFamily): Promise<Set<string>> {
  const types = new Set<string>();
  for (let part = 0; part < PARTS; part++) {
    const prefix = `r${part}#${family}#`;
    for (let start = prefix; ; ) {
      const ranges = [{ start, end: `r${part}#${family}$` }];
      const query = { tableName: connection.tables.summaries, ranges, filter: KEYS_ALONE, limit: 1 };
      const [row] = await readRows(connection, query);
      if (row === undefined) break;
      const type = row.key.slice(prefix.length, row.key.indexOf("#", prefix.length));
      types.add(type);
      start = `${prefix}${type}$`;
    }
  }
  return types;
}
