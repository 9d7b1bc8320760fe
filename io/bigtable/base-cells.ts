// SPDX-License-Identifier: Apache-2.0
/**
 * What remains of cells that left for roll-ups: one base cell of each type, in place of all minutes of an hour, or of
 * all hours of a day. A base cell has the sum of the cells and, as its version, the sum of their versions. So the level
 * above stays what it was, and grows by what is counted later. The name of a base cell has `//` where the others have
 * their time: `VIEW://` among the minutes, `20261121//:VIEW` among the hours, which is in the range of the day's
 * columns. Tiering writes base cells, and everything that adds up a level reads them.
 */
import { cellMutations, NO_CELL, rollUp, storedCells } from "./cells";
import type { CounterCell } from "./codec";
import type { Mutation } from "./requests";
import { HOUR_FAMILY, MINUTE_FAMILY } from "./row-keys";
import type { Row, RowCell } from "./rows";
import { timestampMicros } from "./versions";

const BASE = "//";

export const isBaseMinute = (qualifier: string): boolean => qualifier.endsWith(`:${BASE}`);
export const isBaseHour = (qualifier: string): boolean => qualifier.slice(8, 10) === BASE;

/** Returns the mutations that replace the minutes of a row by base cells; none where the row has no minutes. */
export function minutesIntoBase(row: Row): Mutation[] {
  return intoBase(row.cells, MINUTE_FAMILY, isBaseMinute, (qualifier) => `${qualifier.slice(0, -2)}${BASE}`);
}

/** Returns the mutations that replace these hours of a row by base cells of their days. */
export function hoursIntoBase(row: Row): Mutation[] {
  const baseOf = (qualifier: string) => `${qualifier.slice(0, 8)}${BASE}${qualifier.slice(10)}`;
  return intoBase(row.cells, HOUR_FAMILY, isBaseHour, baseOf);
}

function intoBase(
  columns: readonly RowCell[],
  family: string,
  isBase: (qualifier: string) => boolean,
  baseOf: (qualifier: string) => string,
): Mutation[] {
  const bases = new Map<string, CounterCell[]>();
  const leaving: { qualifier: string; cell: CounterCell }[] = [];
  for (const { family: own, qualifier, cell } of storedCells(columns)) {
    if (own !== family) continue;
    const base = isBase(qualifier) ? qualifier : baseOf(qualifier);
    bases.set(base, [...(bases.get(base) ?? []), cell]);
    if (!isBase(qualifier)) leaving.push({ qualifier, cell });
  }
  const changed = new Set(leaving.map(({ qualifier }) => baseOf(qualifier)));
  return [
    ...[...changed].flatMap((base) => cellMutations(family, base, rollUp([NO_CELL, ...bases.get(base)!]), true)),
    // A version that is not in the base stays.
    ...leaving.flatMap(({ qualifier, cell }) =>
      [qualifier, `${qualifier}+`].map((column) => deleteThrough(family, column, cell.version)),
    ),
  ];
}

/** Deletes a column's cells up to a version, older ones that are not collected yet included. */
function deleteThrough(family: string, qualifier: string, version: number): Mutation {
  return {
    deleteFromColumn: {
      familyName: family,
      columnQualifier: Buffer.from(qualifier, "latin1"),
      timeRange: { startTimestampMicros: 0, endTimestampMicros: timestampMicros(version + 1) },
    },
  };
}
