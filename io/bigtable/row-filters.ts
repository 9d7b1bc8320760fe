// SPDX-License-Identifier: Apache-2.0
/** Filters of reads, as Bigtable wants them. */
import { MINUTE_FAMILY } from "./row-keys";
import type { RowFilter } from "./rows";

/** Columns from `start` (with it) to `end` (without). */
export function columnRange(family: string, start: string, end: string): RowFilter {
  return {
    columnRangeFilter: {
      familyName: family,
      startQualifierClosed: Buffer.from(start, "latin1"),
      endQualifierOpen: Buffer.from(end, "latin1"),
    },
  };
}

/** All columns of a family. Not by a regular expression, which the emulator compiles anew for every row. */
export function allOf(family: string): RowFilter {
  return { columnRangeFilter: { familyName: family } };
}

/** A type's columns of a minute row. */
export function minutesOfType(eventType: string): RowFilter {
  return columnRange(MINUTE_FAMILY, `${eventType}:`, `${eventType};`);
}

/** As a literal in an RE2 expression. */
export function escaped(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9_]/g, "\\$&");
}
